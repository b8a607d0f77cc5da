"""MLP: the network of an Architecture as users see it, with every argument checked.

Its predictions are those of `Network.forward`, computed by a `Predictor`, which is faster for many
rows; the tests compare the two.
"""

from collections.abc import Mapping
from html import escape
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError, InvalidDataError, InvalidTypeError
from multilayer.numpy.assembly import assemble, checked_dtype
from multilayer.numpy.blocks import RandomLayer
from multilayer.numpy.embedding import Embedding
from multilayer.numpy.fast.prediction import Predictor
from multilayer.numpy.initializers import INITIALIZERS, Initializer, Zeros
from multilayer.numpy.layers import Affine, Layer
from multilayer.numpy.losses import LOSSES, Loss
from multilayer.numpy.network import Network, Pair
from multilayer.numpy.objective import Batch, Objective
from multilayer.numpy.sensitivity import input_gradients, jacobian
from multilayer.numpy.trainer import Trainer, checked_samples
from multilayer.numpy.weights import check_pairs, check_state
from multilayer.registry import resolve
from multilayer.samples import LazySamples

__all__ = ["MLP"]

Array = npt.NDArray[Any]


class MLP:
    """A multilayer perceptron whose parameters are in one vector.

    Parameters
    ----------
    architecture : Architecture
        What to build.
    dtype : {"float32", "float64"}
        The type of the parameters and of all arithmetic.
    initializer : str or Initializer
        How the weights are drawn: see ``INITIALIZERS``.
    rng : numpy.random.Generator, optional
        Draws the weights; by default, a generator seeded by the operating system.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If an argument cannot be used, or there is not enough memory for the network.

    Examples
    --------
    >>> architecture = Architecture(in_features=2, hidden_features=(3,), out_features=1)
    >>> net = MLP(architecture, rng=np.random.default_rng(0))
    >>> net
    MLP(2-3-1, relu → identity, 13 parameters, float32)
    >>> net([[0.5, -1.0]]).shape
    (1, 1)
    """

    options = ()
    """The additional parameters that `fit` takes for this engine: none."""

    def __init__(
        self,
        architecture: Architecture,
        *,
        dtype: str | type[np.floating[Any]] | np.dtype[Any] = "float32",
        initializer: str | Initializer = "kaiming_uniform",
        rng: np.random.Generator | None = None,
    ) -> None:
        if not isinstance(architecture, Architecture):
            rule = "must be an Architecture"
            raise InvalidTypeError(rule, "architecture", "MLP", got=repr(architecture))
        self.architecture = architecture
        self.dtype = checked_dtype(dtype, "MLP")
        draw = resolve(initializer, INITIALIZERS, Initializer)
        rng = checks.random_generator(rng, "MLP")

        try:
            self._assemble(np.zeros(architecture.n_parameters, dtype=self.dtype))
        except (MemoryError, ValueError) as error:
            raise InvalidArgumentError(
                f"not enough memory for a network of {architecture.n_parameters:,} parameters"
            ) from error
        for layer in self.layers:
            if isinstance(layer, Affine):
                n_out, n_in = layer.W.shape
                layer.W[:] = draw.weights(n_out, n_in, rng)
                if layer.b is not None:
                    layer.b[:] = draw.biases(n_out, n_in, rng)
            elif isinstance(layer, Embedding):
                if not isinstance(draw, Zeros):
                    layer.V[:] = layer.draw(rng)
            elif layer.parameters:  # a normalisation's scale γ
                layer.parameters[0][:] = 1

    def _assemble(self, parameters: Array) -> None:
        """Build the network over this vector."""
        self.network = assemble(self.architecture, parameters)
        self.predictor = Predictor(self.network)

    @classmethod
    def over(cls, architecture: Architecture, network: Network) -> Self:
        """Return an MLP of an existing network, which shares its memory."""
        net = cls.__new__(cls)
        net.architecture, net.network = architecture, network
        net.dtype = network.parameters.dtype
        net.predictor = Predictor(network)
        return net

    def __getstate__(self) -> dict[str, Any]:
        return {
            "architecture": self.architecture,
            "parameters": self.parameters.copy(),
            "state": {name: array.copy() for name, array in self.state.items()},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Copied one by one, the layers' arrays would no longer be views of one vector.
        self.architecture = state["architecture"]
        parameters = state["parameters"].copy()
        self.dtype = parameters.dtype
        self._assemble(np.empty_like(parameters))
        self.parameters[:] = parameters
        for name, array in self.state.items():
            array[:] = state["state"][name]

    def __repr__(self) -> str:
        a = self.architecture
        widths = "-".join(map(str, (a.in_features, *a.hidden_features, a.out_features)))
        names = dict.fromkeys(layer.activation for layer in a.hidden_layers)
        flow = " → ".join([*names, a.output])
        return f"MLP({widths}, {flow}, {self.n_parameters:,} parameters, {self.dtype})"

    def _repr_html_(self) -> str:
        """Return the layers as an HTML table, for notebooks."""
        return f"<code>{escape(repr(self))}</code>{self.architecture._repr_html_()}"

    # The parameters ------------------------------------------------------------------------

    @property
    def parameters(self) -> Array:
        """The vector of all parameters, in forward order; writing to it changes the network."""
        return self.network.parameters

    @property
    def n_parameters(self) -> int:
        """The number of parameters."""
        return self.network.parameters.size

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in forward order, including those inside residual blocks."""
        return tuple(self.network.layers)

    @property
    def weights(self) -> list[Pair]:
        """A pair of views for each layer with parameters, in forward order.

        (W, b) for an affine layer, with W of shape (out_features, in_features), and b None if there
        is no bias; (γ, β) for a normalisation; (V, None) for an embedding.
        """
        return self.network.pairs(self.parameters)

    def set_weights(self, weights: object) -> None:
        """Copy pairs of arrays, shaped as in `weights`, into the network.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If the number, the shapes or the values do not fit; nothing is changed then.
        """
        # Copy them first: they may be views of this network's own arrays.
        arrays = check_pairs(weights, self.weights, self.dtype)
        for array, source in [(array, source.copy()) for array, source in arrays]:
            array[:] = source

    @property
    def state(self) -> dict[str, Array]:
        """Batch normalisation's running statistics, which training updates with the parameters."""
        return self.network.state

    def set_state(self, state: Mapping[str, object]) -> None:
        """Copy running statistics, named as in `state`, into the network: all or none."""
        for array, source in check_state(state, self.state, self.dtype):
            array[:] = source

    def copy(self, dtype: str | type[np.floating[Any]] | np.dtype[Any] | None = None) -> Self:
        """Return a copy with its own memory, in another dtype if given."""
        twin = type(self)(self.architecture, dtype=dtype or self.dtype, initializer="zeros")
        twin.parameters[:] = self.parameters
        for name, array in twin.state.items():
            array[:] = self.state[name]
        return twin

    def flatten(self, pairs: list[Pair]) -> Array:
        """Return pairs of arrays, such as gradients, as one vector in the order of `parameters`.

        An optimizer's `update` takes such a vector.
        """
        if len(pairs) != (n := len(self.weights)):
            rule = f"must hold {n} pairs, like weights"
            raise InvalidDataError(rule, "pairs", "flatten", got=len(pairs))
        return np.concatenate(
            [array.ravel() for pair in pairs for array in pair if array is not None]
        )

    # What it computes ----------------------------------------------------------------------

    def __call__(self, X: object) -> Array:
        """Return the outputs, of shape (n_samples, out_features): the link function's values.

        Parameters
        ----------
        X : array of shape (n_samples, in_features) or LazySamples
            Finite numbers. Further axes, such as those of images, are flattened. Lazy samples are
            read as needed.

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If X has another shape, no samples, or entries that are not finite numbers.
        """
        return self.network.link.forward(self.logits(X))

    def logits(self, X: object) -> Array:
        """Return the last layer's values before the link function."""
        return self.predictor.logits(self._samples(X))

    def features(self, X: object) -> Array:
        """Return ψ(x), the last hidden layer's output: the features that the network has learned.

        Without hidden layers, it is equal to X.
        """
        x = self._samples(X)
        features = self.predictor.features(x)
        return features.copy() if features is x else features  # never the caller's own memory

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
        r"""Return the loss, penalty included, and its gradient with respect to each parameter.

        .. math:: J = L(f(X), y) + \frac{λ_2}{2} \sum ‖W‖^2 + λ_1 \sum |W|,

        where the sums run over the weights of affine layers and embeddings, not over biases and
        normalisations.

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
            Whether dropout and noise are on, and batch normalisation uses the batch's statistics.
        rng : numpy.random.Generator, optional
            Draws dropout masks and noise; required if there are any and `training` is true.

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
        is_random = any(isinstance(layer, RandomLayer) for layer in self.network.layers)
        if training and rng is None and is_random:
            rule = (
                "must be a numpy.random.Generator for a network with dropout or noise, unless "
                "training is False"
            )
            raise InvalidArgumentError(rule, "rng", "loss_and_gradients", got="None")
        if rng is not None:
            rng = checks.random_generator(rng, "loss_and_gradients")
        chosen = resolve(loss, LOSSES, Loss)
        training = checks.flag(training, "training", "loss_and_gradients")
        l1, l2 = (
            checks.real(value, name, "loss_and_gradients", "[0, inf)")
            for name, value in (("l1", l1), ("l2", l2))
        )
        batch = self.batch(X, y, sample_weight, chosen)
        objective = Objective(chosen, l1, l2)
        value, gradient, _ = objective.value_and_gradient(
            self.network, batch, training=training, rng=rng
        )
        return value, self.network.pairs(gradient)

    def input_gradients(self, X: object, y: object, *, loss: str | Loss) -> Array:
        r"""Return the gradient of each sample's loss with respect to its inputs, of X's shape.

        .. math:: g_i = \frac{∂ℓ(f(x_i), y_i)}{∂x_i}

        The network is in prediction mode: nothing is dropped, and batch normalisation uses its
        running statistics. There is no penalty, as it does not depend on the inputs.

        Parameters
        ----------
        X, y, loss
            As in `loss_and_gradients`.

        Raises
        ------
        InvalidDataError, InvalidArgumentError, InvalidTypeError
            If an argument cannot be used, or the network has embeddings.

        Examples
        --------
        >>> net = MLP(Architecture(2, (), 1))
        >>> net.parameters[:] = 2, -1, 0  # f(x) = 2 x₁ − x₂, so g = (f(x) − y) (2, −1)
        >>> net.input_gradients([[1.0, 1.0]], [0.0], loss="squared_error")
        array([[ 2., -1.]], dtype=float32)
        """
        chosen = resolve(loss, LOSSES, Loss)
        return input_gradients(self.network, self.batch(X, y, None, chosen), chosen)

    def jacobian(self, X: object, *, of_logits: bool = False) -> Array:
        r"""Return the derivative of each output with respect to each input.

        .. math:: J_{ikj} = \frac{∂f_k(x_i)}{∂x_{ij}}

        The network is in prediction mode, as in `input_gradients`. There is one backward pass for
        each output.

        Parameters
        ----------
        X : array of shape (n_samples, in_features)
        of_logits : bool
            Whether to differentiate the logits instead of the outputs.

        Returns
        -------
        array of shape (n_samples, out_features, in_features)

        Raises
        ------
        InvalidDataError, InvalidTypeError
            If X does not fit this network, or the network has embeddings.
        """
        x = np.ascontiguousarray(self._samples(X)[:], dtype=self.dtype)
        return jacobian(self.network, x, of_logits=checks.flag(of_logits, "of_logits", "jacobian"))

    def trainer(self, **settings: Any) -> Trainer:
        """Return the `Trainer` that `multilayer.training.fit` uses for this network."""
        return Trainer(self, **settings)

    def batch(self, X: object, y: object, sample_weight: object, loss: Loss) -> Batch:
        """Check samples, targets and weights, and return them as `take_step` takes them.

        Raises
        ------
        InvalidDataError, InvalidArgumentError, InvalidTypeError
            If they do not fit this network, or the loss does not fit its output.
        """
        x, targets, weight = checked_samples(self, X, y, sample_weight, loss)
        return Batch(np.ascontiguousarray(x[:], dtype=self.dtype), targets, weight)

    def _samples(self, X: object) -> Array | LazySamples:
        return checks.samples(X, self.architecture.in_features, self.dtype)
