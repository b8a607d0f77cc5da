"""What classifier and regressor say alike in their docstrings, written once."""

from textwrap import indent
from typing import Any, TypeVar

__all__ = ["documented"]

T = TypeVar("T", bound=type)

PARAMETERS = """\
hidden_layer_sizes : int or sequence of int, default=(100,)
    The width of each hidden layer; ``()`` for a linear model.
activation : str or sequence of str, default='relu'
    One name for all hidden layers, or one for each: scikit-learn's ``'identity'``,
    ``'logistic'``, ``'tanh'``, ``'relu'``, or any of ``multilayer.numpy.ACTIVATIONS``.
solver : str, Optimizer or LBFGS, default='adam'
    ``'adam'``, ``'sgd'``, ``'lbfgs'``, another of ``multilayer.numpy.OPTIMIZERS``, or an
    object with parameters of its own.
alpha : float, default=1e-4
    The penalty α/(2m) ‖W‖², with m the samples of a batch, or the sum of their weights.
batch_size : int or 'auto', default='auto'
    Samples a step; ``'auto'`` takes 200, or all if there are fewer.
learning_rate : str or Schedule, default='constant'
    With ``solver='sgd'`` alone ``'constant'``, ``'invscaling'`` (divided by tᵖ after each epoch,
    where t counts samples from 1 and p is `power_t`) or ``'adaptive'`` (divided by 5 where the
    training would stop); the momentum changes with it at once, which in scikit-learn it does not.
    With any solver that takes steps one of ``multilayer.numpy.SCHEDULES``, by name or as an object.
learning_rate_init : float, default=0.001
    The first learning rate.
power_t : float, default=0.5
    The exponent of ``learning_rate='invscaling'``.
max_iter : int, default=200
    Epochs at most; with L-BFGS iterations.
shuffle : bool, default=True
    Whether each epoch has an order of its own.
random_state : int, RandomState or None, default=None
    Draws weights, validation part, order and dropout; an int makes them repeatable.
tol : float, default=1e-4
    What an epoch has to improve the loss or the validation score by; with L-BFGS the largest
    entry of the gradient at which it has converged.
verbose : bool or int, default=False
    Whether to print a line an epoch.
warm_start : bool, default=False
    Whether `fit` goes on from the weights that are there.
momentum : float, default=0.9
    Of ``solver='sgd'``.
nesterovs_momentum : bool, default=True
    Whether that momentum looks ahead.
early_stopping : bool or 'loss', default=False
    Whether a part of the samples is set aside to judge epochs by its score, or by its loss, with
    any solver; the best epoch's weights are kept, whatever ends the training. Probabilities are at
    their best where the loss is lowest.
validation_fraction : float, default=0.1
    The share set aside, where `fit` is given no ``X_val``.
beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
    Of ``solver='adam'``.
n_iter_no_change : int or inf, default=10
    More epochs than this without improvement end the training.
max_fun : int, default=15000
    Evaluations of the loss at most, of ``solver='lbfgs'``.
dropout : float or sequence of float, default=0.0
    The probability with which a hidden unit is dropped in training, one for all layers or each.
normalization : {'batch', 'layer'} or None, default=None
    What stands between each hidden layer's affine map and its activation.
clip_norm, clip_value : float or None, default=None
    The gradient's largest length, and its entries' largest size; value first.
columns : 'auto', dict or None, default=None
    With ``'auto'`` samples are a table as it comes, of numbers, text, categories, dates, booleans
    and missing values: numbers are scaled, each category is an input of its own, dates are elapsed
    time and phases, and columns from which nothing can be learned are left out; see
    `multilayer.model.Columns`. A dict says of some columns what they are: ``{"zip":
    "categorical", "day": "date: day first", "id": "ignored"}``. Columns are made of all samples
    that `fit` is given, or those of the first `partial_fit`, whatever the weights of samples, and
    the network computes in float32. None takes numbers alone, as scikit-learn.
callbacks : Callback or sequence of Callback, default=()
    What looks on, and may stop: see `multilayer.training.Callback`.
engine : {'auto', 'numpy', 'torch'}, default='auto'
    What trains: ``'auto'`` takes PyTorch where `device` or `precision` asks for it. Predictions
    are always the NumPy engine's.
device : str, default='auto'
    Where PyTorch trains: ``'cpu'``, ``'cuda:0'``, …; ``'auto'`` takes a GPU where there is one.
precision : {'bfloat16', 'float16'} or None, default=None
    The type of PyTorch's matrix products in mixed precision."""

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
    """Put the shared parameters and attributes where the docstring names them."""
    document: Any = cls.__doc__
    for mark, text in (("    {parameters}", PARAMETERS), ("    {attributes}", ATTRIBUTES)):
        document = document.replace(mark, indent(text, "    "))
    cls.__doc__ = document
    return cls
