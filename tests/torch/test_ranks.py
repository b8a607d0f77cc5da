"""Trainings divided among ranks, each against the same in one process: networks and ensembles."""

import json

import numpy as np
import pytest

START = """
import json
import numpy as np
import torch
from multilayer import Architecture
from multilayer.embeddings import Embeddings
from multilayer.errors import InvalidArgumentError
from multilayer.numpy import SGD, Adam
from multilayer.samples import LazySamples
from multilayer.torch import MLP, Ensemble, distributed, find_device
from multilayer.training import EarlyStopping, fit

if distributed.is_launched():
    distributed.start(find_device("cpu"))
rank, n_ranks = distributed.shard()
rng = np.random.default_rng(5)
found, refused = {}, []

def weights(net):
    return {name: p.tolist() for name, p in net.state_dict().items()}
"""

TRAININGS = """
K, N = 3, 100
X = rng.normal(size=(N, 4))
labels, values = rng.integers(3, size=N), rng.normal(size=(N, 2))
unlike = [list(range(90)), list(range(10, 55)), list(range(20, 91))]
folds = [(rows, sorted({*range(N)} - {*rows})) for rows in unlike]

class Lazy(LazySamples):
    shape = X.shape

    def __getitem__(self, rows):
        return X[rows]

def make(kind, out, **fields):
    architecture = Architecture(4, (6, 5), out, activation="tanh", **fields)
    several = {} if kind is MLP else {"n_members": K}
    return kind(architecture, dtype="float64", rng=np.random.default_rng(0), **several)

def train(name, net, *data, **settings):
    settings = {"n_epochs": 3, "batch_size": 11, "rng": np.random.default_rng(1)} | settings
    settings = {"optimizer": Adam(0.01)} | settings
    histories = fit(net, data, **settings)
    histories = [histories] if isinstance(net, MLP) else histories
    found[name] = weights(net), [
        [history.stopped_by, {k: history[k] for k in history if k != "seconds"}]
        for history in histories
    ]

# A last batch has a single row, 1 = 100 mod 11 = 45 mod 11: fewer than there are ranks.
train("weights", make(Ensemble, 3, normalization="layer"), X, labels, rng.random(N),
      loss="cross_entropy", l2=[0, 0.01, 0.02], l1=0.001, clip_norm=[0.1, 1, None], max_norm=0.4,
      ema=[0.9, None, 0.8])
own = rng.random((K, N)) * (np.arange(N) % 3 > 0)
train("own weights", make(Ensemble, 3), X, labels, own, loss="cross_entropy", splits=folds,
      shuffle=False, batch_size=2)
train("folds", make(Ensemble, 2), X, values, loss="squared_error", splits=folds, l2=0.01,
      optimizer=SGD(0.05, momentum=0.9))
found_embeddings = Embeddings(numbers=[(2, 3), (0, 1)], categories=[(3, 2)], width=2, speed=2.0)
train("embeddings", make(Ensemble, 2, embeddings=found_embeddings), X, values, loss="huber",
      batch_size=33)
train("lazy", make(Ensemble, 3), Lazy(), labels, loss="cross_entropy", splits=folds)
# Members end one after the other: one diverges, the others when patience is over.
train("ends", make(Ensemble, 2), X, values, loss="squared_error", splits=folds, n_epochs=40,
      optimizer=[SGD(0.1), SGD(1e300), SGD(0.3)], callbacks=[EarlyStopping(3)])
train("one", make(MLP, 3), X, labels, own[0], loss="cross_entropy", l1=0.01, l2=0.01, accumulate=3,
      ema=0.9, clip_norm=0.1, max_norm=0.4, validation=0.2)
train("one unweighted", make(MLP, 2, embeddings=found_embeddings), X, values, loss="squared_error",
      accumulate=4, l2=0.1, batch_size=33)
train("L-BFGS", make(MLP, 3), X, labels, own[0], loss="cross_entropy", l2=0.01, optimizer="lbfgs",
      batch_size=None)
torch.manual_seed(rank)  # PyTorch's weights differ; those of rank 0 count
for kind in (MLP, Ensemble):
    several = {} if kind is MLP else {"n_members": K}
    train(kind.__name__, kind(Architecture(4, (6,), 2), dtype="float64", **several), X, values,
          loss="squared_error")

for settings in {"normalization": "batch"}, {}:
    if n_ranks > 1:
        try:
            train("refused", make(Ensemble, 2, **settings), X, values, loss="squared_error",
                  rng=np.random.default_rng(rank))
        except InvalidArgumentError as error:
            refused.append(str(error))
"""

OWN_ROWS = """
K, N_PARTS, N, SIZE = 2, 3, 41, 10
architecture = Architecture(3, (5,), 3)

def positions(start, stop):
    return np.arange(start + rank, stop, n_ranks)

def take_part(trainer, data, order):
    # Give a trainer a part of the stream: of all its rows, this rank's alone.
    X, y, weight = data
    bounds = [(start, min(start + SIZE, N)) for start in range(0, N, SIZE)]
    mine = np.concatenate([positions(*each) for each in bounds])
    rows = order[..., mine]
    if n_ranks > 1:
        local = np.zeros(order.shape, dtype=np.intp)
        local[..., mine] = np.arange(rows.size).reshape(rows.shape)
        X, y = X[rows.ravel()], y[rows.ravel()]
        weight = None if weight is None else weight[..., rows.ravel()]
        order = local
    trainer.begin(trainer.check(X, y, weight))
    trainer.begin_epoch(order)
    rate = trainer.learning_rate
    return [np.asarray(trainer.step(*each, rate)).tolist() for each in bounds]

for name, kind, each, n_weights in [
    ("one", MLP, False, 1), ("unweighted", Ensemble, False, 0), ("ensemble", Ensemble, False, K),
    ("orders", Ensemble, True, K), ("orders, unweighted", Ensemble, True, 0),
]:
    several = {} if kind is MLP else {"n_members": K}
    net = kind(architecture, dtype="float64", rng=np.random.default_rng(0), **several)
    trainer = net.trainer(loss="cross_entropy", optimizer="adam", l2=0.01,
                          rng=np.random.default_rng(1))
    losses = []
    for part in range(N_PARTS):
        X, y = rng.normal(size=(N, 3)), rng.integers(3, size=N)
        weight = rng.random((n_weights, N) if n_weights > 1 else N) if n_weights else None
        order = np.array([rng.permutation(N) for _ in range(K if each else 1)])
        losses += take_part(trainer, (X, y, weight), order if each else order[0])
        if part == 1 and kind is Ensemble:
            trainer.keep([1])  # the parts that follow come to a copy of it
    trainer.finish()
    found[f"{name}, own rows"] = weights(net), losses

everyones = [(found, refused)]
if n_ranks > 1:
    everyones *= n_ranks
    torch.distributed.all_gather_object(everyones, (found, refused))
if rank == 0:
    print(json.dumps(everyones))
distributed.stop()
"""


def compare(mine, other, where):
    """Check that what was found is the same: lists, dicts, texts and numbers."""
    if isinstance(mine, dict):
        assert mine.keys() == other.keys(), where
        for key, value in mine.items():
            compare(value, other[key], f"{where}, {key}")
    elif isinstance(mine, list) and any(isinstance(value, (dict, list, str)) for value in mine):
        assert len(mine) == len(other), where
        for i, (value, its) in enumerate(zip(mine, other, strict=True)):
            compare(value, its, f"{where}[{i}]")
    elif isinstance(mine, str):
        assert mine == other, where
    else:
        # In float64, and sums of a few hundred numbers in another order.
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-10, err_msg=where)


@pytest.fixture(scope="module")
def results(launch, once):
    """What each rank of one and of three found, and which trainings were refused."""

    def make(_):
        found = []
        for n in (1, 3):  # two ranks: in test_tables_in_ranks.py
            result = launch(START + TRAININGS + OWN_ROWS, n if n > 1 else 0)
            assert result.returncode == 0, result.stderr
            found.append(json.loads(result.stdout.splitlines()[-1]))
            assert len(found[-1]) == n
        return found

    return once("ranks", make)[0]


def test_ranks_together_do_what_one_process_does(results):
    ((alone, _),), everyones = results
    for rank, (found, _) in enumerate(everyones):
        compare(found, alone, f"rank {rank}")
        assert found == everyones[0][0]  # to the last bit: all take the same decisions


def test_members_end_each_in_its_own_way(results):
    ((alone, _),), _ = results
    ends = [stopped_by for stopped_by, _ in alone["ends"][1]]
    assert ends == ["early_stopping", "divergence", "early_stopping"]


def test_what_ranks_cannot_train_is_refused_by_all(results):
    for _, refused in results[1]:
        assert refused == [
            "normalization 'batch' cannot be trained in several processes; use 'layer'",
            "rng of fit must be a generator with the same seed in every process",
        ]
