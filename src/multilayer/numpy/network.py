"""MLP: the network of an Architecture, built from this engine's layers."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.numpy.activations import OUTPUTS
from multilayer.numpy.assembly import assemble, opened
from multilayer.numpy.initializers import INITIALIZERS, Initializer
from multilayer.numpy.layers import Affine, Layer
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.trainer import Trainer
from multilayer.registry import resolve

if TYPE_CHECKING:
    from multilayer.numpy.lbfgs import LBFGS
    from multilayer.numpy.optimizers import Optimizer

__all__ = ["MLP"]

Array = npt.NDArray[Any]
Pair = tuple[Array, Array | None]

DTYPES = ("float32", "float64")


class MLP:
    """A multilayer perceptron whose parameters lie in one vector.

    Parameters
    ----------
    architecture : Architecture
        What to build.
    dtype : {"float32", "float64"}
        The type of parameters, and of all arithmetic.
    initializer : str or Initializer
        How the weights are drawn: see ``INITIALIZERS``.
    rng : numpy.random.Generator, optional
        Draws the weights; None takes a fresh one, seeded by the system.

    Raises
    ------
    UnknownNameError, InvalidTypeError
        If an argument is not one of those above.

    Examples
    --------
    >>> architecture = Architecture(in_features=2, hidden_features=(3,), out_features=1)
    >>> net = MLP(architecture, rng=np.random.default_rng(0))
    >>> net
    MLP(2-3-1, relu → identity, 13 parameters, float32)
    >>> net([[0.5, -1.0]]).shape
    (1, 1)
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        dtype: str | type[np.floating[Any]] | np.dtype[Any] = "float32",
        initializer: str | Initializer = "kaiming_uniform",
        rng: np.random.Generator | None = None,
    ) -> None:
        if not isinstance(architecture, Architecture):
            msg = f"architecture of MLP must be an Architecture; got {architecture!r}"
            raise InvalidTypeError(msg)
        self.architecture = architecture
        self.dtype = _dtype(dtype)
        draw = resolve(initializer, INITIALIZERS, Initializer)
        rng = checks.random_generator(rng, "MLP")

        self._parameters = np.zeros(architecture.n_parameters, dtype=self.dtype)
        self._hidden, self._last = assemble(architecture, self._parameters)
        self._output = OUTPUTS[architecture.output]
        for layer in self.layers:
            if isinstance(layer, Affine):
                n_out, n_in = layer.W.shape
                layer.W[:] = draw.weights(n_out, n_in, rng)
                if layer.b is not None:
                    layer.b[:] = draw.biases(n_out, n_in, rng)

    def __repr__(self) -> str:
        a = self.architecture
        widths = "-".join(map(str, (a.in_features, *a.hidden_features, a.out_features)))
        names = dict.fromkeys(layer.activation for layer in a.hidden_layers)
        flow = " → ".join([*names, a.output])
        return f"MLP({widths}, {flow}, {self.n_parameters:,} parameters, {self.dtype})"

    # The parameters ------------------------------------------------------------------------

    @property
    def parameters(self) -> Array:
        """The vector of all parameters, in forward order; writing to it changes the network."""
        return self._parameters

    @property
    def n_parameters(self) -> int:
        """How many parameters there are."""
        return self._parameters.size

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in forward order, residual blocks opened."""
        return (*opened(self._hidden), self._last)

    @property
    def weights(self) -> list[Pair]:
        """A pair of views of each layer's parameters, in forward order.

        (W, b) of an affine layer, with W of shape (out_features, in_features), and b None where
        there is no bias; (γ, β) of a normalisation.
        """
        return self._pairs(self._parameters)

    def set_weights(self, weights: object) -> None:
        """Copy pairs of arrays, shaped as in `weights`, into the network.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If number, shapes or values do not fit. Nothing is changed then.
        """
        own = self.weights
        given = list(weights) if isinstance(weights, (list, tuple)) else None
        if given is None or len(given) != len(own):
            count = "" if given is None else f" of length {len(given)}"
            msg = (
                f"weights must be a list of {len(own)} pairs (W, b); got "
                f"{type(weights).__name__}{count}"
            )
            raise InvalidDataError(msg)
        checked: list[tuple[Array, Array]] = []
        for i, (pair, new) in enumerate(zip(own, given, strict=True)):
            if not isinstance(new, (list, tuple)) or len(new) != 2:
                msg = f"weights[{i}] must be a pair (W, b); got {type(new).__name__}"
                raise InvalidDataError(msg)
            for j, (array, value) in enumerate(zip(pair, new, strict=True)):
                if array is None:
                    if value is not None:
                        msg = f"weights[{i}][{j}] must be None, the layer has no bias"
                        raise InvalidDataError(msg)
                    continue
                source = checks.finite_array(value, f"weights[{i}][{j}]", self.dtype)
                if source.shape != array.shape:
                    msg = f"weights[{i}][{j}] must have shape {array.shape}; got {source.shape}"
                    raise InvalidDataError(msg)
                checked.append((array, source.copy()))  # a view of our own may come in
        for array, source in checked:
            array[:] = source

    @property
    def state(self) -> dict[str, Array]:
        """What training keeps besides parameters: running statistics of batch normalisation."""
        return self._hidden.state

    def set_state(self, state: dict[str, object]) -> None:
        """Copy running statistics, named as in `state`, into the network; all or nothing."""
        own = self.state
        if set(state) != set(own):
            msg = f"state must have the entries {sorted(own)}; got {sorted(state)}"
            raise InvalidDataError(msg)
        checked = {}
        for name, array in own.items():
            checked[name] = checks.finite_array(state[name], f"state[{name!r}]", self.dtype).copy()
            if checked[name].shape != array.shape:
                msg = f"state[{name!r}] must have shape {array.shape}; got {checked[name].shape}"
                raise InvalidDataError(msg)
        for name, array in own.items():
            array[:] = checked[name]

    def copy(self, dtype: str | type[np.floating[Any]] | np.dtype[Any] | None = None) -> Self:
        """Return a network of its own memory with the same numbers, in another dtype if given."""
        twin = type(self)(self.architecture, dtype=dtype or self.dtype, initializer="zeros")
        twin.parameters[:] = self.parameters
        for name, array in twin.state.items():
            array[:] = self.state[name]
        return twin

    def flatten(self, pairs: list[Pair]) -> Array:
        """Return pairs of arrays, such as gradients, as one vector in the order of `parameters`.

        It is what an optimizer's `update` takes.
        """
        arrays = [array.ravel() for pair in pairs for array in pair if array is not None]
        return np.concatenate(arrays)

    def _pairs(self, vector: Array) -> list[Pair]:
        """View a vector of n_parameters numbers as the layers' pairs."""
        pairs: list[Pair] = []
        start = 0
        for layer in self.layers:
            views = []
            for array in layer.parameters:
                views.append(vector[start : start + array.size].reshape(array.shape))
                start += array.size
            if views:
                pairs.append((views[0], views[1] if len(views) == 2 else None))
        return pairs

    # What it computes ----------------------------------------------------------------------

    def __call__(self, X: object) -> Array:
        """Return the outputs, of shape (n_samples, out_features): the link function's values.

        Parameters
        ----------
        X : array of shape (n_samples, in_features)
            Finite numbers. Further axes, as of images, are flattened.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If X has another shape, no samples, or entries that are no finite numbers.
        """
        return self._output.forward(self.logits(X))

    def logits(self, X: object) -> Array:
        """Return the last layer's values before the link function."""
        return self._last.forward(self.features(X))[0]

    def features(self, X: object) -> Array:
        """Return ψ(x), the last hidden layer's output: the features that the network has learned.

        Without hidden layers it is X itself.
        """
        x = checks.sample_matrix(X, self.architecture.in_features, self.dtype)
        return self._hidden.forward(x)[0]

    # What it learns from -------------------------------------------------------------------

    def loss_and_gradients(
        self,
        X: object,
        y: object,
        *,
        loss: str | Loss,
        l1: float = 0.0,
        l2: float = 0.0,
        sample_weight: object = None,
        training: bool = True,
        rng: np.random.Generator | None = None,
    ) -> tuple[float, list[Pair]]:
        r"""Return the loss, penalty included, and its gradient in each parameter.

        .. math:: J = L(f(X), y) + \frac{λ_2}{2} \sum ‖W‖^2 + λ_1 \sum |W|,

        where the sums run over the weights of affine layers, not over biases and normalisations.

        Parameters
        ----------
        X : array of shape (n_samples, in_features)
        y : array of shape (n_samples,) or (n_samples, out_features)
            Labels, probabilities or values, as the loss takes them.
        loss : str or Loss
            See ``LOSSES``.
        l1, l2 : float
            λ₁, λ₂ ≥ 0.
        sample_weight : array of shape (n_samples,), optional
            Non-negative weights; the loss is the weighted mean.
        training : bool
            Whether dropout drops and batch normalisation takes the batch's statistics.
        rng : numpy.random.Generator, optional
            Draws the dropout masks; needed if there is dropout and `training`.

        Returns
        -------
        value : float
        gradients : list of (dW, db)
            Arrays shaped as in `weights`: views of one vector.

        Raises
        ------
        InvalidDataError, InvalidArgumentError, InvalidTypeError
            If an argument cannot be used. The network is never changed.
        """
        if training and rng is None and any(h.dropout for h in self.architecture.hidden_layers):
            msg = (
                "rng of loss_and_gradients must be a numpy.random.Generator for a network with "
                "dropout, or training False; got None"
            )
            raise InvalidArgumentError(msg)
        if rng is not None:
            rng = checks.random_generator(rng, "loss_and_gradients")
        chosen = resolve(loss, LOSSES, Loss)
        l1, l2 = (
            checks.real(value, name, "loss_and_gradients", "[0, inf)")
            for name, value in (("l1", l1), ("l2", l2))
        )
        batch = self._check_samples(X, y, sample_weight, chosen)
        value, gradient, _ = self._backpropagate(
            *batch, loss=chosen, l1=l1, l2=l2, training=training, rng=rng
        )
        return value, self._pairs(gradient)

    def trainer(
        self,
        *,
        loss: str | Loss,
        optimizer: "str | Optimizer | LBFGS",
        l1: float = 0.0,
        l2: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        rng: np.random.Generator | None = None,
    ) -> Trainer:
        """Return what `multilayer.training.fit` trains this network with: see `Trainer`."""
        return Trainer(
            self,
            loss=loss,
            optimizer=optimizer,
            l1=l1,
            l2=l2,
            clip_norm=clip_norm,
            clip_value=clip_value,
            rng=rng,
        )

    def _check_samples(
        self, X: object, y: object, sample_weight: object, loss: Loss
    ) -> tuple[Array, Array, Array | None]:
        """Return samples, targets and weights as arrays that `_backpropagate` takes."""
        loss.check_architecture(self.architecture)
        x = checks.sample_matrix(X, self.architecture.in_features, self.dtype)
        targets = loss.targets(y, len(x), self.architecture.out_features, self.dtype)
        return x, targets, checks.sample_weights(sample_weight, len(x), self.dtype)

    def _predict(self, x: Array, loss: Loss) -> Array:
        """Return what `loss` takes of checked samples: logits or outputs."""
        z = self._last.forward(self._hidden.forward(x)[0])[0]
        return z if loss.takes_logits else self._output.forward(z)

    def _backpropagate(
        self,
        x: Array,
        targets: Array,
        weight: Array | None,
        *,
        loss: Loss,
        l1: float,
        l2: float,
        training: bool,
        rng: np.random.Generator | None,
    ) -> tuple[float, Array, list[Any]]:
        """Return the loss, its gradient as one vector, and the hidden layers' caches.

        Forward through hidden layers, last layer and link function; then the chain rule back
        through the same, from the loss on.
        """
        features, caches = self._hidden.forward(x, training=training, rng=rng)
        z, last_cache = self._last.forward(features)
        if loss.takes_logits:
            value, dz = loss.value_and_gradient(z, targets, weight)
        else:
            a = self._output.forward(z)
            value, da = loss.value_and_gradient(a, targets, weight)
            dz = self._output.backward(da, z, a)

        has_hidden = bool(self._hidden.layers)
        d_features, of_last = self._last.backward(dz, last_cache, need_dx=has_hidden)
        of_hidden: tuple[Array, ...] = ()
        if d_features is not None:
            _, of_hidden = self._hidden.backward(d_features, caches, need_dx=False)

        gradient = np.concatenate([array.ravel() for array in (*of_hidden, *of_last)])
        if l1 or l2:
            value += self._add_penalty(gradient, l1, l2)
        return value, gradient, caches

    def _add_penalty(self, gradient: Array, l1: float, l2: float) -> float:
        """Return λ₂/2 Σ W² + λ₁ Σ |W| and add its gradient, λ₂ W + λ₁ sign(W), to `gradient`."""
        penalty = 0.0
        parameters = [pair[0] for pair in self.weights]
        gradients = [pair[0] for pair in self._pairs(gradient)]
        for W, dW in zip(parameters, gradients, strict=True):
            if W.ndim < 2:  # γ of a normalisation
                continue
            if l2:
                penalty += 0.5 * l2 * float(np.vdot(W, W))
                dW += l2 * W
            if l1:
                penalty += l1 * float(np.abs(W).sum())
                dW += l1 * np.sign(W)
        return penalty


def _dtype(dtype: object) -> np.dtype[Any]:
    """Return the numpy dtype, if it is one that networks are made in."""
    try:
        found = np.dtype(dtype)  # type: ignore[call-overload]
    except TypeError:
        found = None
    if found is None or found.name not in DTYPES:
        msg = f"dtype of MLP must be one of {', '.join(DTYPES)}; got {dtype!r}"
        raise InvalidArgumentError(msg)
    return found
