"""`fit` on the PyTorch engine: the NumPy engine's numbers, and what only PyTorch has."""

import numpy as np
import pytest
import torch

from multilayer import Architecture
from multilayer.data import load_digits
from multilayer.errors import DivergenceError, InvalidArgumentError, InvalidTypeError
from multilayer.numpy import LBFGS, SGD, Adam
from multilayer.numpy import MLP as NumpyMLP
from multilayer.torch import MLP, Lion
from multilayer.training import EarlyStopping, fit


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return data.X_train[:400], data.y_train[:400]


def pair(dtype="float64", **settings):
    architecture = Architecture(64, (16, 16), 10, **settings)
    ours = NumpyMLP(architecture, dtype=dtype, rng=np.random.default_rng(0))
    theirs = MLP(architecture, dtype=dtype)
    theirs.set_weights(ours.weights)
    return ours, theirs


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)},
        {"optimizer": Adam(3e-3), "l2": 1e-2, "l1": 1e-3, "clip_norm": 0.5},
        {"optimizer": "nadam", "schedule": "one_cycle", "clip_value": 0.01},
        {"optimizer": LBFGS(), "l2": 1e-3, "n_epochs": 10},
        {"optimizer": "adamw", "callbacks": [EarlyStopping(patience=2)]},
    ],
    ids=["sgd", "adam", "nadam", "lbfgs", "early stopping"],
)
@pytest.mark.parametrize("network", [{}, {"normalization": "layer", "residual": True}], ids=str)
def test_both_engines_tell_the_same_story(digits, settings, network):
    X, y = digits
    weight = np.random.default_rng(1).uniform(0.5, 2, size=len(y))
    nets = pair(**network)
    histories = [
        fit(net, (X, y, weight), loss="cross_entropy", validation=0.25,
            **({"n_epochs": 4} | settings), rng=np.random.default_rng(0))
        for net in nets
    ]  # fmt: skip
    ours, theirs = histories
    assert ours.stopped_by == theirs.stopped_by
    assert ours.best_epoch == theirs.best_epoch
    for name in ("train_loss", "validation_loss", "validation_accuracy"):
        # Float64 sums in another order, over some fifty steps.
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9)
    for mine, other in zip(nets[0].weights, nets[1].weights, strict=True):
        np.testing.assert_allclose(mine[0], other[0], atol=1e-9)


def test_any_torch_optimizer_may_be_given(digits):
    _, net = pair("float32")
    optimizer = torch.optim.Adamax(
        [{"params": net.hidden.parameters(), "lr": 0.01}, {"params": net.last.parameters()}],
        lr=0.02,
    )
    history = fit(net, digits, loss="cross_entropy", optimizer=optimizer, n_epochs=10,
                  schedule="cosine", rng=np.random.default_rng(0))  # fmt: skip
    assert history["train_loss"][-1] < 0.5 * history["train_loss"][0]
    # The schedule has scaled both groups alike.
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates[1] == pytest.approx(2 * rates[0])
    assert rates[1] < 0.002


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.LBFGS])
def test_optimizers_that_do_not_fit_are_refused(digits, optimizer):
    _, net = pair()
    _, stranger = pair()
    made_of = net if optimizer is torch.optim.LBFGS else stranger
    with pytest.raises(InvalidArgumentError, match=r"^optimizer of fit"):
        fit(net, digits, loss="cross_entropy", optimizer=optimizer(made_of.parameters()))


def test_accumulation_takes_the_same_steps(digits):
    results = []
    for accumulate in (1, 3):
        _, net = pair()
        fit(net, digits, loss="cross_entropy", n_epochs=2, batch_size=50, l2=0.01,
            accumulate=accumulate, rng=np.random.default_rng(0))  # fmt: skip
        results.append(net.weights[0][0])
    np.testing.assert_allclose(*results, atol=1e-12)  # float64 sums in another order


def test_ema_is_the_running_average_of_the_weights(digits):
    _, net = pair()
    average = [W.copy() for pair_ in net.weights for W in pair_]
    _, free = pair()
    fit(net, digits, loss="cross_entropy", optimizer=SGD(0.1), n_epochs=1, batch_size=400,
        shuffle=False, ema=0.9, rng=np.random.default_rng(0))  # fmt: skip
    fit(free, digits, loss="cross_entropy", optimizer=SGD(0.1), n_epochs=1, batch_size=400,
        shuffle=False, rng=np.random.default_rng(0))  # fmt: skip
    # AveragedModel takes the weights themselves at its first update.
    stepped = [W for pair_ in free.weights for W in pair_]
    found = [W for pair_ in net.weights for W in pair_]
    for mine, other, first in zip(found, stepped, average, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-15)
        assert (mine != first).any()


def test_ema_smooths(digits):
    _, net = pair()
    _, free = pair()
    for each, options in ((net, {"ema": 0.99}), (free, {})):
        fit(each, digits, loss="cross_entropy", optimizer=SGD(0.1), n_epochs=3, **options,
            rng=np.random.default_rng(0))  # fmt: skip
    _, start = pair()
    distance = [np.linalg.norm(each.weights[0][0] - start.weights[0][0]) for each in (net, free)]
    assert 0 < distance[0] < distance[1]


def test_mixed_precision_trains_and_keeps_parameters_in_float32(digits):
    _, net = pair("float32")
    history = fit(net, digits, loss="cross_entropy", n_epochs=15, precision="bfloat16",
                  optimizer=Adam(3e-3), rng=np.random.default_rng(0))  # fmt: skip
    assert net.dtype == "float32"
    assert history["train_loss"][-1] < 0.3 * history["train_loss"][0]


@pytest.mark.parametrize("settings", [{"dropout": 0.5}, {"noise": (0.5, 0)}, {"noise": (0, 0.5)}])
def test_masks_and_noise_come_from_the_generator(digits, settings):
    def train(seed, torch_seed):
        torch.manual_seed(torch_seed)
        net = MLP(Architecture(64, (16,), 10, **settings), initializer="he",
                  rng=np.random.default_rng(0))  # fmt: skip
        before = torch.random.get_rng_state()
        fit(net, digits, loss="cross_entropy", n_epochs=2, rng=np.random.default_rng(seed))
        assert torch.equal(torch.random.get_rng_state(), before)  # the global one is not touched
        return net.weights[0][0].tobytes()

    assert train(0, 1) == train(0, 2)
    assert train(0, 1) != train(1, 1)


def test_divergence_is_reported_and_the_weights_stay_finite(digits):
    X, y = digits
    net = MLP(Architecture(64, (8,), 1, activation="identity"))
    with pytest.raises(DivergenceError):
        fit(net, (X, y.astype(float)), loss="squared_error", optimizer=SGD(100.0), n_epochs=30)
    assert all(torch.isfinite(p).all() for p in net.parameters())


def test_options_of_the_other_engine_are_refused(digits):
    ours, _ = pair()
    with pytest.raises(InvalidTypeError) as caught:
        fit(ours, digits, loss="cross_entropy", accumulate=2)
    assert str(caught.value) == (
        "fit has no parameter 'accumulate' (options of multilayer.numpy.MLP: none)"
    )
    with pytest.raises(InvalidTypeError) as caught:
        fit(pair()[1], digits, loss="cross_entropy", emma=0.9)
    assert str(caught.value) == (
        "fit has no parameter 'emma' (options of multilayer.torch.MLP: precision, "
        "accumulate, compile)"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ema": 1.0}, "ema of fit must be a number in (0, 1); got 1"),
        ({"accumulate": 0}, "accumulate of fit must be a positive integer; got 0"),
        (
            {"precision": "float8"},
            "precision of fit must be one of bfloat16, float16; got 'float8', did you mean "
            "'float16'?",
        ),
        ({"compile": 1}, "compile of fit must be True or False; got 1"),
    ],
)
def test_wrong_options(digits, options, message):
    with pytest.raises((InvalidArgumentError, InvalidTypeError)) as caught:
        fit(pair()[1], digits, loss="cross_entropy", **options)
    assert str(caught.value) == message


def test_lion_of_constant_gradients_walks_at_its_rate():
    p = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = Lion([p], lr=0.1)
    for _ in range(5):
        p.grad = torch.tensor([2.0, -3.0, 0.0], dtype=torch.float64)
        optimizer.step()
    torch.testing.assert_close(p.data, torch.tensor([-0.5, 0.5, 0.0], dtype=torch.float64))


def test_tensors_are_taken_as_samples(digits):
    X, y = (torch.from_numpy(np.asarray(a)) for a in digits)
    _, net = pair("float32")
    history = fit(net, (X, y), loss="cross_entropy", n_epochs=1, rng=np.random.default_rng(0))
    assert history.n_epochs == 1
