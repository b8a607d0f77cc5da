r"""Ladder: an `MLP` that is trained beside a decoder, which removes noise (Rasmus et al. 2015)."""

import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.groups import join, part_of
from multilayer.numpy.blocks import RandomLayer
from multilayer.numpy.decoder import Decoder, ladder_value_and_gradients
from multilayer.numpy.fast.source import Source
from multilayer.numpy.fast.updates import update_of
from multilayer.numpy.layers import Affine, Stack
from multilayer.numpy.mlp import MLP
from multilayer.numpy.network import Network
from multilayer.numpy.normalization import BatchNorm
from multilayer.numpy.objective import Batch, Objective
from multilayer.numpy.optimizers.base import Optimizer, State
from multilayer.numpy.trainer import Trainer, set_optimizer_state
from multilayer.samples import Data

__all__ = ["Ladder"]

Array = npt.NDArray[Any]


class Ladder:
    r"""An MLP whose training also removes noise, with a decoder that only training uses.

    .. math:: \tilde J = J + \sum_l \frac{c_l}{n_l} \sum_i s_i\, ‖\hat z_{l,i} - z_{l,i}‖^2

    J is the loss of the network with the noise of its `Architecture`. z₀ = x are its n₀ inputs, and
    z_l the n_l values of layer l before its activation, all without noise; ẑ_l is the decoder's
    estimate of them from the noisy values, and s_i are the samples' shares of the mean. The
    estimates need no targets: they teach the layers what the inputs have in common.

    Train it with `multilayer.training.fit`, whose training loss is then J̃. At the end, `mlp`, an
    ordinary network, has the trained weights; until then a callback finds the network in training
    as ``run.net``. Each call of `fit` begins with a new decoder.

    In training, the logits are normalised over the batch like hidden values, with the noise of the
    last hidden layer, and then multiplied by scales that are trained, one for each; at the end, the
    last layer absorbs all this. Scales γ stay as they are, since large ones would make the noise
    negligible. Running statistics are those of the pass without noise. Weight decay acts on the
    scales of the logits too, and so makes probabilities less extreme.

    The paper's network differs in details: it adds noise before β, and starts the decoder from the
    probabilities.

    Parameters
    ----------
    mlp : MLP
        A network with batch normalisation, biases, and noise at least on its inputs.
    weights : sequence of float
        c₀ > 0 of the inputs, c₁ ≥ 0 of the first hidden layer, and so on up to the logits; the last
        one given is also that of all layers above. The defaults are about the paper's for MNIST,
        if inputs have variance 1; c₀ is inversely proportional to it.
    rng : numpy.random.Generator, optional
        Draws the decoder's first weights, for each call of `fit`.

    Attributes
    ----------
    mlp, architecture, dtype
        The network, with its architecture and data type.
    weights : tuple of float
        One for the inputs, and one for each layer.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If the network is not as described, or has residual blocks, embeddings or no biases.

    References
    ----------
    Rasmus et al. 2015, "Semi-Supervised Learning with Ladder Networks", algorithm 1 and table 1.

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import Adam
    >>> from multilayer.training import fit
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 20))  # 20 inputs in a plane
    >>> y = (X[:, 0] > 0).astype(int)
    >>> net = MLP(Architecture(20, (32, 16), 2, normalization="batch", noise=0.3), rng=rng)
    >>> ladder = Ladder(net, weights=(10, 0.1), rng=rng)
    >>> history = fit(ladder, (X, y), loss="cross_entropy", optimizer=Adam(0.01), rng=rng)
    >>> bool((net(X).argmax(axis=1) == y).mean() > 0.9)
    True
    """

    options: tuple[str, ...] = ()
    """`fit` has no parameters that are only for it."""

    def __init__(
        self,
        mlp: MLP,
        weights: Iterable[float] = (100.0, 1.0, 0.01),
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        if not isinstance(mlp, MLP):
            rule = "must be a multilayer.numpy.MLP"
            raise InvalidTypeError(rule, "mlp", "Ladder", got=repr(mlp))
        self.mlp, self.architecture, self.dtype = mlp, mlp.architecture, mlp.dtype
        _check(mlp.architecture)
        self.weights = _weights(weights, 2 + len(mlp.architecture.hidden_features))
        self._rng = checks.random_generator(rng, "Ladder")

    def trainer(self, **settings: Any) -> Trainer:
        """Return the `Trainer` with which `multilayer.training.fit` trains this network."""
        net = _with_normalized_logits(self.mlp)
        decoder = Decoder(net.architecture, self.weights, self._rng, self.dtype)
        return _LadderTrainer(self.mlp, net, decoder, **settings)


class _LadderTrainer(Trainer):
    """Trains a network that normalises its logits, and a decoder; `finish` writes to `mlp`."""

    def __init__(self, mlp: MLP, net: MLP, decoder: Decoder, **settings: Any) -> None:
        super().__init__(net, **settings)
        refused = {
            "l1": self.objective.l1,
            "l2": self.objective.l2,
            "clip_norm": self.clip.norm,
            "clip_value": self.clip.value,
            "max_norm": self.max_norm,
            "adversary": self.adversary,
        }
        for name, given in refused.items():
            if given:
                rule = "cannot be combined with a ladder"
                raise InvalidArgumentError(rule, name, "fit", got=repr(given))
        if self.loss.task == "regression":
            rule = "must be a loss for classes or labels: real values cannot have normalised logits"
            raise InvalidArgumentError(rule, "loss", "fit", got=repr(self.loss))
        self._mlp, self._decoder = mlp, decoder
        self._decoder_state = self.optimizer.initial_state(decoder.parameters)

    def description(self) -> dict[str, Any]:
        own = {"ladder": list(self._decoder.weights)}
        return super().description() | asdict(self._mlp.architecture) | own

    def begin(self, data: Data, batch_size: int | None = None) -> None:
        self._step = _LadderStep(
            self.net.network,
            self.objective,
            self._decoder,
            self.optimizer,
            (self.optimizer_state, self._decoder_state),
            self.rng,
            data,
        )

    def state(self) -> dict[str, Array]:
        own = {name: np.array(v) for name, v in self._decoder_state.items()}
        own["parameters"] = self._decoder.parameters.copy()
        return super().state() | join({"decoder": own})

    def set_state(self, state: dict[str, Array]) -> None:
        super().set_state(state)
        if own := part_of(state, "decoder"):
            self._decoder.parameters[:] = own.pop("parameters")
            set_optimizer_state(self._decoder_state, own)
        _absorb(self.net.network, self._mlp.network)  # the best weights come after `finish`

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            _absorb(self.net.network, self._mlp.network)


class _LadderStep:
    """Takes steps on a network and its decoder: see `Step`."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        decoder: Decoder,
        optimizer: Optimizer,
        states: tuple[State, State],
        rng: np.random.Generator,
        data: Data,
    ) -> None:
        _keep_memory()
        self.network, self.objective, self.decoder, self.rng = network, objective, decoder, rng
        layers = [part for part in network.hidden.parts() if not isinstance(part, RandomLayer)]
        self.quiet = Network(Stack(layers), network.last, network.link, network.parameters)
        self.source = Source(*data)
        self._n_inputs = data.X.shape[1]
        scales = [layer.gamma for layer in network.layers if isinstance(layer, BatchNorm)]
        W, b = network.last.parameters
        off_diagonal = ~np.eye(len(W), dtype=bool)
        fixed: list[tuple[Array, Any]] = [(gamma, ...) for gamma in scales]
        fixed += [(W, off_diagonal), (b, ...)]
        self._fixed = [(array, where, array[where].copy()) for array, where in fixed]
        vectors = network.parameters, decoder.parameters
        self._states = states
        self._updates = [
            update_of(optimizer, vector, state)[0]
            for vector, state in zip(vectors, states, strict=True)
        ]

    def begin_epoch(self, order: Array | None) -> None:
        self.source.begin_epoch(order)

    def take(self, start: int, stop: int, learning_rate: float) -> float:
        n, dtype = stop - start, self.network.parameters.dtype
        shares = np.full((1, n), 1 / n, dtype)
        if self.source.take_shares(start, stop, shares) is not None:
            return 0.0  # all weights are 0
        x = self.source.samples(start, stop, np.empty((n, self._n_inputs), dtype))
        batch = Batch(x, self.source.targets_of(start, stop)[0], shares[0])
        value, *gradients, clean = ladder_value_and_gradients(
            self.objective, self.network, self.quiet, self.decoder, batch, self.rng
        )
        if math.isfinite(value):
            for update, state, gradient in zip(self._updates, self._states, gradients, strict=True):
                state["step"] += 1
                update(gradient.reshape(1, 1, -1), 1, 0, gradient.size, learning_rate)
            for array, where, values in self._fixed:  # what is not trained
                array[where] = values
            self.quiet.update_state(clean)
        return value

    def finish(self) -> None:
        """There are no threads to end."""


def _keep_memory() -> None:
    """Let the C library keep the memory of a step's arrays for the next step.

    glibc gives free memory back to the system beyond twice the size of the largest array that was
    freed before, up to 32 MiB. Steps of large networks would spend a quarter of their time on it.
    """
    np.empty(2**25 - 2**13, np.uint8)  # freed at once


def _check(architecture: Architecture) -> None:
    """Raise if a network with this architecture cannot be trained as a ladder."""
    rules = {
        "embeddings": ("be None", architecture.embeddings is None),
        "noise": ("be above 0 on the inputs", architecture.input_noise > 0),
        "normalization": ("be 'batch'", architecture.normalization == "batch"),
        "bias": ("be True", architecture.bias),
        "residual": ("be False", not architecture.residual),
    }
    for name, (rule, is_kept) in rules.items():
        if not is_kept:
            got = repr(getattr(architecture, name))
            raise InvalidArgumentError(f"must {rule} for a ladder", name, "Architecture", got=got)


def _with_normalized_logits(mlp: MLP) -> MLP:
    """Return a network with the same layers, of which the last is a hidden one, as a copy.

    It is normalised and noisy like the others, and the layer behind it has their scales on its
    diagonal, at first 1.
    """
    a = mlp.architecture
    layers = a.hidden_layers
    noise = (a.input_noise, *(layer.noise for layer in layers))
    net = MLP(
        replace(
            a,
            hidden_features=(*a.hidden_features, a.out_features),
            activation=(*(layer.activation for layer in layers), "identity"),
            dropout=(*(layer.dropout for layer in layers), 0.0),
            noise=(*noise, noise[-1]),
        ),
        dtype=mlp.dtype,
        initializer="zeros",
    )
    source, network = mlp.network, net.network
    _copy_hidden(source, network)
    affine, norm = _top(network)
    assert network.last.b is not None
    affine.W[:], norm.beta[:] = source.last.W, source.last.b
    norm.running_variance[:] = 1 - norm.epsilon  # before the first step, nothing is to be absorbed
    network.last.W[:], network.last.b[:] = np.eye(a.out_features), 0
    return net


def _absorb(network: Network, into: Network) -> None:
    """Copy the network that `_with_normalized_logits` made, but without its additional layer.

    c ((W h − μ)/s + β) is an affine layer with the weights c W/s and the biases c (β − μ/s).
    """
    affine, norm = _top(network)
    _copy_hidden(network, into)
    c, s = network.last.W.diagonal(), np.sqrt(norm.running_variance + norm.epsilon)
    assert into.last.b is not None
    into.last.W[:] = affine.W * (c / s)[:, np.newaxis]
    into.last.b[:] = c * (norm.beta - norm.running_mean / s)


def _copy_hidden(source: Network, into: Network) -> None:
    """Copy the hidden layers that both networks have: one has another one behind them."""
    for own, array in zip(source.hidden.parameters, into.hidden.parameters, strict=False):
        array[:] = own
    for name in source.state.keys() & into.state.keys():
        into.state[name][:] = source.state[name]


def _top(network: Network) -> tuple[Affine, BatchNorm]:
    """Return the affine layer and the normalisation of the logits."""
    affine, norm, *_ = network.hidden.layers[-1].parts()
    assert isinstance(affine, Affine)
    assert isinstance(norm, BatchNorm)
    return affine, norm


def _weights(weights: object, n: int) -> tuple[float, ...]:
    """Return a weight for each of n layers; the last one that is given is that of all others."""
    rule = f"must be 1 to {n} numbers, for inputs, hidden layers and logits, the first above 0"
    if not isinstance(weights, Iterable) or isinstance(weights, str):
        raise InvalidTypeError(rule, "weights", "Ladder", got=repr(weights))
    found = [checks.real(c, "weights", "Ladder", "[0, inf)") for c in weights]
    if not 1 <= len(found) <= n or not found[0]:
        raise InvalidArgumentError(rule, "weights", "Ladder", got=repr(weights))
    return (*found, *[found[-1]] * (n - len(found)))
