"""`mlp schema` and `--schema`: what columns are taken for, as a file that people can edit."""

import json
import tomllib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from multilayer import load
from multilayer.cli.columns import describe_columns
from multilayer.cli.main import app
from multilayer.cli.schema_file import WAYS, read_schema, written
from multilayer.data import read_table
from multilayer.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from multilayer.model import Columns

ONE = ("--model=mlp", "--hidden=4", "--epochs=2", "--json")


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "120"})


def raised(*arguments):
    result = run(*arguments)
    assert result.exception is not None, result.output
    return result.exception


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """The file of a table with a decimal comma, open dates, codes and weights."""
    rng = np.random.default_rng(0)
    n = 200
    area = rng.uniform(40, 200, n).round(1)
    kind = rng.choice(["flat", "house", "hut"], n)
    table = pd.DataFrame(
        {
            "area in m²": [f"{a}".replace(".", ",") for a in area],
            "kind": kind,
            "id": np.arange(n),
            "seen": [f"{a}/{b}/2024" for a, b in rng.integers(1, 13, (n, 2))],
            "street": rng.integers(1, 9, n),
            "w": rng.integers(0, 4, n),
            "price": (area * (1 + (kind == "house")) + rng.normal(0, 9, n)).round(2),
        }
    )
    table.loc[:9, "area in m²"] = "?"
    path = tmp_path_factory.mktemp("homes") / "homes.csv"
    table.to_csv(path, index=False, sep=";")
    return path


@pytest.fixture
def schema(homes, tmp_path):
    """The schema file that the command writes."""
    path = tmp_path / "columns.toml"
    result = run("schema", homes, "--target", "price", "--out", path)
    assert result.exit_code == 0, result.output
    return path


def test_what_is_shown(homes):
    result = run("schema", homes, "--target", "price")
    assert result.exit_code == 0, result.output
    printed = " ".join(result.stdout.replace("│", "").split())
    for part in (
        "area in m² numeric; decimal comma",
        "5.0%",
        "embedded: 48 pieces",
        "kind categorical",
        "embedded: 4 vectors",
        "id ignored 0; 1; 2 200 left out: identifiers",
    ):
        assert part in printed
    assert "price" not in printed


def test_what_is_shown_as_json(homes):
    (area, kind, number, seen, *_) = json.loads(run("schema", homes, "--json").stdout)["columns"]
    table = pd.read_csv(homes, sep=";", dtype=str)
    assert area["name"] == "area in m²"
    assert (area["kind"], area["way"]) == ("numeric", "numeric: decimal comma")
    assert area["missing_share"] == (table["area in m²"] == "?").mean()
    assert area["n_distinct"] == table["area in m²"].nunique()
    assert kind["examples"] == table["kind"].unique()[:3].tolist()
    assert (number["kind"], number["n_inputs"]) == ("ignored", 0)
    assert "unclear whether day or month comes first" in seen["becomes"]


def test_training_with_the_file_is_training_without(homes, schema, tmp_path):
    models = []
    for i, how in enumerate((["--target=price"], ["--schema", schema])):
        path = tmp_path / f"{i}.model"
        result = run("train", "table", homes, *how, *ONE, "--save", path)
        assert result.exit_code == 0, result.output
        models.append(load(path))
    one, other = (model.inputs.to_dict()["columns"] for model in models)
    for column in (*one, *other):
        column.pop("reason", None)  # the file says only that a column is ignored
    assert one == other
    np.testing.assert_array_equal(models[0].net.parameters, models[1].net.parameters)


def test_an_edited_file_decides(homes, schema, tmp_path):
    text = schema.read_text()
    found = tomllib.loads(text)
    assert found["columns"]["seen"] == {"kind": "ignored"}
    before, _, after = text.partition("[columns.seen]\n")
    text = before + "[columns.seen]\n" + after.replace('"ignored"', '"date: day first"', 1)
    text = text.replace('[columns.street]\nkind = "numeric"', '[columns.street]\nkind = "ignored"')
    schema.write_text('weight = "w"\n' + text)
    model = tmp_path / "m.model"
    result = run("train", "table", homes, "--schema", schema, *ONE, "--save", model)
    assert result.exit_code == 0, result.output
    columns = {column.name: column for column in load(model).inputs.columns}
    assert columns["seen"].format.order == "day first"
    assert columns["street"].kind == "ignored"
    assert "w" not in columns
    kinds = {each["name"]: each["kind"] for each in json.loads(result.stdout)["columns"]}
    assert kinds == {name: column.kind for name, column in columns.items()}


def test_an_option_wins_and_a_new_column_is_found(homes, schema, tmp_path):
    table = pd.read_csv(homes, sep=";", dtype=str).assign(floor=["1", "2"] * 100)
    table.to_csv(tmp_path / "t.csv", index=False, sep=";")
    result = run("train", "table", tmp_path / "t.csv", "--schema", schema, "--target", "w",
                 "--categorical", "street", "--drop", "seen", *ONE)  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert f"note: target is 'w', set by an option, instead of 'price' in {schema}" in lines
    says = "note: column 'street' is categorical, set by an option, instead of numeric in"
    assert f"{says} {schema}" in lines
    assert f"note: not in {schema}, so their kinds are detected: 'price', 'floor'" in lines
    kinds = {each["name"]: each["kind"] for each in json.loads(result.stdout)["columns"]}
    assert (kinds["street"], kinds["floor"]) == ("categorical", "numeric")
    assert "seen" not in kinds


def test_tune_takes_the_file(homes, schema):
    result = run("tune", homes, "--schema", schema, "--trials", 1, "--folds", 2, "--epochs", 2,
                 "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["columns"][0]["way"] == "numeric: decimal comma"
    schema.write_text('group = "kind"\n')
    error = raised("tune", homes, "--schema", schema)
    assert str(error) == f"group of {schema} is only for mlp train table"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("x = ", InvalidDataError, "{} must be a schema in TOML, as mlp schema writes it: Invalid"),
        ('seperator = ","', UnknownNameError, "a key of {} must be one of separator, "),
        ('seperator = ","', UnknownNameError, "got 'seperator', did you mean 'separator'?"),
        ("target = 3", InvalidDataError, "target of {} must be a string; got 3"),
        ('missing = "?"', InvalidDataError, "missing of {} must be a list of strings; got '?'"),
        ('decimal = ";"', InvalidDataError, "decimal of {} must be '.' or ','; got ';'"),
        ("columns = 3", InvalidDataError, "columns of {} must be a table; got 3"),
        ("[columns]\nid = 3", InvalidDataError, "columns.id of {} must be a table with a kind"),
        ("[columns.id]", InvalidDataError, "columns.id of {} must be a table with a kind"),
        ("[columns.id]\nkin = 'x'", UnknownNameError, "a key of columns.id of {} must be one of"),
        ("[columns.id]\nkind = 'numerc'", UnknownNameError, "the kind in columns.id of {} must"),
        ("[columns.id]\nkind = 'numerc'", UnknownNameError, "did you mean 'numeric'?"),
        ("[columns.knd]\nkind = 'date'", UnknownNameError, "a column of {} must be one of area"),
        ("[columns.knd]\nkind = 'date'", UnknownNameError, "got 'knd', did you mean 'kind'?"),
        ('target = "pric"', UnknownNameError, "got 'pric', did you mean 'price'?"),
    ],
)
def test_what_is_wrong_with_a_file(homes, tmp_path, text, kind, message):
    path = tmp_path / "columns.toml"
    path.write_text(text)
    error = raised("train", "table", homes, "--schema", path, *ONE)
    assert isinstance(error, kind)
    assert message.format(path) in str(error)


def test_no_file(homes, tmp_path):
    error = raised("train", "table", homes, "--schema", tmp_path / "no.toml", *ONE)
    assert str(error) == f"there is no file {tmp_path / 'no.toml'}"
    (tmp_path / "group.toml").write_text('group = "kind"')
    error = raised("train", "table", homes, "--schema", tmp_path / "group.toml", *ONE)
    assert isinstance(error, InvalidArgumentError)
    assert "--group of mlp train table needs --model tabular" in str(error)


TEXTS = st.text(min_size=1, max_size=9)


@given(
    names=st.lists(st.text(max_size=9), min_size=1, max_size=4, unique=True),
    text=TEXTS,
    missing=st.lists(TEXTS),
)
def test_any_names_survive(tmp_path_factory, names, text, missing):
    table = read_table({name: [text, "b", "b", "2"] for name in names})
    columns = describe_columns(table, dict.fromkeys(names, "categorical"), embedded=False)
    path = tmp_path_factory.mktemp("schema") / "columns.toml"
    path.write_bytes(written(text, {"target": text, "missing": missing}, columns).encode())
    found = read_schema(path)
    assert found.kinds == dict.fromkeys(names, "categorical")
    assert found.general == {"target": text} | ({"missing": missing} if missing else {})


def test_each_kind_that_a_file_may_have_is_one_that_columns_take():
    for way in WAYS:
        texts = ["1/5/2024", "31/1/2024"] if way == "date: day first" else ["1/5/2024", "1/31/2024"]
        texts = texts if way.startswith("date") else ["1", "2"]
        X = {"a": texts, "b": [1, 2]}
        assert Columns.of(X, {"a": way}).columns[0].kind == way.partition(":")[0]
