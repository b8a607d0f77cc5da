"""A walk through one sample, against autograd, and what is written against arithmetic."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from multilayer import Architecture
from multilayer.numpy import ACTIVATIONS, LOSSES, MLP
from multilayer.playground.data_sets import read_csv, samples_of
from multilayer.playground.inside import look_into
from multilayer.playground.pictures import SHOWN
from multilayer.playground.settings import Settings
from multilayer.playground.training import Training
from multilayer.playground.walk import typesetting, walk_through
from multilayer.playground.walk.chain import chain_of
from multilayer.playground.walk.course import steps_of
from multilayer.playground.walk.typesetting import number, typeset
from multilayer.torch.activations import ACTIVATIONS as MODULES

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text())
FUNCTIONS = {name: module() for name, module in MODULES.items()}
OF_LOSS = {
    "binary_cross_entropy": lambda z, p, y: F.binary_cross_entropy_with_logits(
        z, y, reduction="sum"
    ),
    "cross_entropy": lambda z, p, y: F.cross_entropy(z, y),
    "squared_error": lambda z, p, y: 0.5 * F.mse_loss(p, y, reduction="sum"),
    "absolute_error": lambda z, p, y: F.l1_loss(p, y, reduction="sum"),
    "huber": lambda z, p, y: F.huber_loss(p, y, reduction="sum"),
}
CASES = [  # loss, output, number of outputs
    ("binary_cross_entropy", "sigmoid", 1),
    ("cross_entropy", "softmax", 3),
    ("squared_error", "sigmoid", 1),
    ("squared_error", "softmax", 3),
    ("squared_error", "identity", 1),
    ("absolute_error", "identity", 1),
    ("huber", "identity", 2),
]
WORDS = {
    r"\cdot": "*",
    r"\left(": "(",
    r"\right)": ")",
    r"\lvert": "size(",
    r"\rvert": ")",
    r"\tfrac12": "0.5 *",
    r"\operatorname{sign}": "sign",
    "\\": "",
}
KNOWN = {
    "e": math.e,
    "size": abs,
    "max": max,
    "min": min,
    "log": math.log,
    "tanh": math.tanh,
    "sign": np.sign,
    "Phi": lambda z: 0.5 * (1 + math.erf(z / math.sqrt(2))),
    "varphi": lambda z: math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi),
}


def net_of(widths, activation, normalization, output, seed):
    n_in, *hidden, n_out = widths
    architecture = Architecture(
        n_in, tuple(hidden), n_out, activation=activation, output=output,
        normalization=normalization,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    net = MLP(architecture, dtype="float64", rng=rng)
    net.parameters[:] = rng.normal(scale=0.7, size=net.n_parameters)
    net.set_state({name: rng.uniform(0.3, 2, len(array)) for name, array in net.state.items()})
    return net, rng


def sample_of(net, loss, rng):
    """Return inputs and a target, as NumPy and as PyTorch take them."""
    x = rng.normal(size=(1, net.architecture.in_features))
    n_out = net.architecture.out_features
    if loss == "cross_entropy":
        y = rng.integers(n_out, size=1)
    elif loss == "binary_cross_entropy":
        y = rng.integers(2, size=(1, 1)).astype(float)
    else:
        y = rng.normal(size=(1, n_out))
    return x, y, torch.tensor(x), torch.tensor(y)


def through_torch(net, loss, x, y):
    """Return, by kind, layer and unit, every number that autograd finds."""
    normalization = net.architecture.normalization
    hidden = net.architecture.hidden_layers
    pairs = [
        [torch.tensor(0.0 if a is None else a, requires_grad=True) for a in pair]
        for pair in net.weights
    ]
    stride = 2 if normalization else 1
    states = iter([torch.tensor(a) for a in net.state.values()])
    q = {}
    a = x
    for k in range(1, len(hidden) + 2):
        W, b = pairs[stride * (k - 1)]
        u = a @ W.T + b
        q["u", k] = z = u
        if normalization and k <= len(hidden):
            gamma, beta = pairs[stride * (k - 1) + 1]
            if normalization == "layer":
                z = F.layer_norm(u, u.shape[1:], gamma, beta)
            else:
                z = F.batch_norm(u, next(states), next(states), gamma, beta)
        name = hidden[k - 1].activation if k <= len(hidden) else net.architecture.output
        a = FUNCTIONS[name](z)
        if a is z:
            a = z * 1
        q |= {("z", k): z, ("a", k): a}
    for each in q.values():
        each.retain_grad()
    value = OF_LOSS[loss](z, a, y)
    value.backward()
    found = {("loss", k, None): value.item()}
    for (kind, at), tensor in q.items():
        for j, each in enumerate(tensor[0].tolist()):
            found[kind, at, j] = each
            if tensor.grad is not None:
                found[f"d{kind}", at, j] = tensor.grad[0, j].item()
    gradients = {k: pairs[stride * (k - 1)][0].grad for k in range(1, len(hidden) + 2)}
    return found, gradients


def check_numbers(steps, found, gradients):
    for step in steps:
        if step.kind == "dW":
            row = gradients[step.layer][step.unit]
            assert step.weights == pytest.approx(row[:SHOWN].tolist(), rel=1e-9, abs=1e-12)
            assert step.value == pytest.approx(found["du", step.layer, step.unit], abs=1e-12)
        elif step.kind == "update":
            largest = max(float(g[:SHOWN, :SHOWN].abs().max()) for g in gradients.values())
            found_there = gradients[step.layer][step.unit, step.input].abs().item()
            assert found_there == pytest.approx(largest)
        else:
            unit = None if step.kind == "loss" else step.unit
            assert step.value == pytest.approx(
                found[step.kind, step.layer, unit], rel=1e-9, abs=1e-12
            )


def arithmetic(tex):
    """Return what a side of an equation in TeX comes to; None if it is no arithmetic."""
    tex = re.sub(r"\\underset\{\\text\{[^}]*\}\}", "", tex)
    while (found := re.sub(r"\\frac\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}\{((?:[^{}]|\{[^{}]*\})*)\}",
                           r"((\1) / (\2))", tex)) != tex:  # fmt: skip
        tex = found
    tex = re.sub(r"\\times 10", "* 10", tex)
    for word, plain in WORDS.items():
        tex = tex.replace(word, plain)
    tex = re.sub(r"(tanh|log) ([\d.]+)", r"\1(\2)", tex)
    tex = tex.replace("^", "**").replace("{", "(").replace("}", ")")
    tex = re.sub(r"([\d.)]) (?=[(\d]|tanh|varphi|Phi)", r"\1 * ", tex)
    try:
        return eval(tex, {"__builtins__": {}}, KNOWN)
    except (SyntaxError, NameError, TypeError):
        return None


def check_arithmetic(steps):
    """Check that what is written as equal is equal."""
    n_checked = 0
    for step in steps:
        text = re.sub(r"\\begin{aligned}|\\end{aligned}|&", "", step.numbers)
        for line in text.replace(r"\leftarrow", "=").split(r"\\ "):
            sides = [arithmetic(side) for side in line.split(" = ")[1:]]
            values = [side for side in sides if side is not None]
            assert values, line
            n_checked += len(values) - 1
            assert values == pytest.approx([values[-1]] * len(values), rel=1e-7, abs=1e-9), line
    return n_checked


@pytest.fixture
def in_full(monkeypatch):
    """Write numbers with so many digits that equations can be checked."""
    monkeypatch.setattr(typesetting, "DIGITS", 14)


def walk_of(widths, activation, normalization, loss, output, seed):
    net, rng = net_of(widths, activation, normalization, output, seed)
    x, y, *as_tensors = sample_of(net, loss, rng)
    chain = chain_of(net, x, y, LOSSES[loss]())
    is_regression = output == "identity"
    steps = steps_of(chain, normalization, 0.1, is_regression=is_regression)
    return steps, through_torch(net, loss, *as_tensors)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize(("loss", "output", "n_out"), CASES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_number_is_that_of_autograd(activation, loss, output, n_out, normalization, in_full):
    steps, oracle = walk_of((2, 3, 12, n_out), activation, normalization, loss, output, 1)
    check_numbers(steps, *oracle)
    assert check_arithmetic(steps) > 40


@settings(max_examples=20)
@given(
    st.lists(st.integers(1, 14), min_size=1, max_size=4),
    st.sampled_from(list(ACTIVATIONS)),
    st.sampled_from([None, "batch", "layer"]),
    st.sampled_from(CASES),
    st.integers(0, 2**32 - 1),
)
def test_walks_of_any_shape(widths, activation, normalization, case, seed):
    loss, output, n_out = case
    if len(widths) == 1:
        normalization = None
    steps, oracle = walk_of((*widths, n_out), activation, normalization, loss, output, seed)
    check_numbers(steps, *oracle)
    shown = sum(min(SHOWN, n) for n in (*widths[1:], n_out))
    assert sum(step.kind == "dW" for step in steps) == shown


@pytest.mark.parametrize(
    ("n_inputs", "normalization", "words"),
    [
        (1, None, "multiplies its input by its weight, and adds its bias"),
        (2, None, "multiplies each of its 2 inputs by a weight, sums, and adds its bias"),
        (1, "batch", "multiplies its input by its weight"),
        (2, "batch", "multiplies each of its 2 inputs by a weight, and sums"),
    ],
)
def test_a_sum_in_words(n_inputs, normalization, words):
    steps, _ = walk_of((n_inputs, 2, 1), "tanh", normalization, "huber", "identity", 0)
    assert steps[0].words == f"Unit 1 of hidden layer 1 {words}."


def test_the_order_is_there_and_back():
    steps, _ = walk_of((2, 2, 1), "tanh", None, "binary_cross_entropy", "sigmoid", 0)
    told = [(step.kind, step.layer, step.unit) for step in steps]
    assert told[:-1] == [
        ("z", 1, 0), ("a", 1, 0), ("z", 1, 1), ("a", 1, 1), ("z", 2, 0), ("a", 2, 0),
        ("loss", 2, 0), ("dz", 2, 0), ("dW", 2, 0),
        ("da", 1, 0), ("dz", 1, 0), ("dW", 1, 0), ("da", 1, 1), ("dz", 1, 1), ("dW", 1, 1),
    ]  # fmt: skip
    assert steps[-1].kind == "update"
    assert [step.is_back for step in steps] == [False] * 7 + [True] * 9


def training_of(table=None, data=(), **others):
    found = Settings.of(SETTINGS | others | {"data": SETTINGS["data"] | dict(data)})
    return Training(found, samples_of(found.data, table))


def test_the_sample_is_the_one_that_is_shown():
    training = training_of(data={"kind": "blobs"})
    while training.step() and training.loop.run.is_under_way:
        pass
    training.step()
    for sample in (0, len(training.samples.rows)):  # the second is one to validate on
        walk = walk_through(training, sample)
        assert (walk["sample"], walk["epoch"], walk["step"]) == (sample, 2, 1)
        row = training.samples.shown[sample]
        p = training.net(training.samples.X[[row]])[0]
        outputs = [step["value"] for step in walk["steps"] if step["kind"] == "a"][-3:]
        assert outputs == pytest.approx(p.tolist(), rel=1e-4)  # which float32 computed
        (loss,) = (step["value"] for step in walk["steps"] if step["kind"] == "loss")
        y = np.searchsorted(training.samples.targets.classes, training.samples.y[row])
        assert loss == pytest.approx(-math.log(p[y]), rel=1e-4)


def test_a_unit_is_looked_into_as_in_the_walk():
    training = training_of(hidden=[2, 3], activation=["relu", "tanh"], normalization="layer")
    steps = walk_through(training, 5)["steps"]
    for layer, unit in ((1, 1), (2, 0), (3, 0)):
        found = look_into(training, layer, unit, 5)
        own = [s for s in steps if (s["layer"], s["unit"], s["is_back"]) == (layer, unit, False)]
        assert found["rules"] == [s["rule"] for s in own if s["kind"] != "loss"]
        assert len(found["numbers"]) == len(found["rules"])


def test_what_a_walk_leaves_out_is_said():
    plain = walk_through(training_of(), 0)
    assert plain["notes"] == []
    told = training_of(dropout=0.5, normalization="batch", l2=0.1)
    assert len(walk_through(told, 0)["notes"]) == 3
    rows = "".join(f"{i},{i * 1.5}\n" for i in range(40))
    table, _ = read_csv(("a,b\n" + rows).encode())
    found = walk_through(training_of(table, {"kind": "table"}), 0)
    assert found["notes"] == ["The target is standardized to mean 0 and standard deviation 1."]


def test_formulas_in_plain_text_become_tex():
    assert typeset("(eᶻ − e⁻ᶻ)/(eᶻ + e⁻ᶻ)") == r"\frac{e^{z} - e^{-z}}{e^{z} + e^{-z}}"
    assert typeset("√(2/π) (z + 0.044715 z³)") == (r"\sqrt{\frac{2}{\pi}} ( z + 0.044715 z^{3} )")
    assert typeset("1/(1 + |z|)²") == r"\frac{1}{( 1 + \lvert z \rvert )^{2}}"
    assert typeset("my_formula(z) → 3") == r"\operatorname{my}_f \operatorname{ormula} ( z ) → 3"


@given(st.floats(-1e300, 1e300) | st.just(math.inf) | st.just(math.nan))
def test_numbers_become_tex(value):
    tex = number(value)
    if math.isfinite(value):
        mantissa, _, rest = tex.partition(r" \times 10^{")
        again = float(mantissa) * 10.0 ** int(rest.rstrip("}") or 0)
        # three digits; the power may be a denormal number's
        assert again == pytest.approx(value, rel=5.1e-3, abs=1e-320)
    else:
        assert tex in (r"\infty", r"-\infty", r"\text{NaN}")
