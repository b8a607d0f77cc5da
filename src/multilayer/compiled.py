"""Kernels: passes over arrays, written twice: in plain NumPy, and as loops that numba compiles.

NumPy reads and writes memory once per operation; a compiled loop does all operations while a number
is in a register. The plain form is the definition, the tests' oracle, and the fallback without
numba.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from multilayer import forks

__all__ = ["Kernel", "kernel", "machine_code", "numba", "on_compiling"]


def numba() -> Any:
    """Return numba, or None if it is missing or switched off by NUMBA_DISABLE_JIT."""
    with forks.imports:
        try:
            module: Any = import_module("numba")
        except ImportError:
            return None
        if module.config.DISABLE_JIT:
            return None
        # numba holds this lock while it compiles a kernel or reads one from disk.
        forks.hold(import_module("numba.core.compiler_lock").global_compiler_lock)
        return module


def machine_code(
    loops: Callable[..., Any], *sources: ModuleType, **settings: Any
) -> Callable[..., Any]:
    """Return loops compiled by numba, which run without Python's global lock (the GIL).

    Machine code is cached on disk if numba finds a folder for it, so each machine compiles once.

    Parameters
    ----------
    loops : callable
    *sources : module
        Other modules whose code is compiled in. numba checks only the file of `loops` for changes,
        so the name of the cached code includes a hash of these modules.
    **settings
        Settings of ``numba.njit``.
    """
    module = numba()
    if sources:
        loops.__qualname__ += f"_{_hash_of(sources)}"
    try:
        return module.njit(nogil=True, cache=True, **settings)(loops)
    except RuntimeError:  # numba found no folder for the cache
        return module.njit(nogil=True, **settings)(loops)


@cache
def _hash_of(modules: tuple[ModuleType, ...]) -> str:
    texts = (Path(str(module.__file__)).read_bytes() for module in modules)
    return hashlib.sha256(b"".join(texts)).hexdigest()[:8]


@contextmanager
def on_compiling(notify: Callable[[], None]) -> Iterator[None]:
    """Call `notify` each time numba compiles because it found no machine code on disk."""
    with forks.imports:
        module = numba() and import_module("numba.core.event")
    if module is None:
        yield
        return
    does = {"on_start": lambda *_: notify(), "on_end": lambda *_: None}
    with module.install_listener("numba:compile", type("Listener", (module.Listener,), does)()):
        yield


class Kernel:
    """A pass over arrays, in two forms.

    Parameters
    ----------
    loops : callable
        The pass as loops over single numbers, in the subset of Python that numba compiles.
    plain : callable
        The same pass in NumPy, with the same arguments.
    reassociate : bool
        Whether sums may be reordered, which lets a processor add several numbers at a time.

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
        self._compiled: Callable[..., Any] | None = None

    @property
    def fastest(self) -> Callable[..., Any]:
        """The form to call: compiled loops if numba is installed, else plain NumPy."""
        if self._fastest is None:
            self._fastest = self.plain if numba() is None else self.compiled
        return self._fastest

    @property
    def compiled(self) -> Callable[..., Any]:
        """The loops as machine code; this needs numba."""
        if self._compiled is None:
            with forks.imports:
                self._compiled = self._compiled or machine_code(
                    self.loops,
                    error_model="numpy",
                    # Without nnan and ninf, so NaN and infinity are still respected.
                    fastmath={"reassoc", "contract", "nsz"} if self.reassociate else False,
                )
        return self._compiled


def kernel(
    plain: Callable[..., Any], *, reassociate: bool = False
) -> Callable[[Callable[..., Any]], Kernel]:
    """Return a decorator that turns loops and their plain form into a `Kernel`."""
    return lambda loops: Kernel(loops, plain, reassociate)
