"""Architecture: the description of a network, from which both engines build it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from html import escape
from typing import Any, NamedTuple, Self

from multilayer import checks
from multilayer.embeddings import Embeddings
from multilayer.errors import InvalidArgumentError, InvalidTypeError
from multilayer.json_text import read_json
from multilayer.registry import Names

__all__ = [
    "ACTIVATIONS",
    "NORMALIZATIONS",
    "OUTPUTS",
    "Architecture",
    "HiddenLayer",
]

ACTIVATIONS = Names(
    "activation",
    [
        "identity",
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "gelu",
        "gelu_tanh",
        "silu",
        "mish",
        "softplus",
        "softsign",
        "sigmoid",
        "tanh",
        "hard_tanh",
        "softmax",
        "log_softmax",
    ],
)
OUTPUTS = Names("output", ["identity", "sigmoid", "softmax", "log_softmax", "exp"])
NORMALIZATIONS = Names("normalization", ["batch", "layer"])


class HiddenLayer(NamedTuple):
    """One hidden layer: affine → normalisation → noise → activation → dropout."""

    in_features: int
    out_features: int
    bias: bool
    normalization: str | None
    activation: str
    dropout: float
    residual: bool
    """Whether the layer's input is added to its output."""
    embeddings: Embeddings | None = None
    """The embeddings before the affine map; `in_features` then counts their outputs."""
    noise: float = 0.0
    """The standard deviation of the noise that training adds to the activation's input."""

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases, including γ, β and the embeddings' vectors."""
        n = (self.in_features + self.bias) * self.out_features
        if self.normalization:
            n += 2 * self.out_features
        return n + (self.embeddings.n_vectors * self.embeddings.width if self.embeddings else 0)

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations in order: ``("affine", "batch norm", "relu", "dropout 0.2")``."""
        found = ["embeddings", "affine"] if self.embeddings else ["affine"]
        if self.normalization:
            found.append(f"{self.normalization} norm")
        if self.noise:
            found.append(f"noise {self.noise:g}")
        found.append(self.activation)
        if self.dropout:
            found.append(f"dropout {self.dropout:g}")
        if self.residual:
            found.append("+ input")
        return tuple(found)


@dataclass(frozen=True)
class Architecture:
    r"""The structure of a multilayer perceptron, without its weights.

    With widths :math:`n_0` (`in_features`), :math:`n_1, …, n_L` (`hidden_features`) and
    :math:`n_{L+1}` (`out_features`), the network computes

    .. math::
        a_0 = x, \qquad a_l = σ_l(W_l a_{l-1} + b_l), \qquad
        f(x) = g(W_{L+1} a_L + b_{L+1}),

    with an activation :math:`σ_l` in each hidden layer and the output's link function :math:`g`.
    Without hidden layers it is the linear model :math:`g(Wx + b)`, the perceptron.

    Parameters
    ----------
    in_features : int
        The number of features of a sample.
    hidden_features : sequence of int
        The width of each hidden layer; empty for none.
    out_features : int
        The number of outputs: classes, or target values.
    activation : str or sequence of str
        One name, or one for each hidden layer: see ``ACTIVATIONS``. A sequence of equal values,
        also of `dropout` or `noise`, is stored as that value, so equal networks compare equal.
    output : str
        The link function, applied to the last layer's logits: see ``OUTPUTS``.
    dropout : float or sequence of float
        The probability of dropping a hidden unit in training, in [0, 1): one for all hidden layers,
        or one for each.
    normalization : {"batch", "layer"} or None
        The normalisation between each hidden layer's affine map and its activation.
    bias : bool
        Whether affine maps have a bias. An affine map before batch normalisation never has one,
        since the normalisation would subtract it again.
    residual : bool
        Whether each hidden layer that is as wide as its input adds its input to its output. A layer
        that follows embeddings never does.
    embeddings : Embeddings, optional
        The inputs that become learned vectors.
    noise : float or sequence of float
        The standard deviation of the Gaussian noise that training adds to the inputs, and to the
        input of each hidden layer's activation: one value for all of them, or one for the inputs
        followed by one for each hidden layer, such as ``(0.3, 0, 0)`` for the inputs alone. With
        embeddings, the noise on the inputs must be 0. See `multilayer.numpy.GaussianNoise`.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If a value is not allowed, or if `dropout`, `normalization`, `residual` or `embeddings` is
        given without hidden layers.

    Examples
    --------
    >>> architecture = Architecture(in_features=784, hidden_features=(32, 64, 128, 64),
    ...                             out_features=10, activation="tanh")
    >>> architecture.n_parameters
    44458
    >>> Architecture.from_json(architecture.to_json()) == architecture
    True
    """

    in_features: int
    hidden_features: tuple[int, ...]
    out_features: int
    activation: str | tuple[str, ...] = "relu"
    output: str = "identity"
    dropout: float | tuple[float, ...] = 0.0
    normalization: str | None = None
    bias: bool = True
    residual: bool = False
    embeddings: Embeddings | None = None
    noise: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        owner = "Architecture"
        widths = checks.sequence(self.hidden_features, "hidden_features", owner)
        checked: dict[str, Any] = {
            "in_features": checks.integer(self.in_features, "in_features", owner),
            "hidden_features": tuple(
                checks.integer(width, f"hidden_features[{i}]", owner)
                for i, width in enumerate(widths)
            ),
            "out_features": checks.integer(self.out_features, "out_features", owner),
            "output": OUTPUTS.check(self.output, owner),
            "bias": checks.flag(self.bias, "bias", owner),
            "residual": checks.flag(self.residual, "residual", owner),
            "dropout": _one_or_several(self.dropout, "dropout", "[0, 1)"),
            "noise": _one_or_several(self.noise, "noise", "[0, inf)"),
        }
        if isinstance(self.activation, str):
            checked["activation"] = ACTIVATIONS.check(self.activation, owner)
        elif isinstance(self.activation, Iterable):
            names = checks.sequence(self.activation, "activation", owner)
            checked["activation"] = tuple(ACTIVATIONS.check(name, owner) for name in names)
        else:
            rule = f"must be one of {', '.join(ACTIVATIONS)}, or a sequence of them"
            raise InvalidTypeError(rule, "activation", "Architecture", got=repr(self.activation))
        if self.normalization is not None:
            checked["normalization"] = NORMALIZATIONS.check(self.normalization, owner)
        if self.embeddings is not None and not isinstance(self.embeddings, Embeddings):
            rule = "must be Embeddings or None"
            raise InvalidTypeError(rule, "embeddings", owner, got=repr(self.embeddings))
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        self._check_agreement()

    def _check_agreement(self) -> None:
        """Raise if two settings contradict each other, or one would have no effect."""
        n_hidden = len(self.hidden_features)
        for name, first in (("activation", ""), ("dropout", ""), ("noise", "the inputs and ")):
            values = getattr(self, name)
            if isinstance(values, tuple) and len(values) != n_hidden + bool(first):
                rule = f"must be one value, or one for {first}each of the {n_hidden} hidden layers"
                raise InvalidArgumentError(rule, name, "Architecture", got=len(values))
            if isinstance(values, tuple) and len(set(values)) == 1:
                object.__setattr__(self, name, values[0])
        if not n_hidden:
            for name, neutral in (("dropout", 0.0), ("normalization", None), ("embeddings", None)):
                if getattr(self, name) not in (neutral, ()):
                    raise InvalidArgumentError(
                        "cannot be set without hidden layers",
                        name,
                        "Architecture",
                        got=repr(getattr(self, name)),
                    )
        if self.embeddings is not None:
            self.embeddings.check_places(self.in_features)
            if self.input_noise:
                rule = "must be a sequence that begins with 0: embedded inputs take no noise"
                raise InvalidArgumentError(rule, "noise", "Architecture", got=self.noise)
        if self.residual and not any(layer.residual for layer in self.hidden_layers):
            other = ", other than the first, which follows embeddings" if self.embeddings else ""
            raise InvalidArgumentError(
                f"needs a hidden layer that is as wide as its input{other}",
                "residual",
                "Architecture",
                got=f"widths {(self.in_features, *self.hidden_features)}",
            )

    @property
    def input_noise(self) -> float:
        """The standard deviation of the noise that training adds to the inputs."""
        return self.noise[0] if isinstance(self.noise, tuple) else self.noise

    @property
    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """The hidden layers in order, each with its own settings."""
        n_hidden = len(self.hidden_features)
        activations = self.activation
        if isinstance(activations, str):
            activations = (activations,) * n_hidden
        rates = self.dropout if isinstance(self.dropout, tuple) else (self.dropout,) * n_hidden
        noises = self.noise[1:] if isinstance(self.noise, tuple) else (self.noise,) * n_hidden
        first = self.in_features
        if self.embeddings is not None:
            first = self.embeddings.out_features(first)
        all_embeddings = (self.embeddings, *(None,) * n_hidden)
        return tuple(
            HiddenLayer(
                in_features=n_in,
                out_features=n_out,
                bias=self.bias and self.normalization != "batch",
                normalization=self.normalization,
                activation=activation,
                dropout=rate,
                residual=self.residual and n_in == n_out and embeddings is None,
                embeddings=embeddings,
                noise=noise,
            )
            for n_in, n_out, activation, rate, embeddings, noise in zip(
                (first, *self.hidden_features),
                self.hidden_features,
                activations,
                rates,
                all_embeddings,
                noises,
                strict=False,
            )
        )

    @property
    def operations(self) -> tuple[tuple[str, ...], ...]:
        """The operations of each layer, in order: the hidden layers, then the output layer.

        Noise on the inputs is the first operation of the first layer.
        """
        found = [*(layer.operations for layer in self.hidden_layers), ("affine", self.output)]
        if self.input_noise:
            found[0] = (f"noise {self.input_noise:g}", *found[0])
        return tuple(found)

    @property
    def n_parameters(self) -> int:
        """The number of parameters, counted without building the network."""
        last_in = (self.in_features, *self.hidden_features)[-1]
        last = (last_in + self.bias) * self.out_features
        return sum(layer.n_parameters for layer in self.hidden_layers) + last

    def _repr_html_(self) -> str:
        """Let notebooks show the layers as a table."""
        *of_hidden, of_output = self.operations
        layers = [
            (f"hidden {i}", operations, layer.out_features, layer.in_features, layer.n_parameters)
            for i, (operations, layer) in enumerate(
                zip(of_hidden, self.hidden_layers, strict=True), start=1
            )
        ]
        last_in = (self.in_features, *self.hidden_features)[-1]
        n_last = self.n_parameters - sum(layer[-1] for layer in layers)
        layers.append(("output", of_output, self.out_features, last_in, n_last))
        rows = "".join(
            f"<tr><td>{name}</td><td>{escape(' → '.join(operations))}</td>"
            f"<td>{n_out:,} × {n_in:,}</td><td>{n_parameters:,}</td></tr>"
            for name, operations, n_out, n_in, n_parameters in layers
        )
        return (
            "<table><thead><tr><th>layer</th><th>computes</th><th>W</th><th>parameters</th></tr>"
            f"</thead><tbody>{rows}</tbody><tfoot><tr><td>total</td><td></td><td></td>"
            f"<td>{self.n_parameters:,}</td></tr></tfoot></table>"
        )

    def to_json(self) -> str:
        """Return the architecture as a JSON object, with one key per field."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the architecture that `to_json` wrote.

        Raises
        ------
        InvalidArgumentError
            If `text` is not a JSON object of an architecture's fields.
        """
        try:
            values = read_json(text)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"an Architecture must be a JSON object; {error}") from error
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Return the architecture with these fields, as read from JSON.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            If `values` is not a dict of an architecture's fields.
        """
        if not isinstance(values, dict):
            got = type(values).__name__
            raise InvalidArgumentError("must be a JSON object", "an Architecture", got=got)
        known = [field.name for field in fields(cls)]
        required = known[:3]
        for name in values:
            Names("field", known).check(name, "Architecture")
        missing = [name for name in required if name not in values]
        if missing:
            raise InvalidArgumentError(
                f"an Architecture needs {', '.join(required)}; missing: {', '.join(missing)}"
            )
        if (embeddings := values.get("embeddings")) is not None:
            allowed = {field.name for field in fields(Embeddings)}
            if not isinstance(embeddings, dict) or not set(embeddings) <= allowed:
                rule = f"must be an object of {', '.join(sorted(allowed))}"
                raise InvalidArgumentError(rule, "embeddings", "an Architecture")
            values = values | {"embeddings": Embeddings(**embeddings)}
        return cls(**values)


def _one_or_several(value: Any, name: str, interval: str) -> float | tuple[float, ...]:
    """Return a checked number, or a sequence of checked numbers as a tuple."""
    owner = "Architecture"
    if isinstance(value, Iterable) and not isinstance(value, str):
        values = checks.sequence(value, name, owner)
        return tuple(
            checks.real(one, f"{name}[{i}]", owner, interval) for i, one in enumerate(values)
        )
    return checks.real(value, name, owner, interval)
