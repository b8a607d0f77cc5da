"""The recipes of docs/guide/many_machines.md, word for word: each makes one model."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import multilayer

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "many_machines.md"


def recipe(heading, folder):
    """Return the Python of a section, for files in this folder."""
    _, section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")
    (code,) = re.findall(r"^```python\n(.*?)^```$", section.split("\n## ")[0], re.DOTALL | re.M)
    return code.replace("/shared/", f"{folder}/")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "homes").mkdir()
    for seed in range(3):
        area = np.random.default_rng(seed).uniform(30, 200, 200)
        frame = pd.DataFrame({"area": area, "price": 3 * area})
        frame.to_parquet(tmp_path / "homes" / f"{seed}.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("heading", "n_processes", "package"),
    [("torchrun", 2, "torch"), ("Ray Train", 0, "ray"), ("Spark", 0, "pyspark")],
)
def test_a_recipe_makes_a_model(launch, folder, monkeypatch, heading, n_processes, package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    code = recipe(heading, folder)
    assert str(folder) in code
    result = launch(code, n_processes)
    assert result.returncode == 0, result.stderr
    (path,) = folder.glob("*.safetensors")
    predicted = multilayer.load(path).predict({"area": [50.0, 100.0]})
    np.testing.assert_allclose(predicted, [150, 300], rtol=0.1)  # it has learned what there is
