"""Measure the time to read and encode a table's entries and to predict a row, and peak memory.

    python benchmarks/reading.py

prints the times, and the memory for columns with many categories; it needs pandas, polars and
pyarrow. Memory is measured in a separate process for each way.
"""

import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from multilayer import MLPClassifier, TabularClassifier
from multilayer.model import Columns

N = 10**6
REPEATS = 15
LIMITS = {"numbers": 20, "categories": 60, "texts": 150}
"""The most nanoseconds that reading and encoding an entry may take."""
ROWS = 2000
"""How many times a row is predicted."""
LIMIT_OF_A_ROW = 300
"""The most microseconds that the prediction of a row may take."""
WAYS = ("columns", "columns, early stopping", "one-hot, sparse", "one-hot, sparse, early stopping")
"""Ways to train on and predict 150,000 rows with ten columns of 1,000 categories."""


def columns() -> list[tuple[str, str, Any]]:
    """Return, for each type, the kind of limit, the type's name, and a table of 10⁶ entries."""
    rng = np.random.default_rng(0)
    numbers, whole, flags = rng.normal(size=N), rng.integers(0, 1000, N), rng.random(N) < 0.1
    texts = np.array([f"w{i}" for i in range(50)], dtype=object)[rng.integers(0, 50, N)]
    frame = pd.DataFrame({"a": pd.Series(texts, dtype="str")})
    nullable = pd.array(whole, dtype="Int64")
    nullable[flags] = pd.NA
    return [
        ("numbers", "float64, NumPy", {"a": numbers}),
        ("numbers", "int64, NumPy", {"a": whole}),
        ("numbers", "bool, NumPy", {"a": flags}),
        ("numbers", "float64, pandas", pd.DataFrame({"a": numbers})),
        ("numbers", "Int64, pandas", pd.DataFrame({"a": nullable})),
        ("numbers", "boolean, pandas", pd.DataFrame({"a": pd.array(flags, dtype="boolean")})),
        ("numbers", "int64, polars", pl.DataFrame({"a": whole})),
        ("numbers", "float64, pyarrow", pa.table({"a": numbers})),
        ("categories", "category, pandas", frame.astype("category")),
        ("categories", "Categorical, polars", pl.from_pandas(frame).cast(pl.Categorical)),
        ("categories", "dictionary, pyarrow", pa.table({"a": pa.array(texts).dictionary_encode()})),
        ("texts", "str, pandas", frame),
        ("texts", "objects, pandas", frame.astype(object)),
        ("texts", "String, polars", pl.from_pandas(frame)),
        ("texts", "list, Python", {"a": texts.tolist()}),
    ]


def time_entries() -> None:
    """Print the nanoseconds per entry in the fastest of several runs, and the limit."""
    print(f"{'read and encode an entry':28} {'ns':>6} {'limit':>6}")
    for kind, name, X in columns():
        found = Columns.of(X)
        seconds = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            found.encode(X)
            seconds.append(time.perf_counter() - start)
        print(f"{name:28} {min(seconds) / N * 1e9:6.1f} {LIMITS[kind]:6}")


def time_rows() -> None:
    """Print the microseconds to predict one row of a table of 6 numbers and 8 categories.

    The last line is the time that pandas alone takes to return names, types and entries.
    """
    rng = np.random.default_rng(0)
    whole = {f"n{j}": rng.integers(0, 1000, 4000) for j in range(6)}
    texts = {f"c{j}": rng.choice([f"w{i}" for i in range(2 + 3 * j)], 4000) for j in range(8)}
    X = pd.DataFrame(whole | texts)
    y = (X["n0"] > 500) & (X["c1"] != "w0")
    models: dict[str, Any] = {
        "TabularClassifier": TabularClassifier(random_state=0),
        "MLPClassifier": MLPClassifier((64,), columns="auto", max_iter=3, random_state=0),
    }
    row = X.iloc[[0]]
    categories = X.astype(dict.fromkeys(texts, "category")).iloc[[0]]
    forms: dict[str, Any] = {
        "dict of lists": row.to_dict("list"),
        "pandas": row,
        "pandas, categories": categories,
        "polars": pl.from_pandas(row),
    }
    print(f"\n{'predict a row of 14 columns':38} {'µs':>6} {'least':>6} {'limit':>6}")
    for name, model in models.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about too few iterations
            model.fit(X, y)
        for form, one in forms.items():
            _print_calls(f"{name}, {form}", partial(model.predict_proba, one))
    _print_calls("pandas alone", partial(_handed_over, row))


def _handed_over(frame: pd.DataFrame) -> tuple[list[Any], ...]:
    entries = [frame.iat[0, i] for i in range(frame.shape[1])]
    return frame.columns.tolist(), frame.dtypes.tolist(), entries


def _print_calls(name: str, call: Callable[[], Any]) -> None:
    """Print the median and the least microseconds per call."""
    seconds = []
    for _ in range(ROWS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    median, least = np.median(seconds) * 1e6, min(seconds) * 1e6
    print(f"{name:38} {median:6.0f} {least:6.0f} {LIMIT_OF_A_ROW:6}")


def train(way: str) -> None:
    """Train and predict in one of the ways; print peak memory, that before, and the seconds."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    names = [f"w{j}" for j in range(1000)]
    X = pd.DataFrame({f"c{i}": rng.choice(names, 150_000) for i in range(10)})
    y = rng.integers(0, 2, len(X))
    settings: dict[str, Any] = {
        "max_iter": 1,
        "random_state": 0,
        "early_stopping": way.endswith("stopping"),
    }
    if way.startswith("columns"):
        model = MLPClassifier((32,), columns="auto", **settings)
    else:
        encoder = OneHotEncoder(
            max_categories=257, handle_unknown="infrequent_if_exist", dtype=np.float32
        )
        model = make_pipeline(encoder, MLPClassifier((32,), **settings))
    before, start = _peak(), time.perf_counter()
    model.fit(X, y).predict(X)
    seconds = time.perf_counter() - start
    print(f"{way:34} {_peak():5.2f} {before:7.2f} {seconds:8.1f}", flush=True)


def _peak() -> float:
    """Return this process's peak memory in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train(sys.argv[1])
    else:
        from machine import describe  # loads much, which must not count in the child processes

        print(describe(), "\n")
        time_entries()
        time_rows()
        print(
            f"\n{'150,000 rows, 10 × 1,000 categories':34} {'GB':>5} {'before':>7} {'seconds':>8}"
        )
        for each in WAYS:
            subprocess.run([sys.executable, __file__, each], check=True)
