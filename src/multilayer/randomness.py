"""Random generators: several as one, saving and restoring their state, and random hashes."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Generators",
    "as_bytes",
    "current_state",
    "generator_state",
    "hashed",
    "set_generator_state",
]

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]


class Generators(tuple[np.random.Generator, ...]):
    """K generators used as one: each draws the numbers of one network."""

    def random(self, *, dtype: Any, out: Array, where: Any = None) -> None:
        """Fill `out`, of shape (K, …), with uniform numbers; generator k fills ``out[k]``.

        Where `where`, of shape (K,), is false, nothing is drawn and ``out[k]`` stays unchanged.
        """
        for rng, own in self._drawing(out, where):
            rng.random(out=own, dtype=dtype)

    def standard_normal(self, *, dtype: Any, out: Array, where: Any = None) -> None:
        """Fill `out` with standard normal numbers, as `random` does with uniform ones."""
        for rng, own in self._drawing(out, where):
            rng.standard_normal(out=own, dtype=dtype)

    def _drawing(self, out: Array, where: Any) -> Iterator[tuple[np.random.Generator, Array]]:
        for k, pair in enumerate(zip(self, out, strict=True)):
            if where is None or where[k]:
                yield pair


def current_state(rng: np.random.Generator | Generators) -> Any:
    """Return a copy of the state of a generator's bit generator; a list of K for `Generators`."""
    if isinstance(rng, Generators):
        return [one.bit_generator.state for one in rng]
    return rng.bit_generator.state


def as_bytes(state: Any) -> Bytes:
    """Return a state that `current_state` returned, as bytes of JSON."""
    return np.frombuffer(json.dumps(state, default=_as_list).encode(), dtype=np.uint8)


def generator_state(rng: np.random.Generator | Generators) -> Bytes:
    """Return the state of a generator's bit generator, or of several, as bytes of JSON.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> state = generator_state(rng)
    >>> first = rng.random()
    >>> set_generator_state(rng, state)
    >>> bool(rng.random() == first)
    True
    """
    return as_bytes(current_state(rng))


def set_generator_state(rng: np.random.Generator | Generators, state: Bytes) -> None:
    """Restore a state that `generator_state` returned, in a generator of the same kind.

    Raises
    ------
    ValueError
        If the generator is of another kind, or `state` is not such a state.
    """
    found = json.loads(state.tobytes().decode())
    if not isinstance(rng, Generators):
        rng.bit_generator.state = found
        return
    if not isinstance(found, list) or len(found) != len(rng):
        raise ValueError(f"must be the state of {len(rng)} generators")
    for one, own in zip(rng, found, strict=True):
        one.bit_generator.state = own


def hashed(numbers: Array, seed: int | Sequence[int]) -> npt.NDArray[np.uint64]:
    """Return a hash of each number, by the mixing function of splitmix64 (Steele et al. 2014).

    Different numbers have different hashes, and different seeds give different hashes.

    Parameters
    ----------
    numbers : array of int64, uint64 or float64
    seed : int or sequence of int

    Examples
    --------
    >>> hashed(np.array([7, 8, 7]), seed=0) >> 56
    array([87, 80, 87], dtype=uint64)
    """
    z = numbers.view(np.uint64) ^ np.random.default_rng(seed).integers(2**64, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def _as_list(array: Any) -> Any:
    return array.tolist()
