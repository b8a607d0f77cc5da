"""Each fault, planted, is found by its name, with the numbers that were planted."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_iris,
    load_wine,
    make_circles,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multilayer import Architecture, MLPClassifier, MLPRegressor
from multilayer.doctor import diagnose
from multilayer.embeddings import Embeddings
from multilayer.numpy import ACTIVATIONS, MLP, SGD, Adam, Loss
from multilayer.numpy.losses.classification import class_labels
from multilayer.torch import MLP as TorchMLP


def finding(diagnosis, name):
    """Return the one finding of that name."""
    [found] = [each for each in diagnosis if each.name == name]
    return found


# Units -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "gelu", "softplus", "elu"])
@pytest.mark.parametrize(("n_dead", "severity"), [(20, "warning"), (30, "wrong")])
def test_dead_units(digits, network, activation, n_dead, severity):
    net = network(64, 32, 10, activation=activation)
    net.weights[0][1][:n_dead] = -200
    dead = finding(diagnose(net, *digits[0]), "dead_units")
    assert dead.evidence == {"hidden 1": n_dead / 32}
    assert dead.severity == severity


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softsign", "hard_tanh"])
def test_saturated_units(digits, network, activation):
    net = network(64, 16, 32, 10, activation=activation)
    net.weights[1][1][:24] = [50, -50] * 12
    found = diagnose(net, *digits[0])
    assert finding(found, "saturated_units").evidence == {"hidden 2": 0.75}
    assert "dead_units" not in found.names


def test_a_unit_that_few_samples_wake_is_not_dead(digits, network):
    X, y = digits[0]
    net = network(64, 32, 10)
    W, b = net.weights[0]
    b[:] = -np.sort(X @ W.T, axis=0)[-3]  # two samples of a thousand
    assert "dead_units" not in diagnose(net, X, y).names
    b[:] = -np.sort(X @ W.T, axis=0)[-1] - 1e-3
    assert finding(diagnose(net, X, y), "dead_units").evidence == {"hidden 1": 1.0}


def test_leaky_units_and_softmax_layers_are_never_dead(digits, network):
    for activation in ("leaky_relu", "softmax", "identity"):
        net = network(64, 32, 10, activation=activation)
        net.weights[0][1][:] = -200
        assert not {"dead_units", "saturated_units"} & {*diagnose(net, *digits[0]).names}


# Gradients and weights ---------------------------------------------------------------------------


def test_vanishing_gradients_have_the_product_of_the_slopes(digits, network):
    # σ' is 1/4 at 0, and orthogonal maps keep lengths: (1/4)^8 is what remains after 8 layers.
    net = network(64, *[64] * 8, 10, activation="sigmoid", initializer="orthogonal")
    for W, b in net.weights[1:]:
        W -= W.mean(axis=1, keepdims=True)  # of inputs of 1/2, so that z is 0
        b[:] = 0
    vanished = finding(diagnose(net, *digits[0]), "vanishing_gradients")
    sizes = list(vanished.evidence.values())
    assert list(vanished.evidence) == [*(f"hidden {i}" for i in range(1, 9)), "output"]
    ratios = np.array(sizes[1:-2]) / sizes[2:-1]
    # a little less than 1/4: the projection takes one direction of 64 away, and z is not quite 0
    assert ((ratios > 0.2) & (ratios < 0.26)).all()


def test_exploding_gradients(digits, network):
    net = network(64, *[64] * 4, 10, activation="identity", initializer="orthogonal")
    for W, _ in net.weights[1:-1]:
        W *= 12
    exploded = finding(diagnose(net, *digits[0]), "exploding_gradients")
    sizes = list(exploded.evidence.values())
    assert sizes[0] / sizes[3] == pytest.approx(12**3, rel=1e-6)  # orthogonal: exact to rounding


def test_gradients_are_those_of_each_sample_and_not_of_their_mean(digits, network):
    net = network(64, 10)
    X, y = digits[0]
    for W, _ in net.weights:
        W *= 1e-3
    p = softmax(net.logits(X), axis=1)
    expected = np.sqrt(np.square(p - np.eye(10)[y]).sum(axis=1).mean())
    from multilayer.doctor.case import look, sample_of
    from multilayer.doctor.gradients import gradient_sizes
    from multilayer.doctor.patient import admit

    patient = admit(net, "cross_entropy")
    sample, loss = sample_of(patient, X, y)

    class Seen:
        training = sample
        layers, dz = look(patient.net, sample, loss)

    # float32 against float64
    assert gradient_sizes(Seen)["output"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("initializer", ["zeros", "normal"])
def test_an_initializer_that_does_not_fit(digits, network, initializer):
    net = network(64, 64, 64, 64, 10, initializer=initializer)
    misfit = finding(diagnose(net, *digits[0]), "initializer_misfit")
    assert misfit.severity == ("wrong" if initializer == "zeros" else "warning")
    assert "initializer 'he' for relu" in misfit.advice
    if initializer == "zeros":
        assert misfit.evidence == {"hidden 1": 64, "hidden 2": 64, "hidden 3": 64}
    else:  # 0.01 √(64/2) = 0.057 a layer
        first, second, _ = misfit.evidence.values()
        assert 0.03 < second / first < 0.1


@pytest.mark.parametrize("activation", ["tanh", "softmax", "mish", "selu"])
def test_the_initializer_that_is_advised_is_the_activations_own(digits, network, activation):
    net = network(64, 8, 10, activation=activation, initializer="zeros")
    advice = finding(diagnose(net, *digits[0]), "initializer_misfit").advice
    assert f"initializer {ACTIVATIONS[activation].initializer!r} for {activation}" in advice


def test_weights_that_are_too_large(digits, network):
    net = network(64, 64, 64, 64, 10, initializer="lecun")
    for W, _ in net.weights:
        W *= 12
    assert "grows" in finding(diagnose(net, *digits[0]), "initializer_misfit").meaning


@pytest.mark.parametrize("to_engine", [lambda net: net, TorchMLP.from_numpy])
def test_weights_that_are_no_numbers(digits, network, to_engine):
    net = network(64, 32, 10)
    net = to_engine(net)
    weights = net.weights
    if isinstance(net, TorchMLP):
        net.last.weight.data[0, :3] = math.nan
    else:
        weights[1][0][0, :3] = math.nan
    [found] = diagnose(net, *digits[0])
    assert (found.name, found.severity) == ("non_finite_weights", "wrong")
    assert found.evidence == {"not finite": 3, "parameters": 2410}


# Data --------------------------------------------------------------------------------------------


def test_unscaled_inputs():
    X, y = load_wine(return_X_y=True)
    clf = MLPClassifier((8,), solver="sgd", max_iter=1000, random_state=0).fit(X, y)
    unscaled = finding(diagnose(clf, X, y), "unscaled_inputs")
    assert unscaled.severity == "wrong"
    expected = {
        "columns": 4,  # alcohol, alkalinity, magnesium, proline
        "largest column": 12,
        "its mean": pytest.approx(X[:, 12].mean()),
        "its standard deviation": pytest.approx(X[:, 12].std()),
    }
    assert unscaled.evidence == expected
    table, _ = load_wine(return_X_y=True, as_frame=True)
    unscaled = finding(diagnose(clf.fit(table, y), table, y), "unscaled_inputs")
    assert unscaled.evidence == expected | {"largest column": "proline"}


def test_positions_and_categories_have_a_scale_of_their_own():
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [rng.uniform(0, 300, 200), rng.normal(size=200), rng.integers(50, size=200)]
    )
    y = rng.integers(2, size=200)
    architecture = Architecture(3, (8,), 2, embeddings=Embeddings([(0, 300)], [(2, 50)]))
    net = MLP(architecture, rng=rng)
    assert "unscaled_inputs" not in diagnose(net, X, y).names
    X[:, 1] *= 1000
    evidence = finding(diagnose(net, X, y), "unscaled_inputs").evidence
    assert (evidence["columns"], evidence["largest column"]) == (1, 1)
    assert evidence["its standard deviation"] == pytest.approx(X[:, 1].std())
    every = Architecture(2, (8,), 2, embeddings=Embeddings([(0, 300)], [(1, 50)]))
    assert "unscaled_inputs" not in diagnose(MLP(every, rng=rng), X[:, [0, 2]], y).names


def test_faults_of_the_layer_behind_embeddings():
    rng = np.random.default_rng(0)
    X, y = rng.uniform(0, 3, size=(200, 2)), rng.integers(2, size=200)
    net = MLP(Architecture(2, (8,), 2, embeddings=Embeddings([(0, 3)])), rng=rng)
    (W, b), _ = net.weights[1:]
    b[:6] = -200
    assert finding(diagnose(net, X, y), "dead_units").evidence == {"hidden 1": 6 / 8}
    b[:] = 0
    W[:] = W[0]
    assert finding(diagnose(net, X, y), "initializer_misfit").evidence == {"hidden 1": 8}


def test_inputs_that_are_too_small(digits, network):
    X, y = digits[0]
    assert (
        "much smaller" in finding(diagnose(network(64, 10), X / 1e4, y), "unscaled_inputs").meaning
    )


def test_unscaled_targets():
    X, y = load_diabetes(return_X_y=True)
    settings = {"hidden_layer_sizes": (8,), "max_iter": 10, "random_state": 0, "tol": 0}
    with pytest.warns(ConvergenceWarning):
        raw = MLPRegressor(**settings).fit(X, y)
    with pytest.warns(ConvergenceWarning):
        scaled = MLPRegressor(**settings, scale_targets=True).fit(X, y)
    unscaled = finding(diagnose(raw, X, y), "unscaled_targets")
    assert unscaled.severity == "wrong"
    assert unscaled.evidence["mean"] == pytest.approx(y.mean())
    assert "unscaled_targets" not in diagnose(scaled, X, y).names


# Training ----------------------------------------------------------------------------------------


def test_a_learning_rate_that_is_too_high(digits, network, train):
    net = network(64, 32, 10)
    optimizer = SGD(learning_rate=2.0)  # the loss goes up by 5 powers of ten and more
    history = train(net, digits[0], optimizer=optimizer, n_epochs=5)
    high = finding(diagnose(net, *digits[0], history=history), "learning_rate_too_high")
    assert high.evidence["last loss"] == history["train_loss"][-1]
    tested = diagnose(net, *digits[0], optimizer=SGD(learning_rate=20.0))
    evidence = finding(tested, "learning_rate_too_high").evidence
    assert 10 * evidence["suggested"] < evidence["diverges at"] < evidence["learning rate"] == 20


def test_a_loss_that_became_nan(digits, healthy):
    net, _ = healthy
    history = {"train_loss": [2.3, 2.0, math.nan]}
    high = finding(diagnose(net, *digits[0], history=history), "learning_rate_too_high")
    assert high.evidence == {"epochs that diverged": 1}


def test_a_learning_rate_that_is_too_low(digits, network, train):
    net = network(64, 32, 10)
    history = train(net, digits[0], optimizer=SGD(learning_rate=1e-4), n_epochs=10)
    low = finding(diagnose(net, *digits[0], history=history), "learning_rate_too_low")
    assert low.severity == "warning"
    assert low.evidence["epochs"] == 10
    tested = diagnose(net, *digits[0], optimizer=Adam(learning_rate=1e-6))
    evidence = finding(tested, "learning_rate_too_low").evidence
    assert evidence["suggested"] > 1000 * evidence["learning rate"]


def test_a_network_that_is_not_trained_is_at_chance(digits, network):
    X, y = digits[0]
    net = network(64, 32, 10)
    chance = finding(diagnose(net, X, y), "chance_level")
    shares = np.bincount(y) / len(y)
    # the entropy of the classes, to float64's rounding
    assert chance.evidence["baseline loss"] == pytest.approx(-(shares * np.log(shares)).sum())


def test_a_loss_that_is_worse_than_a_constants_is_not_called_one():
    X, y = breast_cancer()
    clf = MLPClassifier((8,), solver="lbfgs", alpha=1.0, tol=1e-2, random_state=0).fit(X, y)
    flipped = finding(diagnose(clf, X, 1 - y), "chance_level")
    assert flipped.evidence["loss"] > 2 * flipped.evidence["baseline loss"]
    assert flipped.meaning.startswith("The loss is worse than the baseline's, ")
    X, y = load_diabetes(return_X_y=True)
    reg = MLPRegressor(hidden_layer_sizes=(8,), max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning):
        reg.fit(X, y / y.std())
    begun = finding(diagnose(reg, X, y / y.std()), "chance_level")
    assert begun.meaning == flipped.meaning


def test_a_constant_is_called_one(digits, network):
    X, y = digits[0]
    net = network(64, 10)
    for array in net.weights[0]:
        array *= 0
    assert "ignores the inputs" in finding(diagnose(net, X, y), "chance_level").meaning


def test_a_network_that_gets_rare_classes_right_has_learned_something(network):
    rng = np.random.default_rng(0)
    y = (np.arange(2000) < 34).astype(int)
    X = np.column_stack([rng.normal(size=2000), np.where(rng.random(2000) < 0.005, 1 - y, y)])
    net = network(2, 2)
    W, b = net.weights[0]
    W[:], b[:] = [[0, 0], [0, 100]], [50, 0]  # right on all but a few, of which it is far too sure
    found = diagnose(net, X, y)
    assert (net.logits(X).argmax(axis=1) == y).mean() > 0.99
    assert "chance_level" not in found.names


def test_a_line_between_circles_is_at_chance(network, train):
    X, y = make_circles(400, noise=0.05, factor=0.4, random_state=0)
    net = network(2, 2)
    train(net, (X, y))
    found = diagnose(net, X, y)
    assert "chance_level" in found.names
    under = finding(found, "underfitting")  # a linear fit is blind there, neighbours are not
    assert under.evidence["score of nearest neighbours"] > 0.95


def test_underfitting(digits, network, train):
    net = network(64, 1, 10)
    train(net, digits[0])
    under = finding(diagnose(net, *digits[0]), "underfitting")
    assert under.severity == "wrong"
    assert under.evidence["score"] < 0.6 < 0.9 < under.evidence["score of linear fit"]


def test_underfitted_values(network, train):
    X, y = load_diabetes(return_X_y=True)
    X, y = (StandardScaler().fit_transform(a.reshape(len(y), -1)) for a in (X, y))
    net = network(10, 16, 1)
    train(net, (X, y), loss="squared_error", l2=3.0)
    assert "underfitting" in diagnose(net, X, y).names


def test_overfitting_by_validation_samples(digits, network, train):
    (X, y), _ = digits
    noise = np.random.default_rng(0).permutation(y)  # labels that nothing explains
    net = network(64, 128, 10)
    history = train(net, (X[:300], noise[:300]), n_epochs=60)
    over = finding(
        diagnose(net, X[:300], noise[:300], validation=(X[300:], noise[300:])), "overfitting"
    )
    assert over.severity == "wrong"
    assert over.evidence["training score"] > 0.9
    assert over.evidence["validation score"] < 0.2
    assert "overfitting" not in diagnose(net, X[:300], noise[:300], history=history).names


def test_overfitting_by_the_validation_loss(digits, network, train):
    (X, y), _ = digits
    y = np.where(np.random.default_rng(0).random(len(y)) < 0.4, (y + 1) % 10, y)
    net = network(64, 128, 10)
    history = train(net, (X[:500], y[:500]), n_epochs=40, validation=(X[500:], y[500:]))
    over = finding(diagnose(net, X[:500], y[:500], history=history), "overfitting")
    losses = history["validation_loss"]
    assert over.evidence["lowest validation loss"] == min(losses)
    assert over.evidence["in epoch"] == history.best_epoch == losses.index(min(losses)) + 1


# Answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
def test_a_rare_class_that_is_passed_over(binary):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1] if binary else [0, 1, 2], [600, 40] if binary else [400, 400, 40])
    centres = np.array([[0.0, 0.0], [1.2, 0.0]] if binary else [[0, 0], [5, 0], [1, 0]])
    X = centres[y] + rng.normal(size=(len(y), 2))
    clf = MLPClassifier((8,), solver="lbfgs", alpha=1.0, max_iter=500, random_state=0).fit(X, y)
    rare = finding(diagnose(clf, X, y), "class_imbalance")
    is_rare = y == y.max()
    assert rare.evidence["class"] == y.max()
    assert rare.evidence["its samples"] == 40
    assert rare.evidence["its recall"] == pytest.approx((clf.predict(X) == y)[is_rare].mean())
    weighed = MLPClassifier(
        (8,), solver="lbfgs", alpha=1.0, max_iter=500, random_state=0, class_weight="balanced"
    ).fit(X, y)
    assert "class_imbalance" not in diagnose(weighed, X, y).names
    words = np.array(["ash", "birch", "rare one"])[y if not binary else 2 * y]
    found = diagnose(clf.fit(X, words), X, words)
    assert finding(found, "class_imbalance").evidence["class"] == "rare one"
    assert "class: rare one, its samples: 40" in str(found)
    assert json.loads(found.to_json())["findings"][0]["evidence"]["class"] == "rare one"


@pytest.mark.parametrize(("factor", "what"), [(8.0, "too sure"), (0.15, "not sure enough")])
def test_probabilities_that_are_not_frequencies(digits, network, train, factor, what):
    (X, y), held_out = digits
    net = network(64, 32, 10)
    train(net, (X[:200], y[:200]), n_epochs=20)
    assert "miscalibrated" not in diagnose(net, X[:200], y[:200], validation=held_out).names
    for array in net.weights[-1]:
        array *= factor
    wrong = finding(diagnose(net, X[:200], y[:200], validation=held_out), "miscalibrated")
    p = softmax(net.logits(held_out[0]), axis=1)
    assert what in wrong.meaning
    assert wrong.evidence["mean probability"] == pytest.approx(p.max(axis=1).mean(), rel=1e-5)
    assert wrong.evidence["frequency"] == (p.argmax(axis=1) == held_out[1]).mean()


def breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_too_strong_a_penalty_makes_a_network_unsure_on_its_own_samples_too():
    X, y = breast_cancer()
    clf = MLPClassifier(50, alpha=100, random_state=0).fit(X, y)
    unsure = finding(diagnose(clf, X, y), "miscalibrated")
    assert "not sure enough" in unsure.meaning
    assert "less l2, alpha" in unsure.advice
    p = clf.predict_proba(X).max(axis=1)
    assert unsure.evidence["mean probability"] == pytest.approx(p.mean(), rel=1e-5)
    assert unsure.evidence["frequency"] == clf.score(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_constant_probability_that_is_the_frequency_is_calibrated():
    X, y = breast_cancer()
    clf = MLPClassifier((30,) * 10, activation="logistic", max_iter=30, random_state=0).fit(X, y)
    assert np.ptp(clf.predict_proba(X)[:, 1]) < 1e-8
    found = diagnose(clf, X, y).names
    assert "chance_level" in found
    assert "miscalibrated" not in found


# The link function twice -------------------------------------------------------------------------


def test_a_training_that_took_probabilities_for_logits(digits, network):
    """As ``torch.nn.functional.cross_entropy(net(x), y)`` does of a network with softmax."""
    import torch

    X, y = (torch.tensor(a) for a in digits[0])
    net = TorchMLP.from_numpy(network(64, 32, 10, output="softmax"))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(X.float()), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    twice = finding(diagnose(net, *digits[0], history={"train_loss": losses}), "link_applied_twice")
    assert twice.severity == "wrong"
    # the floor of that loss: log(1 + (K − 1)/e)
    assert twice.evidence["loss of the history"] > math.log(1 + 9 / math.e)
    # measured one step later than the last loss
    assert twice.evidence["of probabilities as logits"] == pytest.approx(losses[-1], rel=0.02)


@dataclass(frozen=True)
class OfProbabilities(Loss):
    """A cross-entropy that takes outputs, and applies softmax to them itself."""

    softmax_again: bool

    name = "own"
    outputs = ("softmax",)
    takes_logits = False
    task = "classification"
    formula = "−log p"

    def per_sample(self, p, targets):
        rows = np.arange(len(p))
        log_p = log_softmax(p, axis=1) if self.softmax_again else np.log(np.maximum(p, 1e-12))
        gradient = np.exp(log_p) if self.softmax_again else np.zeros_like(p)
        gradient[rows, targets] -= (
            1 if self.softmax_again else 1 / np.maximum(p, 1e-12)[rows, targets]
        )
        return -log_p[rows, targets], gradient

    def targets(self, y, n_samples, out_features, dtype):
        return class_labels(y, n_samples, out_features)

    def predict(self, p):
        return p.argmax(axis=1)


def test_a_loss_of_outputs_that_applies_softmax_again(digits, network):
    net = network(64, 32, 10, output="softmax")
    twice = finding(diagnose(net, *digits[0], loss=OfProbabilities(True)), "link_applied_twice")
    assert twice.evidence["loss of perfect outputs"] == pytest.approx(math.log(1 + 9 / math.e))
    right = diagnose(net, *digits[0], loss=OfProbabilities(False))
    assert "link_applied_twice" not in right.names


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_of_an_estimator_fed_again(n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], y[y < n_classes]
    first = make_pipeline(
        StandardScaler(), MLPClassifier((8,), solver="lbfgs", alpha=1.0, random_state=0)
    ).fit(X, y)
    second = MLPClassifier((8,), solver="lbfgs", random_state=0)
    P = first.predict_proba(X)
    twice = finding(diagnose(second.fit(P, y), P, y), "link_applied_twice")
    assert twice.evidence == {
        "inputs": n_classes,
        "smallest": P.min(),
        "rows differ from a sum of 1 by": np.abs(P.sum(axis=1) - 1).max(),
    }
    logs = first.predict_log_proba(X)
    assert "link_applied_twice" not in diagnose(second.fit(logs, y), logs, y).names
