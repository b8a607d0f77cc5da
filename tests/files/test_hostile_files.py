"""Files that are cut, damaged or made to harm: a clear error, no code run, no memory taken."""

import json
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from multilayer import Architecture
from multilayer.embeddings import Embeddings
from multilayer.errors import ModelFileError
from multilayer.files import load_model, save_model
from multilayer.model import Classes, Columns, Model, Numbers
from multilayer.numpy import MLP

from .conftest import packed, parts_of

# What a changed file predicts is of no interest, and so is what it warns of.
pytestmark = pytest.mark.filterwarnings("ignore::multilayer.data.TableWarning")

FUZZ = settings(max_examples=400)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The bytes of a small model that has everything."""
    path = tmp_path_factory.mktemp("small") / "model"
    architecture = Architecture(2, (2,), 1, output="sigmoid", normalization="batch")
    net = MLP(architecture, rng=np.random.default_rng(0))
    ones = np.ones(2)
    targets = Classes(np.array(["no", "yes"]))
    inputs = Numbers(2, ones, ones, ("a", "b"))
    save_model(path, Model(net, targets, inputs, {"metrics": {"loss": 1.5}}))
    return path.read_bytes()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The bytes of a small model of a table."""
    path = tmp_path_factory.mktemp("table") / "model"
    inputs = Columns.of({"age": [1, 2, None], "job": ["baker", "cook", ""]})
    net = MLP(Architecture(inputs.in_features, (2,), 1), rng=np.random.default_rng(0))
    save_model(path, Model(net, inputs=inputs))
    return path.read_bytes()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """The bytes of a small model with embeddings."""
    path = tmp_path_factory.mktemp("embedded") / "model"
    embeddings = Embeddings(numbers=[(1, 2)], categories=[(0, 2)], width=2)
    net = MLP(Architecture(2, (2,), 1, embeddings=embeddings), rng=np.random.default_rng(0))
    save_model(path, net)
    return path.read_bytes()


@pytest.fixture(scope="module", params=["numbers", "columns", "embeddings"])
def either(request, small, table, embedded):
    return {"numbers": small, "columns": table, "embeddings": embedded}[request.param]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch") / "model"


def error_of(content, path):
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    assert len(message) < 1300 + len(str(path))
    return message


# Cut, foreign, and changed by chance ---------------------------------------------------------


def test_every_truncation_is_refused(either, scratch):
    for length in range(len(either)):
        error_of(either[:length], scratch)


def test_what_hangs_on_at_the_end_is_refused(either, scratch):
    error_of(either + b"\0", scratch)


def test_a_pickle_is_not_run(scratch, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "proof"), "w"))

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        message = error_of(pickle.dumps(Bomb(), protocol), scratch)
        assert "it is not a safetensors file" in message
    assert not (tmp_path / "proof").exists()


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^no model file at "):
        load_model(tmp_path)


def test_another_models_safetensors_file_is_refused(scratch):
    assert "it is not a multilayer model file" in error_of(save({"w": np.ones(3)}), scratch)


def load_or_refuse(content, path):
    """Load a file that may be whole; nothing else than the package's error may come out."""
    path.write_bytes(content)
    try:
        model = load_model(path)
    except ModelFileError:
        return
    # What is loaded is a whole model, whatever its numbers are.
    assert np.isfinite(model.net.parameters).all()
    with np.errstate(all="ignore"):
        X = np.ones((3, model.net.architecture.in_features))
        if isinstance(model.inputs, Columns):
            entries = {"numeric": [1, 2, 3], "categorical": ["a", "b", "c"]}
            X = {column.name: entries[column.kind] for column in model.inputs.columns}
        assert len(model(X)) == 3


@FUZZ
@given(data=st.data())
def test_bytes_changed_anywhere(either, scratch, data):
    start = data.draw(st.integers(0, len(either)))
    stop = data.draw(st.integers(start, min(start + 12, len(either))))
    inserted = data.draw(st.binary(max_size=12))
    load_or_refuse(either[:start] + inserted + either[stop:], scratch)


@FUZZ
@given(content=st.binary(max_size=200))
def test_any_bytes(scratch, content):
    load_or_refuse(content, scratch)


@FUZZ
@given(data=st.data())
def test_text_of_the_header_changed_anywhere(either, scratch, data):
    """Change the header, and keep what its length says in step, so that more of it is read."""
    header, rest = parts_of(either)
    name = data.draw(st.sampled_from(sorted(header["__metadata__"])))
    text = header["__metadata__"][name]
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(start + 8, len(text))))
    inserted = data.draw(st.text('{}[]",:0123456789eE.-nulltrfasi', max_size=6))
    header["__metadata__"][name] = text[:start] + inserted + text[stop:]
    load_or_refuse(packed(header, rest), scratch)


WORDS = ("relu", "batch", "int8", "str", "classes", "values", "numbers", "columns", "numeric")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.floats()
    | st.sampled_from([10**12, 2**63, -1, *WORDS])
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def places(value, path=()):
    """Return the way to every value inside a JSON value."""
    found = [path]
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            found += places(value[key], (*path, key))
    return found


def replaced(value, way, new):
    if not way:
        return new
    copy = value.copy()
    copy[way[0]] = replaced(copy[way[0]], way[1:], new)
    return copy


@FUZZ
@given(data=st.data())
def test_any_value_in_any_place_of_the_header(either, scratch, data):
    header, rest = parts_of(either)
    name = data.draw(st.sampled_from(["architecture", "inputs", "targets", "information"]))
    value = json.loads(header["__metadata__"][name])
    way = data.draw(st.sampled_from(places(value)))
    header["__metadata__"][name] = json.dumps(replaced(value, way, data.draw(JSON)))
    load_or_refuse(packed(header, rest), scratch)


@FUZZ
@given(data=st.data())
def test_any_value_in_any_place_of_the_arrays_entries(either, scratch, data):
    header, rest = parts_of(either)
    arrays = {name: entry for name, entry in header.items() if name != "__metadata__"}
    way = data.draw(st.sampled_from([way for way in places(arrays) if way]))
    load_or_refuse(packed(replaced(header, way, data.draw(JSON)), rest), scratch)


# Lies that say what they are -----------------------------------------------------------------


def with_text(name, change):
    """Return a change of the file: of one text of its header."""

    def apply(content):
        header, rest = parts_of(content)
        texts = header["__metadata__"]
        new = change(texts.pop(name))
        if new is not None:
            texts[name] = new
        return packed(header, rest)

    return apply


def with_field(name, **fields):
    """Return a change of the file: of some fields of one part."""
    return with_text(name, lambda text: json.dumps(json.loads(text) | fields))


def with_entry(name, **fields):
    """Return a change of the file: of what its header says of one array."""

    def apply(content):
        header, rest = parts_of(content)
        header[name] |= fields
        return packed(header, rest)

    return apply


def with_arrays(change):
    """Return a change of the file: of its arrays."""

    def apply(content):
        header, _ = parts_of(content)
        arrays = load(content)
        change(arrays)
        return save(arrays, metadata=header["__metadata__"])

    return apply


def with_header(change):
    """Return a change of the file: of the header's bytes."""

    def apply(content):
        length = int.from_bytes(content[:8], "little")
        return packed(change(content[8 : 8 + length]), content[8 + length :])

    return apply


def claiming(length):
    """Return a change of the file: of the length of the header that it claims."""
    return lambda content: length.to_bytes(8, "little") + content[8:]


def targets_of(**fields):
    return with_text("targets", lambda _: json.dumps(fields))


def inputs_of(**fields):
    """Return a change of the file: to other columns, and no scaling of numbers."""

    def apply(content):
        without = with_arrays(lambda arrays: (arrays.pop("mean"), arrays.pop("scale")))(content)
        text = json.dumps({"kind": "columns"} | fields)
        return with_text("inputs", lambda _: text)(without)

    return apply


def columns_of(*columns):
    return inputs_of(columns=columns, missing=[])


PLAIN = {"decimal": ".", "thousands": "", "unit": "", "scale": "", "is_boolean": False,
         "missing": []}  # fmt: skip
NUMERIC = {"kind": "numeric", "name": "n", "median": 1.0, "scale": 2.0, "has_missing": False,
           "notation": PLAIN}  # fmt: skip
A_OR_B = {"kind": "categorical", "name": "w", "categories": ["a", "b"], "has_missing": False,
          "has_rare": False}  # fmt: skip
DATE = {"kind": "date", "name": "d", "median": 1.0, "scale": 2.0, "cycles": [],
        "has_missing": False,
        "format": {"order": "", "has_zone": False, "missing": []}}  # fmt: skip
OLD_NUMERIC = {"kind": "numeric", "name": "n", "median": 1.0, "scale": 2.0, "has_gaps": False}
OLD_WORDS = {"kind": "categorical", "name": "w", "words": ["a", "b"], "has_gaps": False}


def old_columns_of(*columns):
    """Return what makes a file of version 3 with these columns."""
    inputs, version = inputs_of(columns=columns), with_text("format_version", lambda _: "3")
    return lambda content: version(inputs(content))


LIES = {
    "another format": (
        lambda _: b"\x08\x08\x12\x0amultilayer: ONNX",
        "it is not a safetensors file",
    ),
    "header of 2^64 bytes": (claiming(2**64 - 1), "it is not a safetensors file"),
    "header of 10 MB, cut short": (claiming(10**7), "its header claims 10,000,000"),
    "header of 17 MB": (
        lambda content: claiming(2**24 + 1)(content) + bytes(2**24),
        "its header claims 16,777,217 bytes; at most 16,777,216 are read",
    ),
    "no header": (claiming(0), "its header cannot be used: Expecting value"),
    "deep header": (with_header(lambda _: b"[" * 10**6), "nested too deeply"),
    "name twice": (
        with_header(lambda h: h.rstrip()[:-1] + b',"mean":{"dtype":"F64","shape":[2]}}'),
        "the name 'mean' appears twice",
    ),
    "no UTF-8": (with_header(lambda h: h.replace(b"multilayer", b"multi\xffayer")), "utf-8"),
    "text that is none": (
        with_header(lambda h: h.replace(b'"format":"multilayer"', b'"format":1')),
        "expected a string",
    ),
    "format": (with_text("format", lambda _: "other"), "it is not a multilayer model file"),
    "no format": (with_text("format", lambda _: None), "it is not a multilayer model file"),
    "older": (
        with_text("format_version", lambda _: "2"),
        "its format version is 2; multilayer 0.1.0 reads versions 3, 4, 5 and 6",
    ),
    "newer": (with_text("format_version", lambda _: "7"), "its format version is 7;"),
    "no version": (with_text("format_version", lambda _: None), "its format version is None;"),
    "no architecture": (with_text("architecture", lambda _: None), "header has no architecture"),
    "architecture null": (with_text("architecture", lambda _: "null"), "must be a JSON object"),
    "deep JSON": (with_text("architecture", lambda _: "[" * 10**6), "nested too deeply"),
    "NaN in JSON": (with_field("architecture", dropout=float("nan")), "must be finite; got NaN"),
    "1e999 in JSON": (with_text("information", lambda _: '{"a": 1e999}'), "finite; got 1e999"),
    "field twice": (
        with_text("architecture", lambda text: text[:-1] + ', "bias": false}'),
        "architecture: the name 'bias' appears twice",
    ),
    "unknown field": (with_field("architecture", extra=1), "field of Architecture must be one of"),
    "own activation": (with_field("architecture", activation="rleu"), "did you mean 'relu'?"),
    "10^12 inputs": (with_field("architecture", in_features=10**12), "must have shape (2000000"),
    "10^12 hidden": (with_field("architecture", hidden_features=[10**12]), "must have shape"),
    "10^3000 outputs": (with_field("architecture", out_features=10**3000), "cannot be read"),
    "10^6 layers": (
        with_field("architecture", hidden_features=[1] * 10**6),
        "hidden_features must have at most 10,000 widths; got 1,000,000",
    ),
    "10^12 pieces": (
        with_field("architecture", embeddings={"numbers": [[0, 10**12]]}),
        "must have shape (8000000000033,)",
    ),
    "10^3000 categories": (
        with_field("architecture", embeddings={"categories": [[0, 10**3000]], "width": 10**3000}),
        "cannot be read",
    ),
    "10^5 embeddings": (
        with_field("architecture", embeddings={"numbers": [[j, 1] for j in range(10**5)]}),
        "embeddings of Architecture must have indices below in_features=2; got 99999",
    ),
    "embeddings of one input": (
        with_field("architecture", embeddings={"numbers": [[0, 1]] * 10**5}),
        "numbers and categories of Embeddings must name at least one input, and none twice",
    ),
    "embeddings a list": (
        with_field("architecture", embeddings=[[0, 1]]),
        "embeddings of an Architecture must be an object of categories, numbers, speed, width",
    ),
    "no normalisation": (with_field("architecture", normalization=None), "must have shape"),
    "inputs of no kind": (with_field("inputs", kind="words"), "kind of inputs must be one of num"),
    "inputs a list": (with_text("inputs", lambda _: "[]"), "inputs must be an object with a"),
    "names in a text": (with_field("inputs", names="ab"), "names of inputs must be a list"),
    "a name missing": (with_field("inputs", names=["a"]), "must be 2 strings, one per"),
    "a name that is none": (with_field("inputs", names=["a", 1]), "must be 2 strings"),
    "no columns": (columns_of(), "columns must be at least one"),
    "columns in an object": (
        inputs_of(columns={}, missing=[]),
        "columns of inputs must be a list; got {}",
    ),
    "columns with a mean": (
        with_text(
            "inputs", lambda _: json.dumps({"kind": "columns", "columns": [NUMERIC], "missing": []})
        ),
        "inputs of kind columns have no mean, scale",
    ),
    "missing in a text": (inputs_of(columns=[NUMERIC], missing="?"), "missing of inputs must be"),
    "missing that are none": (inputs_of(columns=[NUMERIC], missing=[1]), "must be strings"),
    "another width": (columns_of(NUMERIC, A_OR_B), "Model must be as many as the network's, 2"),
    "a column of no kind": (columns_of(NUMERIC | {"kind": "x"}), "must be an object with a kind"),
    "a column that is a list": (columns_of([]), "a column must be an object with"),
    "a column's kind a list": (columns_of(NUMERIC | {"kind": []}), "must be an object with a kind"),
    "a column with more": (columns_of(NUMERIC | {"x": 1}), "a numeric column must have name"),
    "a median that is none": (
        columns_of(NUMERIC | {"median": 1}),
        "median of a numeric column must be a float",
    ),
    "a scale below 0": (columns_of(NUMERIC | {"scale": -1.0}), "scale of a column must be at"),
    "a notation with less": (columns_of(NUMERIC | {"notation": {}}), "notation must have decimal,"),
    "a notation that is none": (columns_of(NUMERIC | {"notation": 1}), "notation of a numeric col"),
    "marks that are none": (
        columns_of(NUMERIC | {"notation": PLAIN | {"decimal": "ab"}}),
        "decimal of a notation must be",
    ),
    "a scale of no units": (
        columns_of(NUMERIC | {"notation": PLAIN | {"scale": "x"}}),
        "scale of a notation must be",
    ),
    "a category twice": (
        columns_of(A_OR_B | {"categories": ["a", "a"]}),
        "categories of a column must be one or more distinct texts",
    ),
    "a category that is none": (columns_of(A_OR_B | {"categories": [1]}), "must be strings"),
    "no categories": (columns_of(A_OR_B | {"categories": []}), "one or more distinct texts"),
    "categories in a text": (
        columns_of(A_OR_B | {"categories": "ab"}),
        "categories of a categorical column must be a list",
    ),
    "a cycle of no kind": (columns_of(DATE | {"cycles": ["moon"]}), "cycles of a date column must"),
    "a date's scale below 0": (columns_of(DATE | {"scale": -1.0}), "scale of a column must be at"),
    "an order of no kind": (
        columns_of(DATE | {"format": {"order": "x", "has_zone": False, "missing": []}}),
        "order of the format of dates must be",
    ),
    "all left out": (
        columns_of({"kind": "ignored", "name": "x", "reason": ""}),
        "at least one column must be used",
    ),
    "an old word twice": (
        old_columns_of(OLD_NUMERIC, OLD_WORDS | {"words": ["a", "a"]}),
        "categories of a column must be one or more distinct texts",
    ),
    "an old column that is a list": (old_columns_of([]), "a column must be an object with"),
    "an old column with more": (old_columns_of(OLD_NUMERIC | {"x": 1}), "a numeric column must"),
    "two columns of one name": (columns_of(NUMERIC, A_OR_B | {"name": "n"}), "with distinct names"),
    "information a list": (with_text("information", lambda _: "[]"), "must be a dict; got list"),
    "targets of no kind": (targets_of(kind="code"), "kind of targets must be one of classes"),
    "targets a list": (with_text("targets", lambda _: "[]"), "targets must be an object with"),
    "10^12 quantiles": (
        targets_of(kind="values", n_each=10**12, mean=None, scale=None, notation=None),
        "targets of Model need 0 outputs",
    ),
    "targets' scale 0": (
        targets_of(kind="values", n_each=1, mean=[0], scale=[0], notation=None),
        "mean and scale of Values must be given together, with scale > 0",
    ),
    "labels with more": (targets_of(kind="labels", n=10**12), "targets must have nothing else"),
    "classes out of order": (
        targets_of(kind="classes", dtype="int8", values=[2, 1]),
        "classes must be a sorted vector of distinct values",
    ),
    "classes too large": (
        targets_of(kind="classes", dtype="int8", values=[1, 1000]),
        "classes must fit into int8",
    ),
    "classes of another type": (
        targets_of(kind="classes", dtype="int8", values=["1", "2"]),
        "classes of dtype int8 must be a list of int",
    ),
    "classes that are infinite": (
        targets_of(kind="classes", dtype="float16", values=[1.0, 1e6]),
        "classes must be finite in float16",
    ),
    "a dtype with a width": (
        targets_of(kind="classes", dtype="<U999999999", values=["a", "b"]),
        "classes must have a dtype of bool, int8",
    ),
    "one long string": (
        targets_of(kind="classes", dtype="str", values=["a" * 10**6, *map(str, range(10**5))]),
        "classes that are long strings must come in an array of objects",
    ),
    "too many classes": (
        targets_of(kind="classes", dtype="int8", values=[1, 2, 3]),
        "targets of Model need 3 outputs with 'softmax'; the network has 1 with 'sigmoid'",
    ),
    "shape": (with_entry("parameters", shape=[2**40]), "it is not a safetensors file"),
    "overflowing shape": (with_entry("parameters", shape=[2**32, 2**32]), "overflow"),
    "negative shape": (with_entry("parameters", shape=[-1]), "it is not a safetensors file"),
    "offsets beyond the file": (
        with_entry("parameters", data_offsets=[0, 2**40]),
        "it is not a safetensors file",
    ),
    "offsets backwards": (with_entry("mean", data_offsets=[16, 0]), "it is not a safetensors file"),
    "NaN weights": (
        with_arrays(lambda a: a["parameters"].__setitem__(2, np.nan)),
        "parameters must be finite in float32; got nan at index 2",
    ),
    "no weights": (with_arrays(lambda a: a.pop("parameters")), "no array 'parameters'"),
    "half weights": (
        with_arrays(lambda a: a.update(parameters=a["parameters"].astype(np.float16))),
        "parameters must be of float32 or float64; got F16",
    ),
    "mean too long": (
        with_arrays(lambda a: a.update(mean=np.zeros(3))),
        "mean must have shape (2,) of float64; got (3,) of float64",
    ),
    "scale 0": (with_arrays(lambda a: a["scale"].fill(0)), "scale of Numbers must be above 0"),
    "scale NaN": (with_arrays(lambda a: a["scale"].fill(np.nan)), "of Numbers must be finite"),
    "statistics missing": (
        with_arrays(lambda a: a.pop("state.0.1.running_mean")),
        "there is no array 'state.0.1.running_mean'",
    ),
    "statistics of another type": (
        with_arrays(lambda a: a.update({"state.0.1.running_mean": np.zeros(2)})),
        "must have shape (2,) of float32; got (2,) of float64",
    ),
    "negative variance": (
        with_arrays(lambda a: a["state.0.1.running_variance"].fill(-1)),
        "must not be negative",
    ),
    "an array too many": (
        with_arrays(lambda a: a.update(code=np.zeros(2))),
        "it holds arrays that no part of the model uses: code",
    ),
    "a name that steers a terminal": (
        with_arrays(lambda a: a.update({"\x1b[2J": np.zeros(2)})),
        "it holds arrays that no part of the model uses: \\x1b[2J",
    ),
    "zero times 10^18": (
        with_header(
            lambda h: h.rstrip()[:-1] + b',"z":{"dtype":"F64","shape":[0,1000000000000000000],'
            b'"data_offsets":[0,0]}}'
        ),
        "it holds arrays that no part of the model uses: z",
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_told_and_takes_no_memory(small, scratch, lie):
    change, message = LIES[lie]
    content = change(small)
    tracemalloc.start()
    try:
        found = error_of(content, scratch)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert message in found
    # JSON in memory is larger than its text, and messages quote some of it.
    assert peak < 2 * 2**20 + 40 * len(content)


LIMITED = """
import resource, sys
from multilayer.errors import ModelFileError
from multilayer.files import load_model
import safetensors.numpy
load_model(sys.argv[1])  # everything is imported
with open("/proc/self/statm") as file:
    in_use = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + 300 * 2**20,) * 2)
for path in sys.argv[2:]:
    try:
        load_model(path)
    except ModelFileError:
        continue
    sys.exit(f"{path} was loaded")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")
def test_no_lie_takes_300_megabytes_counted_by_the_system(small, tmp_path):
    """What is allocated outside Python counts here as well."""
    (tmp_path / "whole").write_bytes(small)
    paths = []
    for i, (change, _) in enumerate(LIES.values()):
        paths.append(tmp_path / str(i))
        paths[-1].write_bytes(change(small))
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "whole"), *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
