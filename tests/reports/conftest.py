"""What the tests of situations share: a table in every form that it may have, and ``mlp``."""

from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from multilayer.cli.main import app
from multilayer.data import read_file


@pytest.fixture
def written(tmp_path):
    """Return what writes a file, and its path."""

    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def forms(written):
    """Return what makes every form of a table of texts and None: frames, mappings, rows, a file."""

    def make(X):
        names = list(X)
        rows = list(zip(*X.values(), strict=True))
        frame = pd.DataFrame(X, dtype=object)
        return {
            "dict": dict(X),
            "arrays": {name: np.array(column, dtype=object) for name, column in X.items()},
            "records": [dict(zip(names, row, strict=True)) for row in rows],
            "pandas": frame,
            "pandas of text": frame.astype("string"),
            "polars": pl.DataFrame(X),
            "pyarrow": pa.table(X),
            "file": read_file(written(frame.to_csv(index=False), "form.csv")),
        }

    return make


@pytest.fixture
def mlp():
    """Return what runs the command line, which must end well."""

    def run(*arguments, fails=False):
        result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "100"})
        assert bool(result.exit_code) == fails, result.output
        return result

    return run


@pytest.fixture
def train(mlp):
    """Return what trains one network on a table in a file, as quickly as its options say."""
    return partial(mlp, "train", "table", "--model=mlp")
