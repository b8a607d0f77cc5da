"""The gradient check: every derivative passes it, and a planted fault does not."""

import numpy as np
import pytest

from multilayer import Architecture
from multilayer.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidTypeError,
    UnknownNameError,
)
from multilayer.numpy import (
    ACTIVATIONS,
    LOSSES,
    MLP,
    GradientReport,
    Objective,
    Quantile,
    SquaredError,
    check_gradients,
    smooth_problem,
)
from multilayer.numpy.activations.base import Tanh
from multilayer.numpy.activations.outputs import Softmax
from multilayer.numpy.blocks import Residual
from multilayer.numpy.gradcheck import ArrayCheck
from multilayer.numpy.layers import Affine
from multilayer.numpy.normalization import BatchNorm, LayerNorm

N_SAMPLES = 5

VARIANTS = {
    "plain": {},
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "residual": {"residual": True},
    "dropout": {"dropout": 0.25},
    "noise": {"noise": 0.25},
}
EXTRAS = {"none": False, "weights and penalties": True}


@pytest.mark.parametrize("extras", list(EXTRAS))
@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("loss_name", list(LOSSES))
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_every_gradient_passes(activation, loss_name, variant, extras):
    loss = Quantile((0.2, 0.5, 0.9)) if loss_name == "quantile" else LOSSES[loss_name]()
    architecture = Architecture(
        in_features=3,
        hidden_features=(3,),
        out_features=3,
        activation=activation,
        output=loss.outputs[0],
        **VARIANTS[variant],
    )
    rng = np.random.default_rng(0)
    net, X, y = smooth_problem(architecture, loss, rng, n_samples=N_SAMPLES)
    more = {}
    if EXTRAS[extras]:
        more = {"l1": 0.01, "l2": 0.1, "sample_weight": rng.uniform(0.5, 2, N_SAMPLES)}
    report = check_gradients(net, X, y, loss=loss, tolerance=1e-6, **more)
    assert report.passed, f"\n{report}"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("output", ["identity", "sigmoid", "softmax", "log_softmax", "exp"])
def test_link_functions_pass(output, training):
    architecture = Architecture(
        3, (4, 4), 3, activation="tanh", output=output, normalization="batch"
    )
    net, X, y = smooth_problem(architecture, "squared_error", np.random.default_rng(0))
    report = check_gradients(net, X, y, loss="squared_error", training=training)
    assert report.passed, f"\n{report}"


# Planted faults --------------------------------------------------------------------------------


@pytest.fixture
def problem(rng):
    """A smooth network of two hidden layers and a normalisation, with data."""
    architecture = Architecture(3, (4, 5), 2, activation="tanh", normalization="layer")
    return smooth_problem(architecture, "squared_error", rng)


def check(problem, **settings):
    net, X, y = problem
    return check_gradients(net, X, y, loss="squared_error", **settings)


def failing(report):
    """Return the names of the arrays whose gradient is wrong."""
    return [c.name for c in report.arrays if not c.max_relative_error <= report.tolerance]


def test_the_problem_itself_passes(problem):
    report = check(problem)
    assert report.passed
    assert [c.name for c in report.arrays] == [
        *("0.W", "0.b", "1.γ", "1.β"),
        *("2.W", "2.b", "3.γ", "3.β"),
        *("4.W", "4.b", "X"),
    ]


def test_a_wrong_derivative_is_caught_below_the_activation_only(problem, monkeypatch):
    monkeypatch.setattr(Tanh, "derivative", lambda self, z, a: 1 - a)
    report = check(problem)
    assert not report.passed
    # The output layer lies above every activation: its gradient is right.
    assert failing(report) == ["0.W", "0.b", "1.γ", "1.β", "2.W", "2.b", "3.γ", "3.β", "X"]


@pytest.mark.parametrize("factor", [0.5, 1.001, -1.0, 1 + 1e-5])
def test_a_gradient_off_by_a_factor_is_caught(problem, monkeypatch, factor):
    right = Affine.backward

    def wrong(self, dy, cache, *, need_dx=True):
        dx, (dW, db) = right(self, dy, cache, need_dx=need_dx)
        return dx, (dW, db * factor)

    monkeypatch.setattr(Affine, "backward", wrong)
    report = check(problem)
    assert failing(report) == ["0.b", "2.b", "4.b"]
    expected = abs(factor - 1) / max(abs(factor), 1)
    assert report.max_relative_error == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("training", [True, False])
def test_a_wrong_gradient_in_the_inputs_is_caught_there_alone(problem, monkeypatch, training):
    right = Affine.backward

    def wrong(self, dy, cache, *, need_dx=True):
        dx, gradients = right(self, dy, cache, need_dx=need_dx)
        is_first = self.W.shape == (4, 3)
        return dx * 1.001 if is_first and dx is not None else dx, gradients

    monkeypatch.setattr(Affine, "backward", wrong)
    assert failing(check(problem, training=training)) == ["X"]


def test_a_missing_bias_gradient_is_caught(problem, monkeypatch):
    right = Affine.backward

    def wrong(self, dy, cache, *, need_dx=True):
        dx, (dW, db) = right(self, dy, cache, need_dx=need_dx)
        return dx, (dW, np.zeros_like(db))

    monkeypatch.setattr(Affine, "backward", wrong)
    report = check(problem)
    assert failing(report) == ["0.b", "2.b", "4.b"]
    assert report.max_relative_error == 1  # all of it is missing
    wrong_line = report.arrays[-2]  # above X
    assert wrong_line.analytic == 0
    assert wrong_line.numeric != 0


def test_the_report_names_the_array_and_the_index_of_one_wrong_entry(problem, monkeypatch):
    right = Affine.backward

    def wrong(self, dy, cache, *, need_dx=True):
        dx, (dW, db) = right(self, dy, cache, need_dx=need_dx)
        if dW.shape == (5, 4):
            dW[3, 1] += 0.5
        return dx, (dW, db)

    monkeypatch.setattr(Affine, "backward", wrong)
    report = check(problem)
    assert failing(report) == ["2.W"]
    line = report.arrays[4]
    assert (line.name, line.shape, line.index) == ("2.W", (5, 4), (3, 1))
    assert line.analytic - line.numeric == pytest.approx(0.5, rel=1e-6)
    text = str(report)
    assert f"[3, 1]: {line.analytic:+.8e} against {line.numeric:+.8e}" in text
    assert text.splitlines()[-1] == f"FAILED: {line.max_relative_error:.1e} (tolerance 1e-06)"


@pytest.mark.parametrize("where", ["first", "last"])
def test_a_gradient_that_is_no_number_is_caught_wherever_it_is(problem, monkeypatch, where):
    right = Affine.backward
    shape = (4, 3) if where == "first" else (2, 5)

    def wrong(self, dy, cache, *, need_dx=True):
        dx, (dW, db) = right(self, dy, cache, need_dx=need_dx)
        if dW.shape == shape:
            db = db * np.nan
        return dx, (dW, db)

    monkeypatch.setattr(Affine, "backward", wrong)
    report = check(problem)
    assert not report.passed
    assert failing(report) == ["0.b" if where == "first" else "4.b"]


def test_a_forgotten_mean_in_layer_norm_is_caught(problem, monkeypatch):
    def wrong(self, dy, cache, *, need_dx=True):
        dx = dy * self.gamma * cache.inverse_std
        return dx, ((dy * cache.x_hat).sum(axis=0), dy.sum(axis=0))

    monkeypatch.setattr(LayerNorm, "backward", wrong)
    assert failing(check(problem)) == ["0.W", "0.b", "1.γ", "1.β", "2.W", "2.b", "X"]


def test_running_statistics_taken_for_the_batchs_own_are_caught(rng, monkeypatch):
    architecture = Architecture(3, (4,), 2, activation="tanh", normalization="batch")
    net, X, y = smooth_problem(architecture, "squared_error", rng)

    def wrong(self, dy, cache, *, need_dx=True):
        gradients = (dy * cache.x_hat).sum(axis=0), dy.sum(axis=0)
        return dy * self.gamma * cache.inverse_std, gradients

    monkeypatch.setattr(BatchNorm, "backward", wrong)
    report = check_gradients(net, X, y, loss="squared_error")
    assert "0.W" in failing(report)
    assert check_gradients(net, X, y, loss="squared_error", training=False).passed


def test_a_forgotten_shortcut_is_caught(rng, monkeypatch):
    architecture = Architecture(3, (3, 3), 2, activation="tanh", residual=True)
    net, X, y = smooth_problem(architecture, "squared_error", rng)
    assert check_gradients(net, X, y, loss="squared_error").passed
    monkeypatch.setattr(
        Residual,
        "backward",
        lambda self, dy, cache, *, need_dx=True: self.inner.backward(dy, cache, need_dx=need_dx),
    )
    assert failing(check_gradients(net, X, y, loss="squared_error")) == ["0.W", "0.b", "X"]


def test_a_softmax_taken_for_elementwise_is_caught(rng, monkeypatch):
    architecture = Architecture(3, (4,), 2, activation="softmax")
    net, X, y = smooth_problem(architecture, "squared_error", rng)
    monkeypatch.setattr(Softmax, "backward", lambda self, da, z, a: da * a * (1 - a))
    assert failing(check_gradients(net, X, y, loss="squared_error")) == ["0.W", "0.b", "X"]


def test_a_loss_whose_gradient_has_the_wrong_sign_is_caught(problem):
    class ReversedSquaredError(SquaredError):
        def per_sample(self, p, targets):
            values, gradient = super().per_sample(p, targets)
            return values, -gradient

    net, X, y = problem
    report = check_gradients(net, X, y, loss=ReversedSquaredError())
    assert len(failing(report)) == len(report.arrays)
    assert report.max_relative_error == pytest.approx(2, rel=1e-6)


def test_a_penalty_missing_from_the_gradient_is_caught(problem, monkeypatch):
    monkeypatch.setattr(Objective, "add_penalty_gradient", lambda *arguments: None)
    assert failing(check(problem, l1=0.1)) == ["0.W", "2.W", "4.W"]
    assert failing(check(problem, l2=0.1)) == ["0.W", "2.W", "4.W"]
    assert check(problem).passed


# What it does not do, and what it takes ----------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_and_the_data_are_not_changed(rng, dtype):
    architecture = Architecture(3, (4,), 2, activation="tanh", normalization="batch", dropout=0.5)
    net, X, y = smooth_problem(architecture, "squared_error", rng)
    net = net.copy(dtype)
    X.flags.writeable = y.flags.writeable = False
    before = [net.parameters.copy(), *(array.copy() for array in net.state.values())]
    assert check_gradients(net, X, y, loss="squared_error").passed
    for array, expected in zip([net.parameters, *net.state.values()], before, strict=True):
        np.testing.assert_array_equal(array, expected)
    assert net.dtype == dtype


def test_max_entries_bounds_the_work(rng, monkeypatch):
    evaluations, value = [], Objective.value
    monkeypatch.setattr(
        Objective, "value", lambda *a, **settings: evaluations.append(1) or value(*a, **settings)
    )
    net = MLP(Architecture(3, (4,), 2, activation="tanh"), rng=rng)
    X, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    for max_entries, n_entries in ((None, 26 + 15), (3, 3 + 3 + 3 + 2 + 3), (1, 5), (99, 41)):
        evaluations.clear()
        report = check_gradients(net, X, y, loss="squared_error", max_entries=max_entries)
        assert report.passed
        assert len(evaluations) == 2 * n_entries


def test_the_seed_draws_the_entries(problem):
    def entries(seed):
        report = check(problem, max_entries=1, seed=seed)
        return [line.index for line in report.arrays]

    assert entries(0) == entries(0)
    assert len({tuple(entries(seed)) for seed in range(5)}) > 1


def test_the_tolerance_decides(problem):
    report = check(problem, tolerance=1e-16)
    assert not report.passed
    assert report.tolerance == 1e-16
    assert check(problem, tolerance=report.max_relative_error).passed


def test_a_report_in_full():
    report = GradientReport(
        (
            ArrayCheck("0.W", (4, 3), 2.5e-9, (1, 2), 0.5, 0.50000001),
            ArrayCheck("0.b", (4,), 0.25, (3,), -1.0, -0.75),
        ),
        tolerance=1e-6,
    )
    assert report.max_relative_error == 0.25
    assert not report.passed
    assert str(report).splitlines() == [
        "array       shape         largest relative error  where",
        "0.W         (4, 3)        2.5e-09                 "
        "[1, 2]: +5.00000000e-01 against +5.00000010e-01",
        "0.b         (4,)          2.5e-01                 "
        "[3]: -1.00000000e+00 against -7.50000000e-01",
        "FAILED: 2.5e-01 (tolerance 1e-06)",
    ]


def test_a_network_whose_gradient_vanishes_passes():
    net = MLP(Architecture(2, (), 1), initializer="zeros")
    report = check_gradients(net, [[1.0, 2.0]], [0.0], loss="squared_error")
    assert report.passed
    assert report.max_relative_error < 1e-6


def test_a_network_without_biases_has_no_line_for_them(rng):
    net = MLP(Architecture(2, (3,), 1, bias=False, activation="tanh"), rng=rng)
    report = check_gradients(net, [[1.0, 2.0]], [0.0], loss="squared_error")
    assert [line.name for line in report.arrays] == ["0.W", "1.W", "X"]


@pytest.mark.parametrize(
    ("settings", "error_type", "message"),
    [
        (
            {"tolerance": 0},
            InvalidArgumentError,
            "tolerance of check_gradients must be a number in (0, inf); got 0",
        ),
        (
            {"seed": -1},
            InvalidArgumentError,
            "seed of check_gradients must be a non-negative integer; got -1",
        ),
        (
            {"max_entries": 0},
            InvalidArgumentError,
            "max_entries of check_gradients must be a positive integer; got 0",
        ),
        (
            {"l2": -1},
            InvalidArgumentError,
            "l2 of loss_and_gradients must be a number in [0, inf); got -1",
        ),
        (
            {"sample_weight": [1]},
            InvalidDataError,
            "sample_weight must have shape (6,), one per sample; got (1,)",
        ),
    ],
)
def test_wrong_settings_are_refused(problem, settings, error_type, message, refusal):
    assert refusal(error_type, check, problem, **settings) == message


def test_something_else_than_a_network_is_refused(refusal):
    said = refusal(InvalidTypeError, check_gradients, "net", [[1.0]], [0], loss="squared_error")
    assert said == "net of check_gradients must be a multilayer.numpy.MLP; got 'net'"


# Smooth problems -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(LOSSES))
def test_smooth_problems_are_drawn_for_every_loss(name, rng):
    output = LOSSES[name].outputs[0]
    architecture = Architecture(3, (4,), 2, output=output, dropout=0.5, normalization="batch")
    net, X, y = smooth_problem(architecture, name, rng, n_samples=9)
    assert net.dtype == np.float64
    assert net.architecture == architecture
    assert X.shape == (9, 3)
    assert len(y) == 9
    net.loss_and_gradients(X, y, loss=name, rng=rng)


def test_smooth_problems_keep_their_distance_from_kinks(rng):
    net, X, y = smooth_problem(
        Architecture(3, (4,), 2, activation="relu"), "absolute_error", rng, margin=0.02
    )
    (W, b), (W2, _) = net.weights
    assert np.abs(X @ W.T + b).min() > 0.02
    assert np.abs(net(X) - y).min() > 0.02
    assert min(np.abs(W).min(), np.abs(W2).min()) > 0.02


def test_a_network_without_a_smooth_point_is_refused(rng, refusal):
    said = refusal(
        InvalidArgumentError,
        smooth_problem,
        Architecture(2, (2,), 1),
        "squared_error",
        rng,
        n_samples=1,
        margin=1e3,
    )
    assert said == "no smooth point found in 1000 draws; a smaller network has fewer kinks"


def test_smooth_problems_refuse_what_does_not_go_together(rng, refusal):
    said = refusal(InvalidArgumentError, smooth_problem, Architecture(2, (2,), 2), "nll", rng)
    assert said == (
        "loss 'nll' takes outputs of a network with output 'log_softmax'; got output 'identity'"
    )
    said = refusal(UnknownNameError, smooth_problem, Architecture(2, (2,), 2), "nlll", rng)
    assert said == f"loss must be one of {', '.join(LOSSES)}; got 'nlll', did you mean 'nll'?"
