"""Pictures of what a network computes over the plane, as arrays that the page draws."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.numpy import MLP
from multilayer.numpy.observation import HiddenLayer, hidden_layers, outputs_after
from multilayer.numpy.units import are_dead, are_saturated, slopes_of
from multilayer.playground.bundled import like_a_digit
from multilayer.playground.data_sets import Samples
from multilayer.playground.training import affine_pairs

__all__ = ["SHOWN", "SMALL", "Pictures", "as_bytes", "observed"]

Array = npt.NDArray[Any]

SHOWN = 10
"""Maximum number of units of a layer that are drawn."""
SIDES = (96, 48, 24)
"""The possible sides of a picture of the output, in pixels."""
SMALL = 24
"""The minimum side of a unit's picture, in pixels; it is at most twice as large."""
LINE = 240
"""Number of points of a curve."""
MOST = 200_000_000
"""Maximum number of products in one picture, about 0.1 s: larger networks have coarser pictures."""
PIECE = 2**14
"""Numbers of a layer that are computed at a time, in 64 KiB: the system zeroes larger pieces of
memory each time they are allocated, which took as long as the picture itself."""
N_OBSERVED = 1_000
"""Number of samples used to find dead and saturated units, and to compute gradients."""
FINE, DEAD, SATURATED = 0, 1, 2


class Pictures:
    """Draws networks of one shape, on the same samples.

    Parameters
    ----------
    samples : Samples
    n_parameters : int
        Number of parameters of a network.
    """

    def __init__(self, samples: Samples, n_parameters: int) -> None:
        self.samples = samples
        self.is_line = len(samples.view.basis) == 1
        fits = [side for side in SIDES if side**2 * n_parameters <= MOST]
        self.side = LINE if self.is_line else (fits or SIDES[-1:])[0]
        self.grid = samples.view.grid(self.side)
        self.observed = samples.X[observed(samples)]
        values = samples.codes
        self.low, self.high = float(values.min()), float(values.max())

    def of(self, net: MLP) -> dict[str, Array]:
        """Return the output and the first units of each layer over the plane, and their weights.

        Returns
        -------
        dict of str to array
            ``output``: the probabilities of the classes, or the values, of shape (n, side, side)
            as bytes; over a line, as floats. ``units k`` and ``state k``: the outputs of the units
            of hidden layer k, from −1 to 1 as bytes, and whether they are fine, dead or saturated.
            If the samples are images, the weights of the first layer's units are shown instead,
            even if that is the output layer.
            ``W k`` and ``b k``: the weights between the units that are shown, and their biases.
        """
        with np.errstate(all="ignore"):  # a network that diverges is shown until it is stopped
            *layers, outputs = self._over_the_grid(net)
            found = {"output": self._output(outputs)}
            for k, units in enumerate(layers, start=1):
                found[f"units {k}"] = self._units(units)
            if self.samples.side:
                found["units 1"] = self._weights(net)
            found |= self._states(net)
        n_inputs = net.architecture.in_features
        widths = [n_inputs, *net.architecture.hidden_features, net.architecture.out_features]
        for k, (W, b) in enumerate(affine_pairs(net)):
            n_out, n_in = (min(SHOWN, width) for width in (widths[k + 1], widths[k]))
            found[f"W {k + 1}"] = W[:n_out, :n_in]
            found[f"b {k + 1}"] = np.zeros(n_out) if b is None else b[:n_out]
        return found

    def read(self, net: MLP, drawn: Array) -> tuple[Array, Array]:
        """Classify a drawn image, if the samples are images.

        Parameters
        ----------
        net : MLP
        drawn : array of shape (side * side,)
            From 0 to 1.

        Returns
        -------
        probabilities : array of shape (n_classes,)
        given : array of shape (side, side)
            The input of the network, as bytes: the drawn image, placed and scaled like the samples.
        """
        side = self.samples.side
        given = like_a_digit(drawn.reshape(side, side))
        with np.errstate(all="ignore"):
            outputs = outputs_after(net, 0, given.reshape(1, -1).astype(np.float32))
            return self.samples.targets.probabilities(outputs)[0], as_bytes(given)

    def _over_the_grid(self, net: MLP) -> list[Array]:
        """Return the first units of each hidden layer over the grid, and the outputs."""
        pieces = []
        n_rows = max(1, PIECE // max(net.architecture.hidden_features, default=1))
        for start in range(0, len(self.grid), n_rows):
            rows = self.grid[start : start + n_rows]
            layers = hidden_layers(net, rows)
            last = layers[-1].output if layers else rows
            shown = [layer.output[:, :SHOWN].copy() for layer in layers]
            pieces.append([*shown, outputs_after(net, len(layers), last)])
        return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]

    def _output(self, outputs: Array) -> Array:
        targets = self.samples.targets
        if targets.task == "regression":
            values = targets.decode(outputs)[np.newaxis]
            if self.is_line:
                return values
            return self._square(as_bytes((values - self.low) / ((self.high - self.low) or 1.0)))
        shares = targets.probabilities(outputs).T
        return shares if self.is_line else self._square(as_bytes(shares))

    def _units(self, a: Array) -> Array:
        """Return pictures of units, on a common scale."""
        scaled = _scaled(a.T)
        if self.is_line:
            return as_bytes((scaled[:, ::4] + 1) / 2)[:, np.newaxis]
        step = max(1, self.side // (SMALL + SMALL // 3))
        return as_bytes((self._square(scaled)[:, ::step, ::step] + 1) / 2)

    def _weights(self, net: MLP) -> Array:
        """Return the weights of the first layer's units as images, on a common scale."""
        side = self.samples.side
        W, _ = net.weights[0]
        return as_bytes((_scaled(W[:SHOWN]) + 1) / 2).reshape(-1, side, side)

    def _square(self, values: Array) -> Array:
        return values.reshape(-1, self.side, self.side)

    def _states(self, net: MLP) -> Iterator[tuple[str, Array]]:
        """Yield, for each hidden layer, which of its units are dead or saturated."""
        layers: list[HiddenLayer] = hidden_layers(net, self.observed)
        for k, (spec, layer) in enumerate(zip(net.architecture.hidden_layers, layers, strict=True)):
            found = slopes_of(spec.activation, layer.z[:, :SHOWN], layer.a[:, :SHOWN])
            state = np.zeros(min(SHOWN, layer.z.shape[1]), dtype=np.uint8)
            if found is not None:
                slope, is_two_sided = found
                which = are_saturated(slope) if is_two_sided else are_dead(slope)
                state[which] = SATURATED if is_two_sided else DEAD
            yield f"state {k + 1}", state


def observed(samples: Samples) -> Array:
    """Return the indices of some training samples, evenly spaced."""
    rows = samples.rows
    return rows[:: -(-len(rows) // N_OBSERVED)]


def _scaled(values: Array) -> Array:
    """Return values divided by the largest absolute value."""
    largest = float(np.abs(values).max())
    return values / (largest if 0 < largest < np.inf else 1.0)


def as_bytes(shares: Array) -> Array:
    """Return numbers between 0 and 1 as bytes."""
    return np.rint(255 * np.clip(np.nan_to_num(shares), 0, 1)).astype(np.uint8)
