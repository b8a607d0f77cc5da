"""Tables in files, on which several processes train: each has its own rows, all the same model."""

import json
import re

import numpy as np
import pytest

import multilayer

START = """
import json, os, signal, sys, time, warnings
from pathlib import Path
import numpy as np
import pandas as pd
import torch
from multilayer import Architecture, TabularClassifier, TabularRegressor
from multilayer.data import Stream, large, streamed
from multilayer.data.stream import Rows, StreamWriter
from multilayer.errors import InvalidDataError
from multilayer.estimators import recipe
from multilayer.estimators.engines import EVERY
from multilayer.numpy import Adam
from multilayer.torch import Ensemble, distributed, find_device
from multilayer.training import Callback, fit

warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
# Files are too large for memory, and an epoch is a single batch.
large.IN_MEMORY, large.N_ENTRIES, large.LEAST_ROWS = 0, 900, 300
recipe.BATCH_SIZES, recipe.N_EPOCHS = (10**6, 10**6), 4
if distributed.is_launched():
    distributed.start(find_device("cpu"))
ranks = distributed.ranks()
found = {}
"""

TRAIN = """
def write(name, n_files, n, seed):
    rng = np.random.default_rng(seed)
    (folder / name).mkdir(exist_ok=True)
    for i in range(n_files):
        rows = n * (1 + 2 * (i == 0))  # the first file has the most
        a, b = rng.normal(size=rows), rng.choice(["x", "y", "z"], rows)
        value = a + (b == "x") + rng.normal(0, 0.3, rows)
        frame = pd.DataFrame({
            "a": a, "b": b, "w": rng.integers(0, 3, rows) + 0.5 * (i > 0),
            "t": i + rng.random(rows),
            "g": rng.choice([f"group {g}" for g in range(9)], rows), "value": value,
            "kind": np.where(value > 0.5, "high", "low"),
        })
        frame.to_parquet(folder / name / f"{i}.parquet")

if ranks.rank == 0:
    write("data", 3, 400, 0)
distributed.wait_for_others(1)
data, test = str(folder / "data" / "*.parquet"), pd.DataFrame({
    "a": np.linspace(-2, 2, 30), "b": list("xyz") * 10, "w": 1.0, "t": 2.5, "g": "group 0",
})

# Trainings of streams, in float64. Rank 0 has most rows, and others lack the last slot.
K, N = 3, 200
rng = np.random.default_rng(3)
X, y, w = rng.normal(size=(N, 4)).astype("float32"), rng.integers(3, size=N), rng.random(N)
slots = rng.integers(4, size=N)
own = rng.integers(2 * ranks.n_ranks, size=N)  # a number for each row, by which ranks have it
owner = np.where(slots == 3, 0, np.maximum(own - ranks.n_ranks, 0))
mine = np.flatnonzero(owner == ranks.rank)
trains_on = [[0, 1], [1, 2, 3], [0, 3]]
for name, weight in ("stream", None), ("weights", w):
    place = folder / f"{name} {ranks.rank} of {ranks.n_ranks}"
    with StreamWriter(place) as writer:
        its = None if weight is None else weight[mine]
        writer.add(Rows(X[mine], y[mine], its, slots[mine]))
        writer.finish()
    net = Ensemble(Architecture(4, (6,), 3), K, dtype="float64", rng=np.random.default_rng(0))
    histories = fit(
        net, Stream(place, None, ranks), loss="cross_entropy", optimizer=Adam(0.01), n_epochs=8,
        batch_size=1000, l2=0.01, validation=(X, y), rng=np.random.default_rng(1),
        splits=[(each, range(20 * k, 20 * k + 60)) for k, each in enumerate(trains_on)],
    )
    found[name] = [p.tolist() for p in net.parameters()] + [
        [h["train_loss"], h["validation_loss"]] for h in histories
    ]

cache = folder / f"cache of {ranks.n_ranks}"
fits = {
    "classes": (TabularClassifier, "kind", {}, {}),
    "weights of rows": (TabularClassifier, "kind", {"sample_weight": "w"}, {"cache": cache}),
    "groups": (TabularRegressor, "value", {"groups": "g"}, {}),
    "time": (TabularRegressor, "value", {}, {"time": "t"}),
}
for name, (kind, target, columns, parameters) in fits.items():
    model = kind(n_members=3, random_state=0, engine="torch", **parameters)
    others = [each for each in ("value", "kind") if each != target]
    model.fit(data, target=target, **columns)
    rows = test.assign(**{each: 0.0 if each == "value" else "low" for each in others})
    predict = model.predict if target == "value" else model.predict_proba
    rows = rows[list(model.feature_names_in_)]
    found[name] = [predict(rows).tolist(), model.loss_curve_, model.oob_scores_.tolist(),
                   [model.temperature_, model.n_iter_]]

files = sorted(cache.rglob("rows.npy"))
before = [path.stat().st_mtime_ns for path in files]
kind, target, columns, parameters = fits["weights of rows"]
distributed.wait_for_others(1)
kind(n_members=3, random_state=0, engine="torch", **parameters).fit(data, target=target, **columns)
found["cache"] = [len(files), before == [path.stat().st_mtime_ns for path in files]]

# In memory all ranks hold all rows, and take their share of batches of any size.
recipe.BATCH_SIZES, recipe.N_EPOCHS = (32, 256), 2
table = pd.read_parquet(folder / "data").drop(columns=["value"])
model = TabularClassifier(n_members=3, random_state=0, engine="torch").fit(table, target="kind")
found["in memory"] = model.predict_proba(test).tolist(), model.loss_curve_
if ranks.n_ranks > 1:
    try:
        TabularClassifier(n_members=3, engine="torch").fit(table[ranks.rank :], target="kind")
    except InvalidDataError as error:
        found["refused"] = str(error)
    one = folder / "one.parquet"
    if ranks.rank == 0:
        table.to_parquet(one)
    distributed.wait_for_others(1)
    try:
        TabularClassifier(n_members=3, engine="torch").fit(one, target="kind")
    except InvalidDataError as error:
        found["too many"] = str(error).replace(str(folder), "")

everyones = ranks.gather(found)
if ranks.rank == 0:
    print(json.dumps(everyones))
distributed.stop()
"""

STOP = """
signal.signal(signal.SIGINT, signal.default_int_handler)
recipe.BATCH_SIZES, recipe.N_EPOCHS = (32, 32), 30
rng = np.random.default_rng(0)
a = rng.normal(size=3000)
table, y = {"a": a, "b": rng.normal(size=3000)}, a + rng.normal(size=3000)

class CtrlC(Callback):
    def on_step_end(self, run):
        if (run.epoch, run.step) == (2, 5) and ranks.rank == 1:
            os.kill(os.getpid(), signal.SIGINT)
        self.at = run.epoch, run.step

end = CtrlC()
model = TabularRegressor(n_members=2, random_state=0, engine="torch", callbacks=[end]).fit(table, y)
found["ctrl-c"] = model.history_.stopped_by, model.n_iter_, end.at, EVERY

recipe.N_EPOCHS = 3
if ranks.rank == 1:  # its clock is far ahead
    real = time.monotonic
    time.monotonic = lambda: 100 * real()
model = TabularRegressor(n_members=4, random_state=None, engine="torch", time_limit=90)
model.fit(table, y)
found["time limit"] = model.predict(table)[:9].tolist(), len(model.loss_curve_)
if ranks.rank == 1:
    time.monotonic = real

everyones = ranks.gather(found)
if ranks.rank == 0:
    print(json.dumps(everyones))
distributed.stop()
"""

DIE = """
class Die(Callback):
    def on_epoch_end(self, run):
        if run.epoch == 2 and ranks.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)

rng = np.random.default_rng(0)
if ranks.rank == 0:
    for i in range(2):
        a = rng.normal(size=900)
        frame = pd.DataFrame({"a": a, "y": a + rng.normal(size=900)})
        frame.to_csv(folder / f"{i}.csv", index=False)
distributed.wait_for_others(1)
model = TabularRegressor(n_members=2, engine="torch", callbacks=[Die()])
model.fit(str(folder / "*.csv"), target="y")
print("done")
"""

COMMAND = """
import sys
from multilayer.cli import main
from multilayer.data import large
from multilayer.estimators import recipe

large.IN_MEMORY, large.N_ENTRIES, large.LEAST_ROWS = 0, 900, 300
recipe.BATCH_SIZES, recipe.N_EPOCHS = (10**6, 10**6), 4
main.run()
"""


@pytest.fixture(scope="module")
def trained(launch, once):
    """What each rank of one and of two found, and the folder of the tables."""

    def make(folder):
        found = []
        for n in (1, 2):  # three ranks: in test_ranks.py, for a network and for ensembles
            result = launch(START + TRAIN, n if n > 1 else 0, str(folder))
            assert result.returncode == 0, result.stderr
            found.append(json.loads(result.stdout.splitlines()[-1]))
            assert len(found[-1]) == n
        return found

    return once("tables in ranks", make)


@pytest.fixture
def results(trained):
    return dict(enumerate(trained[0], 1))


@pytest.fixture
def folder(trained):
    return trained[1]


def compare(mine, other, **close):
    for value, its in zip(mine, other, strict=True):
        np.testing.assert_allclose(value, its, **close)


@pytest.mark.parametrize("name", ["stream", "weights"])
def test_the_steps_are_those_of_one_process_with_all_rows(results, name):
    (alone,) = results[1]
    for found in results[2]:
        compare(found[name], alone[name], rtol=1e-10, atol=1e-10)  # sums in another order


@pytest.mark.parametrize("name", ["classes", "weights of rows", "groups", "time", "in memory"])
def test_models_of_files_are_those_of_one_process(results, name):
    (alone,) = results[1]
    for found in results[2]:
        assert found[name] == results[2][0][name]  # to the last bit
        # The digits of float32, after some steps of Adam.
        compare(found[name], alone[name], rtol=2e-3, atol=2e-4)


def test_each_rank_has_a_folder_in_the_cache_and_finds_it_again(results):
    assert [found["cache"] for found in results[2]] == [[2, True]] * 2


def test_what_ranks_cannot_share_is_refused_by_all(results):
    for found in results[2]:
        assert found["refused"] == (
            "X of fit must be the same in every process: each takes its share of the batches"
        )
        assert found["too many"] == (
            "/one.parquet must have files or row groups for each of 2 processes; there are none "
            "for rank 1"
        )


def test_ranks_end_after_the_same_step(launch, folder):
    result = launch(START + STOP, 2, str(folder))
    assert result.returncode == 0, result.stderr
    first, second = json.loads(result.stdout.splitlines()[-1])
    assert first == second
    stopped_by, best, (epoch, step), every = first["ctrl-c"]
    assert (stopped_by, best, epoch) == ("interrupt", 1, 2)
    assert step in (every - 1, every)  # whichever callback comes first
    assert first["time limit"][1] == 3  # which rank 1's clock would not have allowed


def test_a_rank_that_dies_ends_the_job_with_its_name(launch, tmp_path):
    result = launch(START + DIE, 2, str(tmp_path))
    assert result.returncode != 0
    assert result.stdout == ""
    _, first = result.stderr.split("Root Cause (first observed failure):")
    assert re.search(r"rank +: 1 .*exitcode +: -9 ", first, re.DOTALL)


def test_the_command_prints_once_and_writes_one_model(results, launch, folder, tmp_path):
    files = str(folder / "data" / "*.parquet")
    models, said = [], []
    for n in (0, 2):
        path = tmp_path / f"{n}.safetensors"
        how = ["--target", "kind", "--engine", "torch", "--members", "2", "--drop", "value"]
        result = launch(COMMAND, n, "train", "table", files, *how, "--json", "--save", str(path))
        assert result.returncode == 0, result.stderr
        said.append(json.loads(result.stdout))
        models.append(multilayer.load(path))
    alone, together = said
    assert together["test"]["accuracy"] == pytest.approx(alone["test"]["accuracy"], abs=0.02)
    x = {"a": [0.5, -1], "b": ["x", "y"], "w": [1, 1], "t": [0, 2], "g": ["group 0", "group 1"]}
    probabilities = [model.predict_proba(x) for model in models]
    np.testing.assert_allclose(*probabilities, rtol=2e-3, atol=2e-4)  # as above
    result = launch(COMMAND, 2, "train", "table", files, *how, "--model", "mlp")
    assert result.returncode != 0
    assert result.stdout == ""
