"""Containers: what is written is read, and nothing else."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from multilayer.container import Format, reading, write
from multilayer.errors import InvalidArgumentError, ModelFileError

FORMAT = Format("test", "test file", ("1", "2"))
ARRAYS = {
    dtype: np.arange(6).reshape(2, 3).astype(dtype)
    for dtype in ("bool", "uint8", "int64", "float16", "float32", "float64")
} | {"number": np.array(2.5), "empty": np.zeros((0, 3)), "part": np.arange(9.0)[3:6]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def test_arrays_of_every_kind_are_read_as_they_were(path):
    write(path, FORMAT, {"text": "ñ"}, ARRAYS, has_digest=True)
    with reading(path, FORMAT) as file:
        found, texts = file.read_all(), file.texts
    assert (texts["text"], texts["format_version"]) == ("ñ", "2")
    for arrays in (found, load_file(path)):
        assert arrays.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            assert arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(arrays[name], array, strict=True)


@pytest.mark.parametrize(
    "changed",
    [{"float64": ARRAYS["float64"] + 1}, {"float64": ARRAYS["float64"].T.copy()},
     {"float64": ARRAYS["float64"].view(np.int64)}, {"more": np.ones(1)}],
    ids=["number", "shape", "type", "name"],
)  # fmt: skip
def test_other_arrays_under_the_same_digest_are_refused(path, changed):
    write(path, FORMAT, {}, ARRAYS, has_digest=True)
    with reading(path, FORMAT) as file:
        digest = {"digest": file.texts["digest"]}
    for texts in (digest, {}):
        write(path, FORMAT, texts, ARRAYS | changed)
        with pytest.raises(ModelFileError) as caught, reading(path, FORMAT) as file:
            file.read_all()
        assert str(caught.value) == f"{path} cannot be read: its content is not what was written"


def test_texts_that_are_too_long_are_refused(path):
    with pytest.raises(InvalidArgumentError) as caught:
        write(path, FORMAT, {"a": "b", "long": "c" * 2**24}, {})
    assert str(caught.value) == (
        "a, long take 16,777,279 bytes; a test file has room for 16,777,216"
    )
    assert not path.exists()


def test_what_is_raised_meanwhile_tells_of_the_file(path):
    write(path, FORMAT, {}, {})
    message = f"{path} cannot be read: such a thing"
    with pytest.raises(ModelFileError) as caught, reading(path, FORMAT):
        raise TypeError("such a thing")
    assert str(caught.value) == message
