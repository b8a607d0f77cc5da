"""`mlp predict`: a file in blocks, whose predictions are those of the whole table."""

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from multilayer import Architecture, TabularClassifier, load
from multilayer.cli import predict
from multilayer.cli.main import app
from multilayer.data import TableWarning, dialects
from multilayer.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from multilayer.files import save_model
from multilayer.model import Model, Numbers
from multilayer.numpy import MLP

N = 2_500


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "100"})


def raised(*arguments):
    result = run(*arguments)
    assert result.exception is not None, result.output
    return result.exception


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model for a table, and the table in files."""
    folder = tmp_path_factory.mktemp("predict")
    rng = np.random.default_rng(0)
    size = rng.normal(size=N).round(3)
    kind = rng.choice(["a", "b", "c"], N)
    table = pd.DataFrame(
        {
            "id": [f"{i:05d}" for i in range(N)],
            "n": np.arange(N) + 2**60,
            "size": np.where(rng.random(N) < 0.1, np.nan, size),
            "kind": kind,
            "day": (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, N), unit="D")),
            "y": np.where(size + (kind == "a") > 0, "yes", "no"),
        }
    )
    table.to_csv(folder / "t.csv", index=False)
    table.to_parquet(folder / "t.parquet", row_group_size=700)
    few = table[:400]
    clf = TabularClassifier(n_members=3, columns={"n": "ignored"}, random_state=0)
    with pytest.warns(TableWarning, match="'id' \\(identifiers\\)"):
        clf.fit(few.drop(columns="y"), few["y"])
    clf.save(folder / "m.model")
    return folder


@pytest.fixture
def blocks(monkeypatch):
    """Blocks of three pieces of a network, about 510 rows."""
    monkeypatch.setattr(predict, "N_ROWS", 600)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("source", ["csv", "parquet"])
@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl", "json"])
def test_blocks_have_the_bits_of_the_whole(folder, source, form, tmp_path):
    model = load(folder / "m.model")
    table = pd.read_parquet(folder / "t.parquet")
    expected = {"prediction": model.predict(table[list(model.inputs.names)]).tolist()}
    for name, p in zip(
        ("no", "yes"), model.predict_proba(table[list(model.inputs.names)]).T, strict=True
    ):
        expected[f"probability {name}"] = p.tolist()
    out = tmp_path / f"out.{form}"
    how = ["--json"] if form == "json" else []
    result = run("predict", folder / "m.model", folder / f"t.{source}", "-o", out, *how)
    assert (result.exit_code, result.output) == (0, ""), result.output
    if form == "json":
        found = json.loads(out.read_text())
    elif form == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        found = {name: [row[name] for row in rows] for name in rows[0]}
    elif form == "parquet":
        found = parquet.read_table(out).to_pydict()
        assert parquet.ParquetFile(out).num_row_groups > 1
    else:
        text = pd.read_csv(out, dtype=str, keep_default_na=False)
        found = {name: text[name].tolist() for name in text}
        expected = {name: list(map(str, values)) for name, values in expected.items()}
    assert found == expected


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_columns_are_kept(folder, source, tmp_path):
    out = tmp_path / "out.parquet"
    result = run("predict", folder / "m.model", folder / f"t.{source}", "--out", out,
                 "--keep", "id", "--keep", "n", "--keep", "size", "--keep", "id")  # fmt: skip
    assert result.exit_code == 0, result.output
    found = parquet.read_table(out).to_pydict()
    assert list(found)[:4] == ["id", "n", "size", "prediction"]
    table = pd.read_parquet(folder / "t.parquet")
    assert found["id"] == table["id"].tolist()
    kept = pd.Series(found["size"], dtype=object)
    assert kept.isna().equals(table["size"].isna())
    assert [int(n) for n in found["n"]] == table["n"].tolist()
    error = raised("predict", folder / "m.model", folder / "t.csv", "--keep", "idd")
    assert isinstance(error, UnknownNameError)
    assert str(error).endswith("got 'idd', did you mean 'id'?")


def test_a_kept_column_cannot_have_the_name_of_a_prediction(folder, tmp_path):
    table = pd.read_csv(folder / "t.csv", dtype={"id": str})[:5]
    table.assign(prediction=1).to_csv(tmp_path / "t.csv", index=False)
    error = raised("predict", folder / "m.model", tmp_path / "t.csv", "--keep", "prediction")
    assert isinstance(error, InvalidArgumentError)
    assert "cannot be 'prediction', which is a column of predictions" in str(error)


@pytest.mark.usefixtures("blocks")
def test_a_column_is_noted_once(folder, tmp_path):
    table = pd.read_csv(folder / "t.csv", dtype={"id": str})
    table.loc[[3, 5, 1800], "kind"] = "new"
    table.to_csv(tmp_path / "t.csv", index=False)
    result = run("predict", folder / "m.model", tmp_path / "t.csv", "-o", tmp_path / "o.csv")
    assert result.stderr.splitlines() == [
        "note: column 'kind' has categories not seen in training, such as 'new' at row 4 below its "
        "header; known ones include 'a'",
        "note: later rows have more such entries in 'kind'",
    ]


@pytest.mark.usefixtures("blocks")
def test_nothing_is_written_if_a_later_row_is_wrong(folder, tmp_path):
    lines = (folder / "t.csv").read_text().splitlines()
    lines[2_000] += ",more"
    (tmp_path / "t.csv").write_text("\n".join(lines))
    (tmp_path / "o.parquet").write_text("as before")
    error = raised("predict", folder / "m.model", tmp_path / "t.csv", "-o", tmp_path / "o.parquet")
    assert isinstance(error, InvalidDataError)
    assert "line 2,001 has 7" in str(error)
    assert (tmp_path / "o.parquet").read_text() == "as before"
    assert len(list(tmp_path.iterdir())) == 2


def test_the_name_must_fit_the_form(folder, tmp_path):
    for name in ("o.parquet", "o.jsonl"):
        error = raised("predict", folder / "m.model", folder / "t.csv", "--json",
                       "--out", tmp_path / name)  # fmt: skip
        assert isinstance(error, InvalidArgumentError)
        assert str(error).startswith("--out of mlp predict cannot be ")


@pytest.mark.usefixtures("blocks")
def test_plain_numbers_are_read_in_one_notation(tmp_path):
    """The first block shows how numbers are written; 1.234 in a later one is not 1.234."""
    net = MLP(Architecture(2, (), 1), rng=np.random.default_rng(0), dtype="float64")
    net.set_weights([(np.array([[1.0, 0.0]]), np.zeros(1))])
    save_model(tmp_path / "m.model", Model(net, None, Numbers(2, names=("a", "b"))))
    first = [("1.234,5", "0")] * 2_000
    text = "a;b\n" + "\n".join(";".join(row) for row in [*first, ("1.234", "0"), ("2,5", "0")])
    (tmp_path / "t.csv").write_text(text)
    found = json.loads(run("predict", tmp_path / "m.model", tmp_path / "t.csv", "--json").stdout)
    assert found["prediction 0"] == [1234.5] * 2_000 + [1234.0, 2.5]


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_memory_does_not_grow_with_the_rows(folder, tmp_path, form, monkeypatch):
    """Ten times the rows, and less than one and a half times what is allocated at once.

    What Python and NumPy allocate is counted: the process has much more, for the libraries.
    """
    monkeypatch.setattr(predict, "N_ROWS", 400)
    for name in ("SAMPLE", "PART"):  # how much of a file is looked at first: less than of the small
        monkeypatch.setattr(dialects, name, 2**12)
    table = pd.read_csv(folder / "t.csv", dtype={"id": str})[:1_200]
    peaks = []
    for k in (1, 1, 10):  # the first loads what is loaded once
        path = tmp_path / f"{k}.csv"
        pd.concat([table] * k).to_csv(path, index=False)
        tracemalloc.start()
        result = run("predict", folder / "m.model", path, "-o", tmp_path / f"o.{form}",
                     "--keep", "id")  # fmt: skip
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert result.exit_code == 0, result.output
    assert peaks[2] < 1.5 * peaks[1]


def test_a_name_that_promises_another_format_is_refused(folder, tmp_path):
    for name in ("o.csv.gz", "o.xlsx", "o.json"):
        error = raised("predict", folder / "m.model", folder / "t.csv", "--out", tmp_path / name)
        assert "must end in .csv, .parquet or .jsonl" in str(error)
    assert not list(tmp_path.iterdir())


def test_what_is_read_is_not_overwritten(folder):
    before = (folder / "t.csv").read_bytes()
    for path in (folder / "t.csv", folder / "m.model"):
        error = raised("predict", folder / "m.model", folder / "t.csv", "--out", path)
        assert (
            str(error)
            == f"--out of mlp predict must not be among the files that are read; got {path}"
        )
    error = raised("train", "table", folder / "t.csv", "--save", folder / "t.csv")
    assert "--save of mlp train table must not be among the files that are read" in str(error)
    assert (folder / "t.csv").read_bytes() == before


def test_nor_is_what_a_folder_or_a_pattern_reads(folder, tmp_path):
    (tmp_path / "in").mkdir()
    part = tmp_path / "in" / "part-1.csv"
    part.write_bytes((folder / "t.csv").read_bytes())
    for source in (tmp_path / "in", tmp_path / "in" / "*.csv"):
        for out in (part, tmp_path / "in" / "new.csv"):  # which the next command would read
            error = raised("predict", folder / "m.model", source, "--out", out)
            assert "must not be among the files that are read" in str(error)
        error = raised("train", "table", source, "--save", part)
        assert "must not be among the files that are read" in str(error)
        error = raised("schema", source, "--out", part)
        assert "must not be among the files that are read" in str(error)
    schema = tmp_path / "s.toml"
    schema.write_text("")
    error = raised("train", "table", part, "--schema", schema, "--save", schema)
    assert "must not be among the files that are read" in str(error)
    assert part.read_bytes() == (folder / "t.csv").read_bytes()
