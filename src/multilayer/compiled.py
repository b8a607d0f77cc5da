"""Kernels: passes over arrays, written twice, as plain NumPy and as loops that numba compiles.

NumPy reads and writes memory once for every operation; a compiled loop does all of a pass's work
while a number is in a register. The plain form is the definition, the tests' oracle, and the
fallback where numba is missing.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from multilayer import forks

__all__ = ["Kernel", "kernel", "numba"]


def numba() -> Any:
    """Return numba, or None if it is missing or switched off by NUMBA_DISABLE_JIT."""
    try:
        module: Any = import_module("numba")
    except ImportError:
        return None
    if module.config.DISABLE_JIT:
        return None
    # numba holds it while a kernel is compiled or read from disk.
    forks.hold(import_module("numba.core.compiler_lock").global_compiler_lock)
    return module


class Kernel:
    """One pass over arrays, in its two forms.

    Parameters
    ----------
    loops : callable
        The pass as loops over single numbers, in the part of Python that numba compiles.
    plain : callable
        The same in NumPy, with the same arguments.
    reassociate : bool
        Whether sums may be added in another order, which lets a processor add several at a time.

    Examples
    --------
    >>> import numpy as np
    >>> def double(x):
    ...     x *= 2
    >>> @kernel(plain=double)
    ... def doubled(x):
    ...     for i in range(x.size):
    ...         x[i] *= 2
    >>> x = np.arange(3.0)
    >>> doubled.fastest(x)
    >>> x
    array([0., 2., 4.])
    """

    def __init__(
        self, loops: Callable[..., Any], plain: Callable[..., Any], reassociate: bool = False
    ) -> None:
        self.loops = loops
        self.plain = plain
        self.reassociate = reassociate
        self._fastest: Callable[..., Any] | None = None

    @property
    def fastest(self) -> Callable[..., Any]:
        """The form to call: compiled loops if numba is installed, else the plain one.

        Machine code is kept on disk, so that a kernel is compiled once on a machine. It runs
        without Python's global lock, so threads can work in parallel.
        """
        if self._fastest is None:
            with forks.imports:  # the first call imports numba, which then sets itself up
                self._fastest = self._fastest or self._compiled()
        return self._fastest

    def _compiled(self) -> Callable[..., Any]:
        module = numba()
        if module is None:
            return self.plain
        settings: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
        if self.reassociate:
            settings["fastmath"] = {"reassoc", "contract", "nsz"}  # NaN and infinity stay
        try:
            return module.njit(cache=True, **settings)(self.loops)
        except RuntimeError:  # no folder to keep it in
            return module.njit(**settings)(self.loops)

    @property
    def is_ready(self) -> bool:
        """Whether the kernel can be called without compiling: its machine code is on disk."""
        form: Any = self.fastest
        if form is self.plain:
            return True
        source, name = Path(self.loops.__code__.co_filename), self.loops.__qualname__
        return any(Path(form.stats.cache_path or "").glob(f"{source.stem}.{name}-*.nbi"))


def kernel(
    plain: Callable[..., Any], *, reassociate: bool = False
) -> Callable[[Callable[..., Any]], Kernel]:
    """Return a decorator that makes a `Kernel` of loops and their plain form."""
    return lambda loops: Kernel(loops, plain, reassociate)
