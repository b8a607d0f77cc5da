"""The estimators' parameters: each with its default, its allowed values and its documentation."""

import inspect
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from textwrap import indent
from typing import Any, ClassVar, TypeVar

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from multilayer.numpy import LBFGS, Adversary, Loss, Optimizer, Schedule
from multilayer.training import Callback

__all__ = [
    "ACTIVATION",
    "DEVICE",
    "ENGINES",
    "LOSS",
    "SHARE",
    "WIDTHS",
    "Parameters",
    "documented",
    "says",
]

T = TypeVar("T", bound=type)

POSITIVE = [Interval(Real, 0, None, closed="neither")]
NOT_NEGATIVE = [Interval(Real, 0, None, closed="left")]
AT_LEAST_ONE = [Interval(Integral, 1, None, closed="left")]
SHARE = [Interval(Real, 0, 1, closed="left")]


def says(kind: str, allowed: list[Any], text: str) -> dict[str, Any]:
    """Return a parameter's metadata.

    Parameters
    ----------
    kind : str
        Its type, for the documentation.
    allowed : list
        Its allowed values, as scikit-learn's constraints.
    text : str
        What it does.
    """
    return {"kind": kind, "allowed": allowed, "text": inspect.cleandoc(text)}


ATTRIBUTES = """\
coefs_, intercepts_ : list of array
    Weights of shape (in, out) and biases of each affine layer. Writing to them, or replacing them,
    changes the network. With several members, see `networks_` instead.
networks_ : list of multilayer.numpy.MLP
    The members' networks.
seeds_ : list of int
    The ``random_state`` of each member, if there are several, or `resample` is set.
estimators_samples_ : list of array
    The rows that each member has seen, if `resample` is set, including those it set aside.
oob_score_ : float
    If `resample` is set, the score of predictions for each sample by the members that have not seen
    it, with the sample weights of `fit`.
loss_ : float
    The last epoch's training loss, including the penalty.
best_loss_ : float or None
    The minimum of `loss_curve_`; None with early stopping.
loss_curve_ : list of float
    The training loss of each epoch.
validation_scores_, validation_loss_curve_ : list of float or None
    The values of each epoch, if there are validation samples.
best_validation_score_ : float or None
    The score of the kept weights; None without early stopping.
n_iter_ : int
    The number of epochs of the last fit.
t_ : int
    The number of samples trained on.
n_layers_, n_outputs_ : int
    The number of layers, counting inputs and outputs; the number of outputs.
out_activation_ : str
    The link function of the outputs.
n_features_in_, feature_names_in_
    As in all of scikit-learn's estimators.
columns_ : multilayer.model.Columns or None
    The columns of a table; None if samples are plain numbers.
history_ : History
    The history of the last fit, epoch by epoch.
network_ : multilayer.numpy.MLP
    The network, if there is only one."""


# fmt: off
LOSS = says("str or Loss", [str, Loss], """
    ``'squared_error'``, ``'poisson'`` (for targets ≥ 0, such as counts; the output is exp),
    ``'absolute_error'``, ``'huber'``, ``'quantile'`` (the median), or an object such as
    ``multilayer.numpy.Quantile((0.1, 0.5, 0.9))``, which predicts one column per quantile. If
    targets are scaled, Huber's δ is in standard deviations.""")
WIDTHS = says("int or sequence of int", ["array-like", *AT_LEAST_ONE], """
    The width of each hidden layer; ``()`` for a linear model.""")
ENGINES = [StrOptions({"auto", "numpy", "torch"})]
DEVICE = says("str", [str], """
    Where PyTorch trains: ``'cpu'``, ``'cuda:0'``, …; ``'auto'`` uses a GPU if there is one.""")
ACTIVATION = says("str or sequence of str", [str, "array-like"], """
    One name for all hidden layers, or one for each: scikit-learn's ``'identity'``,
    ``'logistic'``, ``'tanh'``, ``'relu'``, or any of ``multilayer.numpy.ACTIVATIONS``.""")
"""The metadata of the positional parameters; in the regressor the loss comes first."""


@dataclass(eq=False, repr=False, kw_only=True)
class Parameters:
    """The keyword parameters that the classifier and the regressor share."""

    _attributes: ClassVar[str] = ATTRIBUTES

    solver: Any = field(default="adam", metadata=says(
        "str, Optimizer or LBFGS", [str, Optimizer, LBFGS], """
        ``'adam'``, ``'sgd'``, ``'lbfgs'``, another of ``multilayer.numpy.OPTIMIZERS``, or an
        object with its own parameters."""))
    alpha: float = field(default=1e-4, metadata=says("float", NOT_NEGATIVE, """
        The penalty α/(2m) ‖W‖², where m is the number of samples in a batch, or the sum of their
        weights."""))
    batch_size: Any = field(default="auto", metadata=says(
        "int or 'auto'", [StrOptions({"auto"}), *AT_LEAST_ONE], """
        Samples per step; ``'auto'`` means 200, or all if there are fewer."""))
    learning_rate: Any = field(default="constant", metadata=says(
        "str or Schedule", [str, Schedule], """
        For ``solver='sgd'`` only: ``'constant'``, ``'invscaling'`` (divided by tᵖ after each
        epoch, where t counts samples from 1 and p is `power_t`) or ``'adaptive'`` (divided by 5
        whenever the training would stop); unlike in scikit-learn, a new rate also applies to the
        momentum at once. For any solver that takes steps: one of ``multilayer.numpy.SCHEDULES``,
        by name or as an object."""))
    learning_rate_init: float = field(default=0.001, metadata=says("float", POSITIVE, """
        The initial learning rate."""))
    power_t: float = field(default=0.5, metadata=says("float", NOT_NEGATIVE, """
        The exponent of ``learning_rate='invscaling'``."""))
    max_iter: int = field(default=200, metadata=says("int", AT_LEAST_ONE, """
        The maximum number of epochs, or of iterations of L-BFGS."""))
    shuffle: bool = field(default=True, metadata=says("bool", ["boolean"], """
        Whether each epoch takes the samples in a new random order."""))
    random_state: Any = field(default=None, metadata=says(
        "int, RandomState or None", ["random_state"], """
        Draws weights, validation samples, order and dropout; an int makes them reproducible."""))
    tol: float = field(default=1e-4, metadata=says("float", NOT_NEGATIVE, """
        How much an epoch must improve the loss or the validation score; L-BFGS has converged when
        no entry of the gradient is larger than this."""))
    verbose: Any = field(default=False, metadata=says("bool or int", ["verbose"], """
        Whether to print one line per epoch."""))
    warm_start: bool = field(default=False, metadata=says("bool", ["boolean"], """
        Whether `fit` continues from the current weights."""))
    momentum: float = field(default=0.9, metadata=says(
        "float", [Interval(Real, 0, 1, closed="both")], """
        The momentum of ``solver='sgd'``."""))
    nesterovs_momentum: bool = field(default=True, metadata=says("bool", ["boolean"], """
        Whether ``solver='sgd'`` uses Nesterov's momentum, which looks ahead."""))
    early_stopping: Any = field(default=False, metadata=says(
        "bool or 'loss'", ["boolean", StrOptions({"loss"})], """
        Whether to judge epochs by the score, or by the loss, of samples set aside, with any solver.
        The best epoch's weights are kept, whatever ends the training. Probabilities are best where
        the loss is lowest."""))
    validation_fraction: float = field(default=0.1, metadata=says("float", SHARE, """
        The share of samples set aside if `fit` is given no ``X_val``."""))
    beta_1: float = field(default=0.9, metadata=says("float", SHARE, """
        Decay rate of the gradients' running mean, for ``solver='adam'``."""))
    beta_2: float = field(default=0.999, metadata=says("float", SHARE, """
        Decay rate of the running mean of the squared gradients, for ``solver='adam'``."""))
    epsilon: float = field(default=1e-8, metadata=says("float", POSITIVE, """
        Added to the square root of that mean, for ``solver='adam'``."""))
    n_iter_no_change: float = field(default=10, metadata=says(
        "int or inf", [*AT_LEAST_ONE, Options(Real, {np.inf})], """
        More epochs than this without improvement end the training."""))
    max_fun: int = field(default=15000, metadata=says("int", AT_LEAST_ONE, """
        The maximum number of evaluations of the loss, for ``solver='lbfgs'``."""))
    dropout: Any = field(default=0.0, metadata=says(
        "float or sequence of float", [*SHARE, "array-like"], """
        The probability of dropping a hidden unit in training, one for all layers or one for
        each."""))
    noise: Any = field(default=0.0, metadata=says(
        "float or sequence of float", [*NOT_NEGATIVE, "array-like"], """
        The standard deviation of the noise that training adds to the inputs and before each
        activation: one for all, or one for the inputs and then one for each hidden layer. Thus
        ``(0.3, 0, 0)`` adds noise only to the inputs of a network with two hidden layers."""))
    normalization: Any = field(default=None, metadata=says(
        "{'batch', 'layer'} or None", [None, StrOptions({"batch", "layer"})], """
        The normalisation between each hidden layer's affine map and its activation."""))
    clip_norm: Any = field(default=None, metadata=says("float or None", [None, *POSITIVE], """
        The maximum norm of the gradient."""))
    clip_value: Any = field(default=None, metadata=says("float or None", [None, *POSITIVE], """
        The maximum size of the gradient's entries, which are clipped before the norm."""))
    max_norm: Any = field(default=None, metadata=says("float or None", [None, *POSITIVE], """
        The maximum norm of each unit's incoming weights: see `multilayer.numpy.limit_norms`."""))
    ema: Any = field(default=None, metadata=says(
        "float or None", [None, Interval(Real, 0, 1, closed="neither")], """
        The decay of a running average of the weights after each step, which is then validated and
        used to predict: see `multilayer.numpy.RunningAverage`. Not for `partial_fit`."""))
    adversary: Any = field(default=None, metadata=says(
        "Adversarial, VirtualAdversarial or None", [None, Adversary], """
        Moves samples to where they are hardest, to train on these too: see
        `multilayer.numpy.VirtualAdversarial`. Distances are in the units of the network's
        inputs."""))
    columns: Any = field(default=None, metadata=says(
        "'auto', dict or None", [None, StrOptions({"auto"}), dict], """
        With ``'auto'``, samples may be a raw table of numbers, text, categories, dates, booleans
        and missing values: numbers are scaled, each category becomes an input, dates become elapsed
        time and phases, and columns from which nothing can be learned are left out; see
        `multilayer.model.Columns`. A dict sets the kind of some columns: ``{"zip": "categorical",
        "day": "date: day first", "id": "ignored"}``. The columns are fitted to all samples given to
        `fit`, or to the first `partial_fit`, whatever their weights; the network computes in
        float32. With None, samples must be numbers, as in scikit-learn."""))
    callbacks: Any = field(default=(), metadata=says(
        "Callback or sequence of Callback", ["array-like", tuple, list, Callback], """
        Objects that observe the training and may stop it: see `multilayer.training.Callback`."""))
    engine: str = field(default="auto", metadata=says(
        "{'auto', 'numpy', 'torch'}", ENGINES, """
        The engine that trains: ``'auto'`` uses PyTorch if `device` or `precision` needs it. The
        NumPy engine always predicts."""))
    device: Any = field(default="auto", metadata=DEVICE)
    precision: Any = field(default=None, metadata=says(
        "{'bfloat16', 'float16'} or None", [None, StrOptions({"bfloat16", "float16"})], """
        The type of PyTorch's matrix products in mixed precision."""))
    n_members: int = field(default=1, metadata=says("int", AT_LEAST_ONE, """
        The number of networks, which differ in their seeds; predictions are the mean of their
        probabilities or values. They train as one where possible: on the NumPy engine, with a
        solver that takes steps, and without callbacks. Member k is the network that
        ``random_state=seeds_[k]`` gives alone, however many members there are. With several, the
        attributes that describe training, from `loss_` to `history_`, are lists with an entry for
        each member; `n_iter_` is the largest."""))
    resample: Any = field(default=None, metadata=says(
        "{'bootstrap', 'folds'} or None", [None, StrOptions({"bootstrap", "folds"})], """
        The rows that each member trains on: all (None); as many, drawn with replacement
        (``'bootstrap'``); or all but one of `n_members` folds (``'folds'``). `oob_score_` then
        judges each member on the rows that it has not seen, as in scikit-learn's forests. Classes,
        a table's columns and the scale of targets are determined from all rows."""))
# fmt: on


def documented(cls: T) -> T:
    """Register a dataclass's parameters with scikit-learn's checks, and fill in its docstring.

    Its `_attributes` document the fitted attributes that it shares with other estimators.
    """
    said: dict[str, Any] = {each.name: each.metadata for each in fields(cls)}
    entries = [
        f"{name} : {said[name]['kind']}, default={parameter.default!r}\n"
        f"{indent(said[name]['text'], '    ')}"
        for name, parameter in inspect.signature(cls).parameters.items()
    ]
    document: Any = cls.__doc__
    attributes: str = cls._attributes  # type: ignore[attr-defined]
    for mark, text in (("{parameters}", "\n".join(entries)), ("{attributes}", attributes)):
        document = document.replace(f"    {mark}", indent(text, "    "))
    cls.__doc__ = document
    cls._parameter_constraints = {  # type: ignore[attr-defined]
        name: metadata["allowed"] for name, metadata in said.items()
    }
    return cls
