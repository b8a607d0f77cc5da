"""`mlp data`: the numbers and the pictures of an image set."""

import os
import subprocess
import sys

import numpy as np
import pytest

from multilayer.data import write_idx


def mlp(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "multilayer", "data", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "100", "MPLBACKEND": "Agg"},
    )


@pytest.fixture
def folder(tmp_path):
    """A set of MNIST's form: an image of class k has its upper k rows white."""
    for part, n in (("train", 20), ("t10k", 10)):
        labels = np.arange(n, dtype=np.uint8) % 10
        images = np.zeros((n, 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[: 2 * label] = 255
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels)
    return tmp_path


def test_first_images_in_characters(folder):
    result = mlp("kmnist", "--data-dir", str(folder), "--n", "3")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("train: 20 images of 28 × 28 (")
    assert lines[1].startswith("test: 10 images of 28 × 28 (")
    assert lines[2].split() == ["0", "1", "2"]
    # Two rows of pixels are a line: class 1 has one full line, class 2 two.
    assert lines[3] == " " * 30 + "█" * 28 + "  " + "█" * 28
    assert lines[4] == " " * 60 + "█" * 28


def test_first_images_in_a_file(folder, tmp_path):
    path = tmp_path / "first.png"
    result = mlp("fashion_mnist", "--data-dir", str(folder), "--save", str(path))
    assert result.returncode == 0, result.stderr
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnits"], "did you mean 'mnist'?"),
        (["mnist", "--n", "0"], "--n of mlp data must be a positive integer; got 0"),
        (["mnist", "--save", "/"], "--save of mlp data must name a file; / is something else"),
    ],
)
def test_wrong_arguments_get_one_line_and_code_2(arguments, message):
    result = mlp(*arguments)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert message in line
