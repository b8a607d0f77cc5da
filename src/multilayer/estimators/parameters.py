"""The parameters: each with its default, what it may be, and what the documentation says of it."""

import inspect
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from textwrap import indent
from typing import Any, TypeVar

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from multilayer.numpy import LBFGS, Optimizer, Schedule
from multilayer.training import Callback

__all__ = ["ACTIVATION", "SHARE", "WIDTHS", "Parameters", "documented", "says"]

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
        Its type, as the documentation writes it.
    allowed : list
        What it may be, as scikit-learn checks and words it.
    text : str
        What it does.
    """
    return {"kind": kind, "allowed": allowed, "text": inspect.cleandoc(text)}


# fmt: off
WIDTHS = says("int or sequence of int", ["array-like", *AT_LEAST_ONE], """
    The width of each hidden layer; ``()`` for a linear model.""")
ACTIVATION = says("str or sequence of str", [str, "array-like"], """
    One name for all hidden layers, or one for each: scikit-learn's ``'identity'``,
    ``'logistic'``, ``'tanh'``, ``'relu'``, or any of ``multilayer.numpy.ACTIVATIONS``.""")
"""Of the two that come by position, in the regressor after its loss."""


@dataclass(eq=False, repr=False, kw_only=True)
class Parameters:
    """The keyword parameters that classifier and regressor share; every field is one."""

    solver: Any = field(default="adam", metadata=says(
        "str, Optimizer or LBFGS", [str, Optimizer, LBFGS], """
        ``'adam'``, ``'sgd'``, ``'lbfgs'``, another of ``multilayer.numpy.OPTIMIZERS``, or an
        object with parameters of its own."""))
    alpha: float = field(default=1e-4, metadata=says("float", NOT_NEGATIVE, """
        The penalty α/(2m) ‖W‖², with m the samples of a batch, or the sum of their weights."""))
    batch_size: Any = field(default="auto", metadata=says(
        "int or 'auto'", [StrOptions({"auto"}), *AT_LEAST_ONE], """
        Samples a step; ``'auto'`` takes 200, or all if there are fewer."""))
    learning_rate: Any = field(default="constant", metadata=says(
        "str or Schedule", [str, Schedule], """
        With ``solver='sgd'`` alone ``'constant'``, ``'invscaling'`` (divided by tᵖ after each
        epoch, where t counts samples from 1 and p is `power_t`) or ``'adaptive'`` (divided by 5
        where the training would stop); the momentum changes with it at once, which in scikit-learn
        it does not. With any solver that takes steps one of ``multilayer.numpy.SCHEDULES``, by name
        or as an object."""))
    learning_rate_init: float = field(default=0.001, metadata=says("float", POSITIVE, """
        The first learning rate."""))
    power_t: float = field(default=0.5, metadata=says("float", NOT_NEGATIVE, """
        The exponent of ``learning_rate='invscaling'``."""))
    max_iter: int = field(default=200, metadata=says("int", AT_LEAST_ONE, """
        Epochs at most; with L-BFGS iterations."""))
    shuffle: bool = field(default=True, metadata=says("bool", ["boolean"], """
        Whether each epoch has an order of its own."""))
    random_state: Any = field(default=None, metadata=says(
        "int, RandomState or None", ["random_state"], """
        Draws weights, validation part, order and dropout; an int makes them repeatable."""))
    tol: float = field(default=1e-4, metadata=says("float", NOT_NEGATIVE, """
        What an epoch has to improve the loss or the validation score by; with L-BFGS the largest
        entry of the gradient at which it has converged."""))
    verbose: Any = field(default=False, metadata=says("bool or int", ["verbose"], """
        Whether to print a line an epoch."""))
    warm_start: bool = field(default=False, metadata=says("bool", ["boolean"], """
        Whether `fit` goes on from the weights that are there."""))
    momentum: float = field(default=0.9, metadata=says(
        "float", [Interval(Real, 0, 1, closed="both")], """
        Of ``solver='sgd'``."""))
    nesterovs_momentum: bool = field(default=True, metadata=says("bool", ["boolean"], """
        Whether that momentum looks ahead."""))
    early_stopping: Any = field(default=False, metadata=says(
        "bool or 'loss'", ["boolean", StrOptions({"loss"})], """
        Whether a part of the samples is set aside to judge epochs by its score, or by its loss,
        with any solver; the best epoch's weights are kept, whatever ends the training.
        Probabilities are at their best where the loss is lowest."""))
    validation_fraction: float = field(default=0.1, metadata=says("float", SHARE, """
        The share set aside, where `fit` is given no ``X_val``."""))
    beta_1: float = field(default=0.9, metadata=says("float", SHARE, """
        How much ``solver='adam'`` keeps of the mean of earlier gradients."""))
    beta_2: float = field(default=0.999, metadata=says("float", SHARE, """
        How much it keeps of the mean of their squares."""))
    epsilon: float = field(default=1e-8, metadata=says("float", POSITIVE, """
        What it adds to the root of that mean."""))
    n_iter_no_change: float = field(default=10, metadata=says(
        "int or inf", [*AT_LEAST_ONE, Options(Real, {np.inf})], """
        More epochs than this without improvement end the training."""))
    max_fun: int = field(default=15000, metadata=says("int", AT_LEAST_ONE, """
        Evaluations of the loss at most, of ``solver='lbfgs'``."""))
    dropout: Any = field(default=0.0, metadata=says(
        "float or sequence of float", [*SHARE, "array-like"], """
        The probability with which a hidden unit is dropped in training, one for all layers or
        each."""))
    normalization: Any = field(default=None, metadata=says(
        "{'batch', 'layer'} or None", [None, StrOptions({"batch", "layer"})], """
        What stands between each hidden layer's affine map and its activation."""))
    clip_norm: Any = field(default=None, metadata=says("float or None", [None, *POSITIVE], """
        The gradient's largest length."""))
    clip_value: Any = field(default=None, metadata=says("float or None", [None, *POSITIVE], """
        Its entries' largest size; it is cut to this first."""))
    columns: Any = field(default=None, metadata=says(
        "'auto', dict or None", [None, StrOptions({"auto"}), dict], """
        With ``'auto'`` samples are a table as it comes, of numbers, text, categories, dates,
        booleans and missing values: numbers are scaled, each category is an input of its own, dates
        are elapsed time and phases, and columns from which nothing can be learned are left out; see
        `multilayer.model.Columns`. A dict says of some columns what they are: ``{"zip":
        "categorical", "day": "date: day first", "id": "ignored"}``. Columns are made of all samples
        that `fit` is given, or those of the first `partial_fit`, whatever the weights of samples,
        and the network computes in float32. None takes numbers alone, as scikit-learn."""))
    callbacks: Any = field(default=(), metadata=says(
        "Callback or sequence of Callback", ["array-like", tuple, list, Callback], """
        What looks on, and may stop: see `multilayer.training.Callback`."""))
    engine: str = field(default="auto", metadata=says(
        "{'auto', 'numpy', 'torch'}", [StrOptions({"auto", "numpy", "torch"})], """
        What trains: ``'auto'`` takes PyTorch where `device` or `precision` asks for it. Predictions
        are always the NumPy engine's."""))
    device: Any = field(default="auto", metadata=says("str", [str], """
        Where PyTorch trains: ``'cpu'``, ``'cuda:0'``, …; ``'auto'`` takes a GPU where there is
        one."""))
    precision: Any = field(default=None, metadata=says(
        "{'bfloat16', 'float16'} or None", [None, StrOptions({"bfloat16", "float16"})], """
        The type of PyTorch's matrix products in mixed precision."""))
# fmt: on


ATTRIBUTES = """\
coefs_, intercepts_ : list of array
    Weights of shape (in, out) and biases of each affine layer. Writing to them, or putting arrays
    in their place, changes the network.
loss_ : float
    The last epoch's training loss, penalty included.
best_loss_ : float or None
    The least of `loss_curve_`; None with early stopping.
loss_curve_ : list of float
    The training loss of each epoch.
validation_scores_, validation_loss_curve_ : list of float or None
    Of each epoch, where there are validation samples.
best_validation_score_ : float or None
    The score that the kept weights had; None without early stopping.
n_iter_ : int
    How many epochs the last fit took.
t_ : int
    How many samples have been trained on.
n_layers_, n_outputs_ : int
    Layers, inputs and outputs among them; outputs.
out_activation_ : str
    The link function of the outputs.
n_features_in_, feature_names_in_
    As in all of scikit-learn's estimators.
columns_ : multilayer.model.Columns or None
    What the columns of a table became; None where samples are numbers alone.
history_ : History
    What each epoch of the last fit has given.
network_ : multilayer.numpy.MLP
    The network itself."""


def documented(cls: T) -> T:
    """Give a dataclass's parameters to scikit-learn's checks, and to the docstring's marks."""
    said: dict[str, Any] = {each.name: each.metadata for each in fields(cls)}
    entries = [
        f"{name} : {said[name]['kind']}, default={parameter.default!r}\n"
        f"{indent(said[name]['text'], '    ')}"
        for name, parameter in inspect.signature(cls).parameters.items()
    ]
    document: Any = cls.__doc__
    for mark, text in (("{parameters}", "\n".join(entries)), ("{attributes}", ATTRIBUTES)):
        document = document.replace(f"    {mark}", indent(text, "    "))
    cls.__doc__ = document
    cls._parameter_constraints = {  # type: ignore[attr-defined]
        name: metadata["allowed"] for name, metadata in said.items()
    }
    return cls
