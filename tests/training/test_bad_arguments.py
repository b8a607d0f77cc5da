"""Wrong arguments of `fit`: each a message of its own, and an untouched network."""

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.errors import MultilayerError
from multilayer.numpy import MLP, Adam
from multilayer.training import EarlyStopping, fit

X = np.random.default_rng(0).normal(size=(12, 2))
Y = np.arange(12) % 2

CASES = {
    "unknown loss": (
        {"loss": "crossentropy"},
        "loss must be one of squared_error, absolute_error, huber, quantile, poisson, "
        "cross_entropy, grouped_cross_entropy, nll, binary_cross_entropy; got 'crossentropy', "
        "did you mean 'cross_entropy'?",
    ),
    "unknown optimizer": (
        {"optimizer": "adm"},
        "optimizer must be one of sgd, adam, amsgrad, adamw, nadam, rmsprop, adagrad, lion, "
        "lbfgs; got 'adm', did you mean 'adam'?",
    ),
    "optimizer class": (
        {"optimizer": Adam},
        "optimizer must be an object, such as Adam(); got the class itself",
    ),
    "unknown schedule": (
        {"schedule": "cosin"},
        "schedule must be one of constant, step, exponential, inverse_scaling, cosine, one_cycle, "
        "warm_up, reduce_on_plateau; got 'cosin', did you mean 'cosine'?",
    ),
    "no epochs": ({"n_epochs": 0}, "n_epochs of fit must be a positive integer; got 0"),
    "half an epoch": ({"n_epochs": 0.5}, "n_epochs of fit must be a positive integer; got 0.5"),
    "empty batch": ({"batch_size": 0}, "batch_size of fit must be a positive integer; got 0"),
    "negative penalty": ({"l2": -1.0}, "l2 of fit must be a number in [0, inf); got -1"),
    "NaN penalty": ({"l1": np.nan}, "l1 of fit must be a number in [0, inf); got nan"),
    "clip at zero": ({"clip_norm": 0}, "clip_norm of fit must be a number in (0, inf); got 0"),
    "norms of nothing": ({"max_norm": 0}, "max_norm of fit must be a number in (0, inf); got 0"),
    "average of all time": ({"ema": 1.0}, "ema of fit must be a number in (0, 1); got 1"),
    "no average": ({"ema": 0.0}, "ema of fit must be a number in (0, 1); got 0"),
    "shuffle": (
        {"shuffle": "yes"},
        "shuffle of fit must be True, False or a sampler of row numbers; got 'yes'",
    ),
    "seed for rng": (
        {"rng": 0},
        "rng of fit must be a numpy.random.Generator or None; got 0",
    ),
    "validation of everything": (
        {"validation": 1.0},
        "validation of fit must be a number in (0, 1); got 1",
    ),
    "validation of nothing": (
        {"validation": 0.0},
        "validation of fit must be a number in (0, 1); got 0",
    ),
    "validation of one part": (
        {"validation": (X,)},
        "validation of fit must be a tuple (X, y) or (X, y, sample_weight); got 1 parts",
    ),
    "validation of other width": (
        {"validation": (X[:, :1], Y)},
        "X must have 2 features, one per input of the network; got shape (12, 1)",
    ),
    "callback class": (
        {"callbacks": [EarlyStopping]},
        "callbacks of fit must be a sequence of Callback objects; got "
        "<class 'multilayer.training.callbacks.EarlyStopping'>",
    ),
    "unknown metric": (
        {"metrics": ["acuracy"], "validation": 0.25},
        "metric must be one of accuracy, balanced_accuracy, r2, mean_absolute_error, "
        "root_mean_squared_error; got 'acuracy', did you mean 'accuracy'?",
    ),
    "metric without validation": (
        {"metrics": ["accuracy"]},
        "metrics of fit are measured on validation samples; validation is None",
    ),
    "metric that is no function": (
        {"metrics": {"mine": 3}, "validation": 0.25},
        "metrics['mine'] of fit must be a function (y, prediction); got 3",
    ),
    "metric named loss": (
        {"metrics": {"loss": max}, "validation": 0.25},
        "a metric cannot be named 'loss': validation_loss is measured already",
    ),
    "unknown monitor": (
        {"monitor": "validation_acuracy", "validation": 0.25},
        "monitor of fit must be one of validation_loss, train_loss, validation_accuracy; got "
        "'validation_acuracy', did you mean 'validation_accuracy'?",
    ),
    "L-BFGS with batches": (
        {"optimizer": "lbfgs", "batch_size": 3},
        "batch_size cannot be combined with L-BFGS, which does not step batch by batch",
    ),
    "L-BFGS with a schedule": (
        {"optimizer": "lbfgs", "schedule": "cosine"},
        "schedule cannot be combined with L-BFGS, which does not step batch by batch",
    ),
    "L-BFGS with clipping": (
        {"optimizer": "lbfgs", "clip_norm": 1.0},
        "clip_norm cannot be combined with L-BFGS, whose line search it would mislead",
    ),
    "L-BFGS with a maximum norm": (
        {"optimizer": "lbfgs", "max_norm": 1.0},
        "max_norm cannot be combined with L-BFGS, whose line search it would mislead",
    ),
    "L-BFGS with an average": (
        {"optimizer": "lbfgs", "ema": 0.9},
        "ema cannot be combined with L-BFGS, which does not step batch by batch",
    ),
    "loss of another output": (
        {"loss": "nll"},
        "loss 'nll' takes outputs of a network with output 'log_softmax'; got output 'identity'",
    ),
    "labels out of range": (
        {"data": (X, Y + 1)},
        "y must hold labels 0 to 1; got 2 at index 1",
    ),
    "labels as text": (
        {"data": (X, np.where(Y, "yes", "no"))},
        "y must hold integer labels 0 to 1; got dtype <U3: number the labels, as LabelEncoder does",
    ),
    "lengths": (
        {"data": (X, Y[:-1])},
        "y must have one target for each of the 12 samples; got 11",
    ),
    "NaN": (
        {"data": (np.where(np.arange(12)[:, None] == 3, np.nan, X), Y)},
        "X must be finite in float32; got nan at row 3, column 0 (and 1 more)",
    ),
    "no samples": (
        {"data": (X[:0], Y[:0])},
        "X must have at least one sample; got shape (0, 2)",
    ),
    "no targets": (
        {"data": X},
        "data of fit must be a tuple (X, y) or (X, y, sample_weight); got ndarray",
    ),
    "negative weight": (
        {"data": (X, Y, np.linspace(-1, 1, 12))},
        "sample_weight must not be negative; got -1.0 at index 0",
    ),
    "zero weights": (
        {"data": (X, Y, np.zeros(12))},
        "sample_weight must not be zero for every sample",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message_and_untouched_network(name):
    arguments, message = CASES[name]
    net = MLP(Architecture(2, (4,), 2), rng=np.random.default_rng(0))
    before = net.parameters.copy()
    settings = {"data": (X, Y), "loss": "cross_entropy", "rng": np.random.default_rng(0)}
    with pytest.raises(MultilayerError) as caught:
        fit(net, **(settings | arguments))
    assert str(caught.value) == message
    assert isinstance(caught.value, (ValueError, TypeError))
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("dropout", {"dropout": 0.5}), ("noise", {"noise": (0.5, 0)}), ("noise", {"noise": (0, 0.5)})],
)
def test_lbfgs_refuses_what_is_random(name, settings):
    net = MLP(Architecture(2, (4,), 2, **settings))
    with pytest.raises(MultilayerError) as caught:
        fit(net, (X, Y), loss="cross_entropy", optimizer="lbfgs")
    assert str(caught.value) == (
        f"{name} cannot be combined with L-BFGS, whose line search it would mislead"
    )


def test_something_else_than_a_network():
    with pytest.raises(MultilayerError) as caught:
        fit(Architecture(2, (4,), 2), (X, Y), loss="cross_entropy")
    assert str(caught.value).startswith("net of fit must be a network, such as")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patience": 0}, "patience of EarlyStopping must be a positive integer; got 0"),
        ({"min_delta": -1}, "min_delta of EarlyStopping must be a number in [0, inf); got -1"),
    ],
)
def test_early_stopping_checks_its_arguments(arguments, message):
    with pytest.raises(MultilayerError) as caught:
        EarlyStopping(**arguments)
    assert str(caught.value) == message
