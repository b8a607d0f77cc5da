"""Embeddings against what others compute: interpolation, one-hot codes, and autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.preprocessing import OneHotEncoder

from multilayer import Architecture
from multilayer.embeddings import Embeddings
from multilayer.errors import InvalidDataError
from multilayer.numpy import MLP, Affine, Embedding, Ensemble, check_gradients, smooth_problem
from multilayer.numpy.fast.embed import description_of, embed, embed_backward, embed_few
from multilayer.torch import MLP as TorchMLP
from multilayer.training import fit


def layer_of(embeddings, in_features, dtype="float64", networks=(), seed=0):
    rng = np.random.default_rng(seed)
    V = rng.normal(size=(*networks, embeddings.n_vectors, embeddings.width)).astype(dtype)
    return Embedding(V, embeddings, in_features)


def samples(embeddings, in_features, n, rng, dtype="float64"):
    """Draw inputs, of which a half are knots and categories, and some are out of range."""
    X = rng.normal(size=(n, in_features)) * 3
    for place, size in (*embeddings.numbers, *embeddings.categories):
        X[:, place] = rng.uniform(-1.5, size + 1.5, size=n)
    X[n // 2 :] = np.round(X[n // 2 :])
    return X.astype(dtype)


def interpolated(t, V, speed):
    """Return max(0, s v(t)) for v with the sums of V's rows at 0, 1, …: NumPy's interpolation."""
    knots = np.cumsum(V, axis=0)
    return np.maximum(
        np.column_stack([np.interp(t, np.arange(len(V)), of_entry) for of_entry in knots.T])
        * speed,
        0,
    )


def one_hot(c, V):
    """Return the rows of V for scikit-learn's codes of categories, clipped to those there are."""
    codes = OneHotEncoder(categories=[range(len(V))], sparse_output=False)
    clipped = np.trunc(np.clip(c, 0, len(V) - 1))
    return codes.fit_transform(clipped[:, np.newaxis]) @ V


def expected(layer, x):
    """Return what a layer of one network should give."""
    found, start = [x[:, layer.plain]], 0
    for place, m in layer.embeddings.numbers:
        rows = layer.V[start : start + m + 1].astype(np.float64)
        found.append(interpolated(x[:, place], rows, layer.embeddings.speed))
        start += m + 1
    for place, n in layer.embeddings.categories:
        found.append(one_hot(x[:, place], layer.V[start : start + n].astype(np.float64)))
        start += n
    return np.concatenate(found, axis=1)


def autograd(layer, x, dy):
    """Return the gradient of V by PyTorch, from two rows read for each number."""
    V = torch.tensor(layer.V, dtype=torch.float64, requires_grad=True)
    t, start = torch.from_numpy(x.astype(np.float64)), 0
    found = [t[:, layer.plain]]
    for place, m in layer.embeddings.numbers:
        below = t[:, place].clamp(0, m).floor().clamp(max=m - 1).long()
        share = (t[:, place].clamp(0, m) - below).unsqueeze(1)
        sums = V[start : start + m + 1].cumsum(0)
        u = sums[below] * (1 - share) + sums[below + 1] * share
        found.append((layer.embeddings.speed * u).relu())
        start += m + 1
    for place, n in layer.embeddings.categories:
        codes = torch.nn.functional.one_hot(t[:, place].clamp(0, n - 1).long(), n)
        found.append(codes.double() @ V[start : start + n])
        start += n
    torch.cat(found, dim=1).backward(torch.from_numpy(dy).double())
    return V.grad.numpy()


@st.composite
def problems(draw):
    """Draw a layer, inputs, and a gradient of its results."""
    in_features = draw(st.integers(1, 6))
    places = draw(st.permutations(range(in_features)))
    n_embedded = draw(st.integers(1, in_features))
    n_numbers = draw(st.integers(0, n_embedded))
    sizes = draw(st.lists(st.integers(1, 9), min_size=n_embedded, max_size=n_embedded))
    pairs = list(zip(places, sizes, strict=False))
    embeddings = Embeddings(
        pairs[:n_numbers],
        pairs[n_numbers:],
        width=draw(st.integers(1, 5)),
        speed=draw(st.sampled_from([0.25, 1.0, 3.7])),
    )
    dtype = draw(st.sampled_from(["float32", "float64"]))
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    layer = layer_of(embeddings, in_features, dtype, seed=seed)
    x = samples(embeddings, in_features, draw(st.integers(1, 30)), rng, dtype)
    dy = rng.normal(size=(len(x), embeddings.out_features(in_features))).astype(dtype)
    return layer, x, dy


@given(problems())
def test_it_interpolates_and_looks_up_and_so_do_the_fast_passes(problem):
    layer, x, dy = problem
    dtype = x.dtype
    # Sums of up to ten numbers of about 1, times a speed; of up to thirty samples.
    tolerance = 300 * np.finfo(dtype).eps
    y, cache = layer.forward(x)
    assert y.dtype == dtype
    assert y.shape == (len(x), layer.embeddings.out_features(layer.in_features))
    np.testing.assert_allclose(y, expected(layer, x), rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(embed_few(layer)(x), y)
    dx, (dV,) = layer.backward(dy, cache)
    assert dx is None
    assert dV.dtype == dtype
    # A sum that is 0 but for rounding may be above or below it, and then another derivative holds.
    is_clear = (y[:, len(layer.plain) :] == 0) | (np.abs(y[:, len(layer.plain) :]) > 1e-3)
    numbers = slice(0, len(layer.embeddings.numbers) * layer.embeddings.width)
    dy[:, len(layer.plain) :][:, numbers] *= is_clear[:, numbers]
    _, (dV,) = layer.backward(dy, cache)
    np.testing.assert_allclose(dV, autograd(layer, x, dy), rtol=tolerance, atol=tolerance)
    for form in ("plain", "fastest"):
        result, gradient = np.empty_like(y), np.empty_like(layer.V)
        arguments = (*description_of(layer), layer.embeddings.speed)
        getattr(embed, form)(x, layer.V, *arguments, result)
        np.testing.assert_allclose(result, y, rtol=tolerance, atol=tolerance)
        getattr(embed_backward, form)(dy, y, x, *arguments, gradient)
        np.testing.assert_allclose(gradient, dV, rtol=tolerance, atol=tolerance)


BOTH = Embeddings([(4, 3), (0, 7)], [(2, 5), (5, 1)], width=3, speed=4.0)


def test_values_at_knots_are_sums_of_rows():
    layer = layer_of(Embeddings([(0, 3)], width=2), 1)
    layer.V[:] = np.abs(layer.V)  # so that nothing is cut off
    y, _ = layer.forward(np.array([[0.0], [1.0], [2.0], [3.0], [0.5], [-9.0], [1e300]]))
    sums = np.cumsum(layer.V, axis=0)
    np.testing.assert_allclose(y[:4], sums)
    np.testing.assert_allclose(y[4], (sums[0] + sums[1]) / 2)
    np.testing.assert_array_equal(y[5:], sums[[0, 3]])


def test_other_inputs_come_first_and_keep_their_order():
    layer = layer_of(Embeddings([(3, 2)], [(1, 2)], width=2), 5)
    x = np.arange(10.0).reshape(2, 5)
    y, _ = layer.forward(x)
    np.testing.assert_array_equal(y[:, :3], x[:, [0, 2, 4]])


@pytest.mark.parametrize("is_shared", [True, False])
def test_each_of_several_networks_has_its_own_vectors(is_shared):
    layer = layer_of(BOTH, 6, networks=(3,))
    rng = np.random.default_rng(1)
    x = np.stack([samples(BOTH, 6, 12, rng) for _ in range(3)])
    inputs = x[0] if is_shared else x
    y, cache = layer.forward(inputs)
    np.testing.assert_array_equal(embed_few(layer)(inputs), y)
    dy = rng.normal(size=y.shape)
    _, (dV,) = layer.backward(dy, cache)
    for k in range(3):
        alone = Embedding(layer.V[k], BOTH, 6)
        own, own_cache = alone.forward(inputs if is_shared else inputs[k])
        np.testing.assert_array_equal(y[k], own)
        np.testing.assert_allclose(dV[k], alone.backward(dy[k], own_cache)[1][0], atol=1e-14)


def test_nothing_given_is_changed():
    layer = layer_of(BOTH, 6)
    x = samples(BOTH, 6, 12, np.random.default_rng(1))
    before, V = x.copy(), layer.V.copy()
    y, cache = layer.forward(x)
    dy = np.ones_like(y)
    layer.backward(dy, cache)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(layer.V, V)
    assert (dy == 1).all()


@pytest.mark.parametrize(
    "variant",
    [
        {"normalization": None},
        {"normalization": "batch", "dropout": 0.3},
        {"normalization": "layer", "residual": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_gradients_of_networks_are_differences(loss, variant):
    embeddings = Embeddings([(1, 2), (3, 1)], [(0, 2)], width=2, speed=1.5)
    architecture = Architecture(4, (3, 3), 2, activation="tanh", embeddings=embeddings, **variant)
    net, X, y = smooth_problem(architecture, loss, np.random.default_rng(0))
    report = check_gradients(net, X, y, loss=loss, l1=0.01, l2=0.1)
    assert report.passed, report
    assert report.arrays[0].shape == (embeddings.n_vectors, 2)
    assert "X" not in [line.name for line in report.arrays]


def test_a_wrong_gradient_is_found(monkeypatch):
    embeddings = Embeddings([(1, 2)], [(0, 2)], width=2)
    architecture = Architecture(2, (3,), 1, activation="tanh", embeddings=embeddings)
    net, X, y = smooth_problem(architecture, "squared_error", np.random.default_rng(0))
    right = Embedding.backward

    def wrong(self, dy, cache, *, need_dx=True):
        dx, (dV,) = right(self, dy, cache, need_dx=need_dx)
        return dx, (dV * 1.001,)

    monkeypatch.setattr(Embedding, "backward", wrong)
    assert not check_gradients(net, X, y, loss="squared_error").passed


def test_a_penalty_is_one_of_its_weights_too():
    net = MLP(Architecture(6, (4,), 2, embeddings=BOTH), dtype="float64",
              rng=np.random.default_rng(0))  # fmt: skip
    X = samples(BOTH, 6, 8, np.random.default_rng(1))
    y = np.zeros((8, 2))
    plain, _ = net.loss_and_gradients(X, y, loss="squared_error")
    penalised, _ = net.loss_and_gradients(X, y, loss="squared_error", l1=0.1, l2=0.3)
    weights = [W for W, _ in net.weights]
    assert weights[0].shape == (BOTH.n_vectors, BOTH.width)
    penalty = sum(0.1 * np.abs(W).sum() + 0.15 * (W**2).sum() for W in weights)
    assert penalised - plain == pytest.approx(penalty)


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_first_vectors_of_numbers_are_as_large_at_any_speed_and_number_of_pieces(speed):
    rng = np.random.default_rng(0)
    for m in (1, 8, 64):
        embeddings = Embeddings([(0, m)], [(1, 9)], width=4000, speed=speed)
        net = MLP(Architecture(2, (1,), 1, embeddings=embeddings), dtype="float64", rng=rng)
        layer = net.network.layers[0]
        # v₀ is uniform in ±1/2, and the last knot adds a normal variable of variance 1.
        whole = speed * layer.V[: m + 1].sum(axis=0)
        assert stats.kstest(speed * layer.V[0], stats.uniform(-0.5, 1).cdf).pvalue > 1e-3
        assert whole.std() == pytest.approx(np.sqrt(1 + 1 / 12), rel=0.05)
        assert layer.V[m + 1 :].std() == pytest.approx(0.3, rel=0.05)


def test_initializers_draw_the_affine_layers_and_zeros_are_zeros():
    rng = np.random.default_rng(0)
    architecture = Architecture(6, (4,), 2, embeddings=BOTH)
    assert not MLP(architecture, initializer="zeros").parameters.any()
    net = MLP(architecture, initializer="he", rng=rng)
    assert net.weights[0][0].any()
    assert isinstance(net.network.layers[1], Affine)
    assert net.weights[1][0].shape == (4, BOTH.out_features(6))


def test_a_network_learns_what_no_affine_layer_sees():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(0, 8, 500), rng.integers(6, size=500)])
    y = np.abs(X[:, 0] % 2 - 1) + np.isin(X[:, 1], [1, 2, 5])  # up and down, linear between knots
    losses = []
    for embeddings in (None, Embeddings([(0, 8)], [(1, 6)], speed=4.0)):
        net = MLP(Architecture(2, (8,), 1, embeddings=embeddings), rng=np.random.default_rng(1))
        history = fit(net, (X, y), loss="squared_error", optimizer="adam", n_epochs=60,
                      rng=np.random.default_rng(2))  # fmt: skip
        losses.append(history["train_loss"][-1])
    assert losses[1] < losses[0] / 4


def test_members_of_an_ensemble_predict_as_they_do_alone():
    ensemble = Ensemble(Architecture(6, (4,), 2, embeddings=BOTH), 3, dtype="float64",
                        rng=np.random.default_rng(0))  # fmt: skip
    X = samples(BOTH, 6, 12, np.random.default_rng(1))
    for k, net in enumerate(ensemble):
        np.testing.assert_allclose(ensemble(X)[k], net(X), atol=1e-14)


def test_categories_have_no_gradient():
    embeddings = Embeddings(categories=((0, 3),), width=2)
    net = MLP(Architecture(2, (3,), 1, embeddings=embeddings), dtype="float64")
    for each in (net, TorchMLP.from_numpy(net)):
        with pytest.raises(InvalidDataError, match=r"X must .* embed"):
            each.jacobian([[1, 0.5]])
        with pytest.raises(InvalidDataError, match=r"X must .* embed"):
            each.input_gradients([[1, 0.5]], [0.0], loss="squared_error")
