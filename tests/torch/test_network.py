"""The module: what plain PyTorch code would have built, usable wherever a module is."""

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from multilayer import Architecture
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.numpy import MLP as NumpyMLP
from multilayer.torch import ACTIVATIONS, LOSSES, MLP, OPTIMIZERS, OUTPUTS

RICH = Architecture(3, (5, 5), 2, activation=("tanh", "gelu"), normalization="batch",
                    dropout=0.3, residual=True, output="log_softmax", noise=0.1)  # fmt: skip


def test_from_widths_has_the_known_counts():
    net = MLP.from_widths(784, [32, 64, 128, 64], 10, activation="tanh")
    assert len(list(net.parameters())) == 10
    assert sum(p.numel() for p in net.parameters()) == 44_458
    assert net(torch.zeros(7, 1, 28, 28)).shape == (7, 10)


def test_printing_shows_the_layers():
    text = str(MLP(RICH))
    for part in ("Linear(in_features=3, out_features=5", "BatchNorm1d(5", "Tanh()", "Dropout(0.3)",
                 "GaussianNoise(0.1)", "Residual(", "GELU", "LogSoftmax(dim=-1)"):  # fmt: skip
        assert part in text


def test_initial_weights_are_those_of_plain_pytorch_code():
    torch.manual_seed(7)
    plain = nn.Sequential(
        nn.Flatten(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)
    )
    torch.manual_seed(7)
    net = MLP.from_widths(4, [6, 5], 3)
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    X = torch.randn(9, 2, 2)
    torch.testing.assert_close(net(X), plain(X), rtol=0, atol=0)


def test_initializers_draw_the_numpy_engines_weights():
    net = MLP(RICH, initializer="glorot", rng=np.random.default_rng(3))
    twin = NumpyMLP(RICH, initializer="glorot", rng=np.random.default_rng(3))
    for ours, theirs in zip(net.weights, twin.weights, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_crosses_the_engines_in_one_call(dtype):
    rng = np.random.default_rng(0)
    ours = NumpyMLP(RICH, dtype=dtype, rng=rng)
    ours.set_state({name: rng.uniform(0.5, 2, size=5) for name in ours.state})
    theirs = MLP.from_numpy(ours).eval()
    assert theirs.dtype == dtype
    X = rng.normal(size=(4, 3)).astype(dtype)
    with torch.no_grad():
        outputs = theirs(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(outputs, ours(X), rtol=1e-5 if dtype == "float32" else 1e-12)
    again = theirs.to_numpy()
    assert again.dtype == ours.dtype
    assert again(X).tobytes() == ours(X).tobytes()
    theirs.last.weight.data.zero_()  # the memory is its own
    assert again(X).tobytes() == ours(X).tobytes()
    with pytest.raises(InvalidArgumentError, match=r"^device must be 'auto' or a device"):
        MLP.from_numpy(ours, device="quantum")


def test_weights_and_state_cross_in_both_directions():
    rng = np.random.default_rng(0)
    ours = NumpyMLP(RICH, dtype="float64", rng=rng)
    ours.set_state({name: rng.uniform(0.5, 2, size=5) for name in ours.state})
    theirs = MLP(RICH, dtype="float64")
    theirs.set_weights(ours.weights)
    theirs.set_state(ours.state)
    X = rng.normal(size=(6, 3))
    theirs.eval()
    outputs = theirs(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(outputs, ours(X), rtol=1e-12)

    back = NumpyMLP(RICH, dtype="float64", rng=rng)
    back.set_weights(theirs.weights)
    back.set_state(theirs.state)
    np.testing.assert_array_equal(back(X), ours(X))


def test_wrong_weights_change_nothing():
    net = MLP(RICH)
    before = [p.clone() for p in net.parameters()]
    weights = net.weights
    with pytest.raises(InvalidDataError):
        net.set_weights(weights[:-1])
    with pytest.raises(InvalidDataError):
        net.set_weights([*weights[:-1], (np.full((2, 5), np.nan), np.zeros(2))])
    for p, old in zip(net.parameters(), before, strict=True):
        torch.testing.assert_close(p, old, rtol=0, atol=0)


def test_works_in_a_plain_loop_with_a_data_loader_and_any_optimizer():
    torch.manual_seed(0)
    X = torch.randn(256, 2)
    y = (X[:, 0] * X[:, 1] > 0).long()
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(X, y), batch_size=32, shuffle=True
    )
    net = MLP.from_widths(2, [32], 2, activation="tanh")
    optimizer = torch.optim.Adamax(net.parameters(), lr=0.02)
    for _ in range(30):
        for batch, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(batch), labels).backward()
            optimizer.step()
    assert (net(X).argmax(1) == y).float().mean() > 0.95


def test_state_dict_goes_through_a_file():
    net, other = MLP(RICH), MLP(RICH)
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    X = torch.randn(4, 3)
    net.eval()
    other.eval()
    torch.testing.assert_close(net(X), other(X), rtol=0, atol=0)


def test_compiles():
    net = MLP.from_widths(4, [8], 2)
    compiled = torch.compile(net, backend="eager")  # no C++ compiler is needed for this one
    X = torch.randn(5, 4)
    torch.testing.assert_close(compiled(X), net(X), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exp_is_finite_and_its_gradient_too(dtype):
    net = MLP(Architecture(1, (), 1, output="exp"), dtype=dtype)
    net.set_weights([([[1.0]], [0.0])])
    x = torch.tensor([[1e4], [-1e4], [1.0]], dtype=getattr(torch, dtype), requires_grad=True)
    out = net(x)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()


def test_unknown_devices_are_named_with_those_that_there_are():
    for device in ("cuda:9", "nonsense"):
        with pytest.raises(InvalidArgumentError) as caught:
            MLP(RICH, device=device)
        assert str(caught.value).startswith(
            "device must be 'auto' or a device that PyTorch finds here: cpu"
        )
        assert str(caught.value).endswith(f"got {device!r}")
    assert MLP(RICH, device="auto").device.type in ("cpu", "cuda", "mps")


def test_the_engines_change_places_by_one_import():
    ours = NumpyMLP(RICH, rng=np.random.default_rng(0))
    theirs = MLP(RICH, rng=np.random.default_rng(0)).to_numpy()
    np.testing.assert_array_equal(theirs.parameters, ours.parameters)


def test_every_word_has_a_meaning_in_both_engines():
    from multilayer import numpy as scratch

    for theirs, ours in (
        (ACTIVATIONS, scratch.ACTIVATIONS),
        (OUTPUTS, scratch.OUTPUTS),
        (LOSSES, scratch.LOSSES),
        ({*OPTIMIZERS, "lbfgs"}, scratch.OPTIMIZERS),
    ):
        assert set(theirs) == set(ours)


def test_without_torch_the_message_names_the_extra():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from multilayer.errors import MissingPackageError\n"
        "try:\n    import multilayer.torch\n"
        "except MissingPackageError as error:\n    print(error, isinstance(error, ImportError))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == (
        'multilayer.torch needs PyTorch: pip install "multilayer[torch]" True'
    )
