"""Measure training on tables larger than memory: its speed, and that its memory stays constant.

    python benchmarks/stream.py make FOLDER 50_000_000    # Parquet files of a million rows each
    python benchmarks/stream.py memory FOLDER             # peak memory with more and more files
    python benchmarks/stream.py speed FOLDER              # rows per second, streamed and in memory
    python benchmarks/stream.py whole FOLDER              # train on all rows, and predict them
    python benchmarks/stream.py seeds FOLDER              # losses with five seeds, both ways

Each measurement has its own process, and so its own peak memory. The output is JSON. The first fit
includes the time of compiling, so the speed is that of later fits.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from machine import describe

N_NUMBERS = 17
PER_FILE = 10**6
LEVELS = 24


def make(folder: Path, n_rows: int) -> None:
    """Write files with numbers, integers, categories, missing values, and two classes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, n_rows, PER_FILE)):
        rng = np.random.default_rng(number)
        n = min(PER_FILE, n_rows - start)
        X = rng.standard_normal((N_NUMBERS, n), dtype=np.float32)
        X[0, rng.random(n) < 0.02] = np.nan
        level = rng.integers(LEVELS, size=n)
        count = rng.poisson(3, n)
        z = X[1] * X[2] + np.sin(2 * X[3]) + (level % 5 - 2) / 2 + np.log1p(count) - 1
        y = z + rng.standard_normal(n) > 0
        names = np.array([f"level {i}" for i in range(LEVELS)])
        columns: dict[str, Any] = {f"x{i}": pa.array(own) for i, own in enumerate(X)}
        columns |= {"level": names[level], "count": count, "y": np.where(y, "yes", "no")}
        pq.write_table(pa.table(columns), folder / f"part-{number:05}.parquet")


def files_of(folder: Path, n: int | None = None) -> list[str]:
    """Return the first files of a folder."""
    return [str(path) for path in sorted(folder.glob("*.parquet"))[:n]]


def child(what: str, files: list[str]) -> dict[str, Any]:
    """Return the measurements of a new process."""
    command = [sys.executable, __file__, "child", what, *files]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def measured(what: str, files: list[str]) -> dict[str, Any]:
    """Run a task in this process; return its results, its time and the peak memory."""
    began = time.perf_counter()
    found = TASKS[what](files)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return found | {"seconds": time.perf_counter() - began, "peak_MiB": round(peak)}


def fit(files: list[str], **how: Any) -> dict[str, Any]:
    """Train the estimator for tables for a short time."""
    from multilayer.estimators import TabularClassifier

    model = TabularClassifier(random_state=0, **how).fit(files, target="y")
    history = model.history_
    return {
        "accuracy_out_of_fold": model.oob_score_,
        "epochs": history.n_epochs,
        "training_seconds": sum(history["seconds"]),
        "stopped_by": history.stopped_by,
    }


def survey(files: list[str]) -> dict[str, Any]:
    """Pass over all rows once, to find out what the columns contain."""
    from multilayer.data.large import open_table

    return {"rows": len(open_table(files, "y"))}


def encode(files: list[str]) -> dict[str, Any]:
    """Read and encode all rows without writing them."""
    from multilayer.data import read_blocks
    from multilayer.model import Columns

    blocks = read_blocks(files)
    columns, began, n_cells = None, 0.0, 0
    for table in blocks:
        inputs = table.select([name for name in table.columns if name != "y"])
        if columns is None:
            columns = Columns.of(inputs, embedded=True)
            columns.encode(inputs)[:]
            began = time.perf_counter()
            continue
        columns.encode(inputs)[:]
        n_cells += len(inputs) * len(inputs.columns)
    return {"cells_per_second": n_cells / (time.perf_counter() - began)}


def streamed(files: list[str]) -> dict[str, Any]:
    """Return the rows per second of training on a stream and in memory, in turns."""
    from multilayer import Architecture
    from multilayer.data import Stream, read_blocks
    from multilayer.model import Columns
    from multilayer.numpy import MLP
    from multilayer.training import fit as train

    columns: Any = None
    kept = []

    def parts() -> Any:
        nonlocal columns
        for table in read_blocks(files):
            inputs = table.select([name for name in table.columns if name != "y"])
            columns = columns or Columns.of(inputs)
            X = columns.encode(inputs)[:]
            y = np.array(table["y"].categories()[0] == 0, int)
            kept.append((X, y))
            yield kept[-1]

    with tempfile.TemporaryDirectory() as folder:
        stream = Stream.write(folder, parts())
        X, y = (np.concatenate(own) for own in zip(*kept, strict=True))
        found: dict[str, Any] = {"rows": len(X), "inputs": X.shape[1]}
        for widths in ((128, 128), (32,)):
            architecture = Architecture(X.shape[1], widths, 2)
            for turn in range(3):
                for name, data in (("memory", (X, y)), ("stream", stream)):
                    net = MLP(architecture, rng=np.random.default_rng(0), dtype="float32")
                    history = train(net, data, loss="cross_entropy", batch_size=256, n_epochs=1)
                    if turn:
                        own = found.setdefault(f"{name} {widths}", [])
                        own.append(round(len(X) / history["seconds"][0]))
            found[f"torch {widths}"] = usual_loop(files, columns, widths)
    return found


def usual_loop(files: list[str], columns: Any, widths: tuple[int, ...]) -> int:
    """Return the rows per second of PyTorch's usual loop over the first of these files.

    An IterableDataset yields the rows of a file's record batches, a DataLoader makes batches of
    them, and the loop takes a step on each batch with autograd.
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, IterableDataset

    names = [name for name in columns.needed if name != "level"]

    class Rows(IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            for path in files[:1]:
                for batch in pq.ParquetFile(path).iter_batches(columns=[*names, "y"]):
                    X = np.column_stack([np.nan_to_num(batch[name]) for name in names])
                    y = np.array(batch["y"]) == "yes"
                    yield from zip(X.astype(np.float32), y.astype(int), strict=True)

    sizes = (len(names), *widths)
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Linear(widths[-1], 2))
    optimizer = torch.optim.Adam(net.parameters())
    began, n = time.perf_counter(), 0
    for X, y in DataLoader(Rows(), batch_size=256):
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(net(X), y))
        optimizer.step()
        n += len(X)
    return round(n / (time.perf_counter() - began))


def seeds(files: list[str]) -> dict[str, Any]:
    """Return the log-loss on new rows with five seeds, trained in memory and on a stream.

    The limits are lowered, so that a small table is streamed.
    """
    from sklearn.metrics import log_loss

    from multilayer.data import large, stream, streamed
    from multilayer.estimators import TabularClassifier

    train, test = (pq.read_table(files[0]).slice(start, 60_000) for start in (0, 60_000))
    found: dict[str, Any] = {"memory": [], "stream": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(4):
            part = train.slice(number * 15_000, 15_000)
            pq.write_table(part, Path(folder, f"{number}.parquet"))
        large.N_ENTRIES, stream.BLOCK_BYTES, streamed.PART_BYTES = 2**18, 2**13, 2**20
        for seed in range(5):
            for name, limit in (("memory", 2**30), ("stream", 0)):
                large.IN_MEMORY = limit
                model = TabularClassifier(n_members=4, random_state=seed)
                model.fit(files_of(Path(folder)), target="y")
                p = model.predict_proba(test.drop_columns(["y"]))
                found[name].append(round(log_loss(test["y"].to_pylist(), p), 4))
    return found


def model_of(files: list[str]) -> dict[str, Any]:
    """Train briefly on the first file, and save the model."""
    from multilayer.estimators import TabularClassifier

    *files, path = files
    TabularClassifier(n_members=2, time_limit=60).fit(files[:1], target="y").save(path)
    return {}


WATCH = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""A small process that starts another one, since a child's peak starts at its parent's memory."""


def predict(files: list[str]) -> dict[str, Any]:
    """Predict files with ``mlp predict``."""
    with tempfile.TemporaryDirectory() as folder:
        model, out = Path(folder, "model.safetensors"), Path(folder, "out.parquet")
        child("model", [*files, str(model)])
        mlp = Path(sys.executable).with_name("mlp")
        command = [sys.executable, "-c", WATCH, mlp, "predict", model, *files, "-o", out]
        began = time.perf_counter()
        done = subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE)
        seconds = time.perf_counter() - began
        n_rows = pq.ParquetFile(out).metadata.num_rows
    return {"rows": n_rows, "seconds": seconds, "peak_MiB": round(int(done.stdout) / 2**10)}


TASKS: dict[str, Any] = {
    "survey": survey,
    "encode": encode,
    "fit": lambda files: fit(files, n_members=2, time_limit=30),
    "whole": lambda files: fit(files, n_members=2),
    "streamed": streamed,
    "seeds": seeds,
    "model": model_of,
}


def main() -> None:
    """Run the task of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=["make", "memory", "speed", "whole", "seeds", "child"])
    parser.add_argument("rest", nargs="+")
    given = parser.parse_args()
    if given.task == "child":
        print(json.dumps(measured(given.rest[0], given.rest[1:])))
        return
    folder = Path(given.rest[0])
    if given.task == "make":
        make(folder, int(given.rest[1]))
        return
    print(json.dumps(describe() | {"threads": os.environ.get("OMP_NUM_THREADS", "all")}))
    if given.task == "memory":
        for n in (2, 20, 60):
            files = files_of(folder, n)
            print(n, "fit", json.dumps(child("fit", files)), flush=True)
            print(n, "predict", json.dumps(predict(files)), flush=True)
    elif given.task == "speed":
        for what in ("survey", "encode", "streamed"):
            print(what, json.dumps(child(what, files_of(folder, 3))), flush=True)
    elif given.task == "seeds":
        print(json.dumps(child("seeds", files_of(folder, 1))))
    else:
        print("fit", json.dumps(child("whole", files_of(folder))), flush=True)
        print("predict", json.dumps(predict(files_of(folder))), flush=True)


if __name__ == "__main__":
    main()
