"""The compiled loops of `standby`, which run without Python's global lock. They need numba."""

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from multilayer.compiled import machine_code
from multilayer.numpy.fast.standby import ASKED, BEGUN, WANTED

__all__ = ["call", "look"]

IS_X86 = platform.machine().lower() in ("x86_64", "amd64")


@intrinsic
def _load(typing_context: Any, array: Any, index: Any) -> Any:
    """Read a number of a one-dimensional array from memory; never reuse a value read before."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        number = ir.IntType(64)
        view = context.make_array(signature.args[0])(context, builder, values[0])
        place = builder.gep(view.data, [values[1]], source_etype=number)
        return builder.load_atomic(place, "acquire", 8, typ=number)

    return types.int64(array, types.intp), generate


@intrinsic
def _pause(typing_context: Any) -> Any:
    """On x86, leave the core's execution units to its other hardware thread for a moment."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        if IS_X86:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), kind), [])
        return context.get_dummy_value()

    return types.void(), generate


@machine_code
def look(of_helper, what, number, turns):  # type: ignore[no-untyped-def]
    """Wait until a helper's number reaches `number`, for at most `turns`; return the turns left."""
    at = of_helper[what]
    for turn in range(turns):
        if _load(at, 0) >= number:  # type: ignore[call-arg]
            return turns - turn
        _pause()
    return 0


@machine_code
def call(helpers, turns, head_start):  # type: ignore[no-untyped-def]
    """Hand each helper its call, and return when all have had a head start."""
    for i in range(helpers.shape[0]):
        helpers[i, ASKED, 0] = helpers[i, WANTED, 0]
    for i in range(helpers.shape[0]):
        turns = look(helpers[i], BEGUN, helpers[i, WANTED, 0], turns)
    for _ in range(head_start):
        _load(helpers[0, ASKED], 0)  # type: ignore[call-arg]
        _pause()
