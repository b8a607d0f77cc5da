"""Recorded steps are steps: bit for bit, whatever the training has.

There is no CUDA device where most of these tests run, so a `Tape` takes the part of a CUDA graph.
Like one it sees kernels only: it notes each with the tensors that it reads and writes, and replays
them without Python. What a step does in Python is therefore done once, numbers of Python are those
of the recording, and a look at a number of a tensor is an error.
"""

import importlib
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from multilayer import Architecture
from multilayer.errors import DivergenceError
from multilayer.numpy import LOSSES, OPTIMIZERS, SGD, Adam, Huber, Lion, Quantile
from multilayer.samples import LazySamples
from multilayer.torch import ACTIVATIONS, MLP, Trainer, capture
from multilayer.torch.placement import place, together
from multilayer.training import Callback, Checkpoint, fit

HYPERPARAMETERS = [name for name, cls in OPTIMIZERS.items() if cls.takes_steps]

ATEN = torch.ops.aten
LOOKS = (ATEN._local_scalar_dense.default, ATEN.nonzero.default, ATEN.equal.default,
         ATEN.masked_select.default, ATEN.is_nonzero.default)  # fmt: skip
"""What a host waits for a device with."""

N_SAMPLES, BATCH_SIZE = 70, 16  # four batches and a short one


def tensors_of(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def address(tensor):
    return tensor.untyped_storage().data_ptr()


class Tape(TorchDispatchMode):
    """Notes kernels while it is entered; `replay` runs them again, in the same memory."""

    on_host = ()
    """Addresses of tensors that lie on the host where others are on a GPU."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.own = set()
        self.before = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in LOOKS:
            assert address(args[0]) in self.on_host, f"{function} in a recording"
        for value in self.written(function, args, kwargs):
            for tensor in tensors_of(value):
                if address(tensor) not in self.own | self.before.keys():
                    storage = tensor.untyped_storage()
                    self.before[address(tensor)] = storage, storage.clone()
        result = function(*args, **kwargs)
        given = {address(tensor) for tensor in tensors_of((args, kwargs))}
        results = [tensor.detach() for tensor in tensors_of(result)]
        made = [address(tensor) not in given for tensor in results]
        self.own |= {address(t) for t, is_made in zip(results, made, strict=True) if is_made}
        self.calls.append((function, args, kwargs, results, made))
        return result

    @staticmethod
    def written(function, args, kwargs):
        for i, argument in enumerate(function._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                yield args[i] if i < len(args) else kwargs.get(argument.name)
        if function is ATEN.native_batch_norm.default:  # whose schema does not tell
            yield args[3:5]

    def undo(self):
        """Put back what was written: a CUDA graph's recording does nothing."""
        for storage, content in self.before.values():
            storage.copy_(content)

    @torch.no_grad()
    def replay(self):
        for function, args, kwargs, results, made in self.calls:
            again = tensors_of(function(*args, **kwargs))
            for result, new, is_made in zip(results, again, made, strict=True):
                if is_made:
                    result.copy_(new)


class Tapes:
    """What `CudaGraphs` is on a GPU."""

    n_recorded = n_rehearsed = n_replayed = 0

    def __init__(self, device, generator):
        self.generator = generator

    def rehearse(self, run):
        Tapes.n_rehearsed += 1
        run()

    def record(self, run):
        Tapes.n_recorded += 1
        tape, state = Tape(), self.generator.get_state()
        with tape:
            run()
        tape.undo()
        self.generator.set_state(state)

        def replay():
            Tapes.n_replayed += 1
            tape.replay()

        return replay


@pytest.fixture
def graphs(monkeypatch):
    """Make the CPU a device whose steps can be recorded."""
    monkeypatch.setattr(capture, "DEVICE", "cpu")
    monkeypatch.setattr(capture, "CudaGraphs", Tapes)
    for name in ("n_recorded", "n_rehearsed", "n_replayed"):
        monkeypatch.setattr(Tapes, name, 0)
    for name in ("nadam", "rmsprop"):  # Adam's fused kernel does not ask
        module = importlib.import_module(f"torch.optim.{name}")
        monkeypatch.setattr(
            module, "_get_capturable_supported_devices", lambda supports_xla=True: ["cpu", "meta"]
        )
    return monkeypatch


def problem(loss="cross_entropy", n_samples=N_SAMPLES):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 6)).astype(np.float32)
    kind = LOSSES[loss]()
    if kind.task == "classification":
        return X, rng.integers(3, size=n_samples)
    y = (
        rng.integers(2, size=(n_samples, 3))
        if kind.task == "multilabel"
        else rng.random((n_samples, 3))
    )
    return X, y


def make_net(**fields):
    fields = {"activation": "tanh", "output": "identity"} | fields
    architecture = Architecture(6, (8, 8), 3, **fields)
    return MLP(architecture, initializer="he", rng=np.random.default_rng(1))


def make_trainer(net=None, loss="cross_entropy", **settings):
    settings = {"optimizer": "adam", "rng": np.random.default_rng(2)} | settings
    return Trainer(make_net() if net is None else net, loss=loss, **settings)


def numbers(trainer):
    """Everything that a step changes, as arrays."""
    found = {f"net.{name}": t for name, t in trainer.net.state_dict().items()}
    found |= {f"gradient.{name}": p.grad for name, p in trainer.net.named_parameters()}
    state = trainer._torch_optimizer.state_dict()["state"]
    found |= {f"{i}.{name}": t for i, each in state.items() for name, t in each.items()}
    if trainer._average is not None:
        found |= {f"average.{name}": t for name, t in trainer._average.net.state_dict().items()}
    found["masks"] = trainer._generator.get_state()
    return {name: None if t is None else t.detach().numpy().copy() for name, t in found.items()}


def assert_same(mine, other):
    assert mine.keys() == other.keys()
    for name, value in mine.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


EVERYTHING = {
    "network": {"normalization": "batch", "dropout": 0.3, "residual": True, "noise": 0.1},
    "schedule": "cosine",
    "weighted": True,
    "l1": 1e-3,
    "l2": 1e-2,
    "clip_norm": 0.5,
    "clip_value": 0.1,
    "max_norm": 0.5,
}


def train(optimizer="adam", loss="cross_entropy", network=None, weighted=False, **settings):
    """Train; return the net with its history."""
    net = make_net(**(network or {}))
    data = problem(loss if isinstance(loss, str) else loss.name)
    if weighted:
        data += (np.random.default_rng(3).uniform(0.5, 2, size=N_SAMPLES),)
    settings = {"n_epochs": 6, "batch_size": BATCH_SIZE} | settings
    history = fit(net, data, loss=loss, optimizer=optimizer, rng=np.random.default_rng(4),
                  **settings)  # fmt: skip
    return net, history


def train_eagerly(graphs, *arguments, **settings):
    """Train with the same optimizer, and no recording."""
    with graphs.context() as patch:
        patch.setattr(capture, "Captured", lambda step, parameters, recorder: step)
        return train(*arguments, **settings)


def assert_same_training(mine, other):
    for name, column in mine[1].items():
        if name != "seconds":
            assert list(column) == list(other[1][name]), name
    for (name, value), theirs in zip(
        mine[0].state_dict().items(), other[0].state_dict().values(), strict=True
    ):
        assert torch.equal(value, theirs), name


# Recorded and eager steps are the same ---------------------------------------------------------


def host_steps(graphs):
    """Let the tape know Adagrad's count of steps, which is on the host whatever the device."""
    make = capture.make_capturable

    def remember(optimizer):
        make(optimizer)
        steps = [s["step"] for s in optimizer.state.values() if "step" in s]
        graphs.setattr(Tape, "on_host", {address(step) for step in steps})

    graphs.setattr(capture, "make_capturable", remember)


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["bare", "everything"])
@pytest.mark.parametrize("optimizer", [*HYPERPARAMETERS, "nesterov"])
def test_each_optimizer(graphs, optimizer, settings):
    if optimizer == "adagrad":
        host_steps(graphs)
    chosen = (
        SGD(0.05, 0.9, nesterov=True, weight_decay=0.1) if optimizer == "nesterov" else optimizer
    )
    mine = train(chosen, **settings)
    assert Tapes.n_recorded == 2  # of full batches, and of the short one
    assert Tapes.n_rehearsed == 2 * capture.N_REHEARSALS
    assert Tapes.n_replayed == 6 * 5 - 2 * capture.N_REHEARSALS
    assert_same_training(mine, train_eagerly(graphs, chosen, **settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"ema": 0.9, "network": {"normalization": "batch"}},
        {"accumulate": 3, "l2": 0.01, "weighted": True},
        {"precision": "bfloat16"},
        {"shuffle": False, "schedule": "one_cycle"},
        {"validation": 0.3, "schedule": "reduce_on_plateau"},
        {"batch_size": 64, "network": {"normalization": "layer", "dropout": 0.5}},
        {"batch_size": N_SAMPLES},
    ],
    ids=str,
)
def test_each_way_of_training(graphs, settings):
    mine = train(optimizer="adamw", **settings)
    assert Tapes.n_recorded > 0
    assert_same_training(mine, train_eagerly(graphs, optimizer="adamw", **settings))


@pytest.mark.parametrize("loss", LOSSES)
def test_each_loss(graphs, loss):
    settings = {"network": {"output": LOSSES[loss].outputs[0]}, "loss": loss}
    mine = train(**settings)
    assert Tapes.n_recorded == 2
    assert_same_training(mine, train_eagerly(graphs, **settings))


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_each_activation(graphs, activation):
    settings = {"network": {"activation": activation}, "n_epochs": 3}
    mine = train(**settings)
    assert Tapes.n_recorded == 1
    assert_same_training(mine, train_eagerly(graphs, **settings))


def test_every_step_leaves_what_an_eager_one_does(graphs):
    """Rehearsals are steps; a recording does nothing; a short batch has its own gradients."""
    X, y = problem()
    order = np.random.default_rng(5).permutation(N_SAMPLES)

    def steps():
        net = make_net(normalization="batch", dropout=0.4)
        trainer = make_trainer(net, ema=0.5, clip_norm=1.0)
        trainer.begin(trainer.check(X, y, None))
        trainer.begin_epoch(order)
        for i in range(12):
            start, stop = (0, 16) if i % 3 else (16, 22)
            trainer.step(start, stop, 1e-3 / (1 + i))
            yield {"loss": np.array(trainer.settle()[0])} | numbers(trainer)

    recorded = list(steps())
    assert Tapes.n_recorded == 2
    graphs.setattr(capture, "Captured", lambda step, parameters, recorder: step)
    for mine, other in zip(recorded, steps(), strict=True):
        assert_same(mine, other)


@pytest.mark.parametrize("n_before", [0, 5])
@pytest.mark.parametrize("optimizer", [*HYPERPARAMETERS, "nesterov"])
def test_a_state_that_is_put_back_is_what_replays_go_on_from(graphs, optimizer, n_before):
    if optimizer == "adagrad":
        host_steps(graphs)
    chosen = SGD(0.05, 0.9, nesterov=True) if optimizer == "nesterov" else optimizer
    net = make_net(normalization="batch", dropout=0.4)
    trainer = make_trainer(net, optimizer=chosen, ema=0.5)
    trainer.begin(trainer.check(*problem(), None))
    trainer.begin_epoch(None)

    def take(n):
        for i in range(n):
            trainer.step(0, 16, trainer.learning_rate / (1 + i))
        return trainer.settle()[0]

    take(n_before)
    state = trainer.state()
    losses = take(6)
    after = trainer.state()
    trainer.set_state(state)
    assert take(6) == losses
    assert_same(trainer.state(), after)
    assert Tapes.n_recorded == 2  # it was recorded anew


@pytest.mark.parametrize("optimizer", ["adamw", "nadam", "sgd"])
def test_a_training_that_was_cut_off_goes_on(graphs, optimizer, tmp_path):
    class Crash(Callback):
        def on_step_end(self, run):
            if (run.epoch, run.step) == (4, 3):
                raise InterruptedError

    settings = {"optimizer": optimizer, "ema": 0.9, **EVERYTHING}
    whole = train(**settings)
    kept = Checkpoint(tmp_path, seconds=0)
    with pytest.raises(InterruptedError):
        train(checkpoint=kept, callbacks=[Crash()], **settings)
    assert_same_training(train(checkpoint=kept, resume=True, **settings), whole)
    assert Tapes.n_recorded == 2 + 1 + 1  # short batches came too seldom in either half


@pytest.mark.parametrize("optimizer", HYPERPARAMETERS)
def test_the_steps_are_those_of_other_devices(graphs, optimizer):
    """The same formula, whose constants are now computed in float32 beside the weights."""
    if optimizer == "adagrad":
        host_steps(graphs)
    # Lion walks by the sign of what may be a rounding; small steps keep it from mattering.
    chosen = Lion(1e-5) if optimizer == "lion" else optimizer
    mine = train(chosen, schedule="cosine")
    graphs.setattr(capture, "DEVICE", "cuda")
    other = train(chosen, schedule="cosine")
    assert Tapes.n_recorded == 2
    # 30 steps, each rounding at 6e-8 some ten times, of losses of size 1.
    np.testing.assert_allclose(mine[1]["train_loss"], other[1]["train_loss"], rtol=2e-5)


def test_layers_may_be_frozen_on_the_way(graphs):
    class Freeze(Callback):
        def on_epoch_end(self, run):
            for p in run.net.hidden.parameters():
                p.requires_grad_(run.epoch % 4 < 2)

    mine = train(SGD(0.1), callbacks=[Freeze()], n_epochs=8)
    assert Tapes.n_recorded >= 2
    assert_same_training(mine, train_eagerly(graphs, SGD(0.1), callbacks=[Freeze()], n_epochs=8))


def test_divergence_is_found_at_the_next_look(graphs):
    net = make_net()
    X, y = problem("squared_error")
    with pytest.raises(DivergenceError, match="train_loss became"):
        fit(net, (X, 1e3 * y), loss="squared_error", optimizer=SGD(1e4), n_epochs=9, batch_size=7)
    assert all(torch.isfinite(p).all() for p in net.parameters())


# What happens between two steps ----------------------------------------------------------------


class Seen(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.append(function.name().removeprefix("aten::"))
        return function(*args, **(kwargs or {}))


def test_the_host_copies_rows_and_replays(graphs):
    trainer = make_trainer()
    trainer.begin(trainer.check(*problem(), None))
    trainer.begin_epoch(np.random.default_rng(0).permutation(N_SAMPLES))
    rate = trainer.learning_rate
    for _ in range(capture.N_REHEARSALS + 1):
        trainer.step(0, 16, rate)
    graphs.setattr(Tape, "replay", lambda tape: None)
    for recording in trainer._captured._recordings.values():
        recording._replay = lambda: None
    with Seen() as seen:
        trainer.step(16, 32, rate)
    assert seen.names == ["slice.Tensor", "copy_", "clone"]
    with Seen() as seen:
        trainer.step(16, 32, 0.5 * rate)
    assert seen.names == ["slice.Tensor", "fill_.Scalar", "copy_", "clone"]
    (rows,) = (recording._rows for recording in trainer._captured._recordings.values())
    assert torch.equal(rows, trainer._order[16:32])


class WatchMeta(TorchDispatchMode):
    """Lets nothing pass between the host and the device "meta", which has shapes but no numbers."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if "_fused_" in function.name():  # has no shapes to work out, and its kernel only for CUDA
            assert {t.device.type for t in tensors_of((args, kwargs))} == {"meta"}
            assert isinstance(kwargs["lr"], torch.Tensor)
            return None
        result = function(*args, **(kwargs or {}))
        tensors = tensors_of((args, kwargs, result))
        if function in (ATEN._to_copy.default, ATEN.copy_.default):
            assert len({t.device for t in tensors}) == 1, f"{function} between devices"
        assert function not in LOOKS or tensors[0].device.type == "cpu", function
        return result


def step_on_meta(graphs, net, **settings):
    """Take a step on a device that has no numbers to look at."""

    def from_python(*arguments, **kwargs):
        raise AssertionError("a tensor of numbers from the host")

    # The optimizer keeps its parameters while they move, as they would on a GPU from the start.
    graphs.setattr(torch.__future__, "get_swap_module_params_on_conversion", lambda: True)
    optimizer_module = importlib.import_module("torch.optim.optimizer")
    fused = optimizer_module._get_fused_kernels_supported_devices
    graphs.setattr(
        optimizer_module, "_get_fused_kernels_supported_devices", lambda: [*fused(), "meta"]
    )
    trainer = make_trainer(net, **settings)
    data = trainer.check(*problem(trainer.loss.name), np.ones(N_SAMPLES))
    net.to("meta")
    if trainer._average is not None:
        trainer._average.net.to("meta")
    for state in trainer._torch_optimizer.state.values():
        for name in state.keys() - {"step"}:
            state[name] = state[name].to("meta")
    capture.make_capturable(trainer._torch_optimizer)
    trainer._data = tuple(t.to("meta") for t in data)
    rows = torch.zeros(16, dtype=torch.int64, device="meta")
    graphs.setattr(torch.Tensor, "new_tensor", from_python)
    graphs.setattr(trainer._precision, "autocast", nullcontext)  # which this device has not
    with WatchMeta():
        loss = trainer._step_on(rows)
    assert loss.device.type == "meta"
    assert all(p.grad.device.type == "meta" for p in net.parameters())


@pytest.mark.parametrize("optimizer", HYPERPARAMETERS)
def test_a_step_with_each_optimizer_never_waits_for_the_device(graphs, optimizer):
    net = make_net(normalization="batch", dropout=0.3)
    step_on_meta(graphs, net, optimizer=optimizer, l1=0.1, l2=0.1, clip_norm=1.0, clip_value=1.0,
                 accumulate=2, max_norm=1.0, ema=0.9)  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_with_each_loss_never_waits_for_the_device(graphs, loss):
    net = make_net(output=LOSSES[loss].outputs[0])
    step_on_meta(graphs, net, loss=loss)


def test_samples_lie_on_the_device_and_targets_follow_when_training_begins():
    X, y = problem()
    data = place(X, y, np.ones(N_SAMPLES, np.float32), torch.device("meta"))
    # Splits and metrics take targets and weights as arrays, which those of a GPU cannot be.
    assert [t.device.type for t in data] == ["meta", "cpu", "cpu"]
    assert [t.device.type for t in together(data)] == ["meta"] * 3


def test_large_samples_stay_on_the_host(monkeypatch):
    monkeypatch.setattr("multilayer.torch.placement.RESIDENT_BYTES", 100)
    data = together(place(*problem(), None, torch.device("meta")))
    assert data[0].device.type == data[1].device.type == "cpu"


# Where steps are taken one operation at a time -------------------------------------------------


class OwnNet(MLP):
    """A network with something of its own in Python."""


class Whole(LazySamples):
    def __init__(self, X):
        self.X = X
        self.shape = X.shape

    def __getitem__(self, rows):
        return self.X[rows]


class OwnTanh(torch.nn.Tanh):
    """An activation of one's own, wherever its class says that it comes from."""

    __module__ = torch.nn.Tanh.__module__


def with_activation(activation):
    net = make_net()
    net.hidden[0][1] = activation
    return net


def hooked():
    net = make_net()
    net.last.register_forward_hook(lambda module, inputs, output: None)
    return net


def hooked_at_a_parameter():
    net = make_net()
    net.last.weight.register_hook(lambda gradient: None)
    return net


def of_float64():
    return MLP(make_net().architecture, dtype="float64")


CASES = {
    "as it comes": (True, make_net, {}),
    "bfloat16": (True, make_net, {"precision": "bfloat16"}),
    "float16": (False, make_net, {"precision": "float16"}),
    "float64": (False, of_float64, {}),
    "own network": (False, lambda: OwnNet(make_net().architecture), {}),
    "own activation": (False, lambda: with_activation(OwnTanh()), {}),
    "PyTorch's activation": (True, lambda: with_activation(torch.nn.PReLU()), {}),
    "hook": (False, hooked, {}),
    "hook of a parameter": (False, hooked_at_a_parameter, {}),
    "quantile": (True, make_net, {"loss": Quantile((0.5,))}),
    "huber": (True, make_net, {"loss": Huber()}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_can_be_recorded(graphs, case):
    expected, make, settings = CASES[case]
    if settings.get("precision") == "float16":
        graphs.setattr(torch.amp, "GradScaler", lambda *arguments, **kwargs: None)  # CUDA's own
    trainer = make_trainer(make(), **settings)
    trainer.begin(trainer.check(*problem(trainer.loss.name), None))
    assert (trainer._captured is not None) is expected


def test_an_optimizer_of_ones_own_is_left_as_it_is(graphs):
    net = make_net()
    optimizer = torch.optim.Adam(net.parameters())
    fit(net, problem(), loss="cross_entropy", optimizer=optimizer, n_epochs=2)
    assert Tapes.n_rehearsed == 0
    assert optimizer.param_groups[0]["lr"] == 1e-3
    assert optimizer.param_groups[0]["capturable"] is False


@pytest.mark.parametrize("settings", [{"device": "cuda"}, {"shard": (0, 2)}], ids=str)
def test_other_devices_and_several_processes(graphs, settings):
    trainer = make_trainer()
    if "device" in settings:
        graphs.setattr(capture, "DEVICE", "cuda")
    else:
        trainer.shard = settings["shard"]
    trainer.begin(trainer.check(*problem(), None))
    assert trainer._captured is None


def test_samples_that_are_not_on_the_device(graphs):
    trainer = make_trainer()
    X, y = problem()
    trainer.begin(trainer.check(Whole(X), y, None))
    assert trainer._captured is None
    trainer.begin((torch.from_numpy(X).to("meta"), torch.from_numpy(y), None))
    assert trainer._captured is None


def test_lbfgs_takes_no_steps(graphs):
    assert not make_trainer(optimizer="lbfgs")._can_capture()


def test_losses_of_ones_own(graphs):
    graphs.setitem(capture.losses.LOSSES._entries, "huber", lambda loss, p, y: (p - y).sum(dim=1))
    assert not make_trainer(loss="huber")._can_capture()


@pytest.mark.parametrize("lazy", [(), (1,), (0, 2)], ids=str)
def test_samples_may_be_followed_by_others_on_the_way(graphs, lazy):
    """Each part is recorded anew, unless it is lazy; state and late losses survive."""
    X, y = problem(n_samples=240)
    rate = 2.0**-10  # the same in float32

    def steps(parts):
        net = make_net(dropout=0.4)
        trainer = make_trainer(net, optimizer=Adam(rate), ema=0.5, clip_norm=1.0)
        for i, part in enumerate(parts):
            samples = Whole(X[part]) if i in lazy and len(parts) > 1 else X[part]
            trainer.begin(trainer.check(samples, y[part], None))
            trainer.begin_epoch(np.arange(len(part)))
            for start in range(0, len(part), 16):
                assert trainer.step(start, start + 16, rate) is None
        return {"losses": np.array(trainer.settle()[0])} | numbers(trainer)

    mine = steps(np.split(np.arange(240), 3))
    assert Tapes.n_recorded == 3 - len(lazy)
    assert len(mine["losses"]) == 15
    graphs.setattr(capture, "Captured", lambda step, parameters, recorder: step)
    for name, value in steps([np.arange(240)]).items():
        # The fused kernel, which follows the first part that is not lazy, rounds differently.
        np.testing.assert_allclose(mine[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_losses_of_a_training_that_was_broken_off_are_forgotten(graphs):
    trainer = make_trainer()
    trainer.begin(trainer.check(*problem(), None))
    trainer.begin_epoch(None)
    trainer.step(0, 16, 1e-3)
    trainer.finish()
    assert trainer.settle() == ([], True)


def test_memory_is_given_back_at_the_end(graphs):
    trainer = make_trainer()
    trainer.begin(trainer.check(*problem(), None))
    assert trainer._captured is not None
    trainer.finish()
    assert trainer._captured is None


def test_a_compiled_loss_is_recorded_too(graphs):
    compile_module, modes = torch.compile, []

    def compile_simply(module, mode=None):
        modes.append(mode)
        return compile_module(module, backend="eager")  # no C++ compiler is needed for this one

    graphs.setattr(torch, "compile", compile_simply)
    mine = train(compile=True)
    assert Tapes.n_recorded == 2
    assert modes == [None]  # CUDA graphs of PyTorch's own would be recorded within ours
    assert_same_training(mine, train_eagerly(graphs))


# On a GPU --------------------------------------------------------------------------------------

needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="records CUDA graphs, which takes a CUDA device"
)


def train_on_cuda(optimizer, settings):
    settings = dict(settings)
    net = make_net(**settings.pop("network", {})).to("cuda")
    data = problem()
    if settings.pop("weighted", False):
        data += (np.random.default_rng(3).uniform(0.5, 2, size=N_SAMPLES),)
    history = fit(net, data, loss="cross_entropy", optimizer=optimizer, n_epochs=8, batch_size=16,
                  validation=data[:2], rng=np.random.default_rng(4), **settings)  # fmt: skip
    return net, history


@needs_cuda
@pytest.mark.filterwarnings("ignore:This instance was constructed with capturable=True")
@pytest.mark.parametrize("settings", [{}, EVERYTHING, {"ema": 0.9}], ids=["bare", "all", "ema"])
@pytest.mark.parametrize("optimizer", HYPERPARAMETERS)
def test_cuda_graphs_equal_eager_steps(monkeypatch, optimizer, settings):
    recorded = []
    record = capture.CudaGraphs.record
    monkeypatch.setattr(
        capture.CudaGraphs,
        "record",
        lambda self, run: recorded.append(record(self, run)) or recorded[-1],
    )
    mine = train_on_cuda(optimizer, settings)
    assert len(recorded) == 2
    monkeypatch.setattr(capture, "Captured", lambda step, parameters, recorder: step)
    assert_same_training(mine, train_on_cuda(optimizer, settings))


@needs_cuda
def test_replays_never_wait_for_the_device():
    net = make_net(normalization="batch", dropout=0.3).to("cuda")
    trainer = make_trainer(net, clip_norm=1.0, l2=0.01)
    trainer.begin(trainer.check(*problem(), None))
    trainer.begin_epoch(np.random.default_rng(0).permutation(N_SAMPLES))
    for _ in range(capture.N_REHEARSALS + 1):
        trainer.step(0, 16, 1e-3)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for i in range(20):
            trainer.step(0, 16, 1e-3 / (1 + i))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    losses, is_finite = trainer.settle()
    assert is_finite
    assert np.isfinite(losses).all()


@needs_cuda
def test_a_gpu_tells_the_story_of_a_cpu():
    on_gpu = train_on_cuda("adam", {})[1]
    net = make_net()
    on_cpu = fit(net, problem(), loss="cross_entropy", optimizer="adam", n_epochs=8, batch_size=16,
                 validation=problem(), rng=np.random.default_rng(4))  # fmt: skip
    # Float32 sums in another order, over some forty steps.
    np.testing.assert_allclose(on_gpu["train_loss"], on_cpu["train_loss"], rtol=1e-4)
    assert on_gpu["validation_accuracy"] == pytest.approx(on_cpu["validation_accuracy"], abs=0.03)
