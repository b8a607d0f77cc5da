"""The compiled loops of `standby`, which run without Python's global lock. They need numba."""

import platform
from typing import Any

import numba
from llvmlite import ir
from numba.extending import intrinsic

__all__ = ["call", "look"]

WANTED, ASKED, BEGUN = range(3)  # of the counts in `standby`
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
_compile = numba.njit(nogil=True, cache=True)


@intrinsic
def _load(typing_context: Any, array: Any, index: Any) -> Any:
    """Read a number of an array of one axis now, whatever a compiler knows of it."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, values[0])
        return builder.load_atomic(builder.gep(view.data, [values[1]]), "acquire", 8)

    return numba.types.int64(array, numba.types.intp), generate


@intrinsic
def _pause(typing_context: Any) -> Any:
    """Leave the core's units to its other thread for a moment."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        if IS_X86:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), kind), [])
        return context.get_dummy_value()

    return numba.types.void(), generate


@_compile
def look(counts, what, count, turns):  # type: ignore[no-untyped-def]
    """Return when a helper's count has come to `count`, or after so many turns."""
    of_helper = counts[what]
    for _ in range(turns):
        if _load(of_helper, 0) >= count:  # type: ignore[call-arg]
            return
        _pause()


@_compile
def call(counts, turns, head_start):  # type: ignore[no-untyped-def]
    """Ask each helper for what is wanted of it, and return when all are well under way."""
    for helper in range(counts.shape[0]):
        counts[helper, ASKED, 0] = counts[helper, WANTED, 0]
    for helper in range(counts.shape[0]):
        look(counts[helper], BEGUN, counts[helper, WANTED, 0], turns)
    for _ in range(head_start):
        _pause()  # type: ignore[call-arg]
