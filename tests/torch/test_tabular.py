"""The estimators for tables, trained by PyTorch: what the engine from scratch makes, in float32."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from multilayer import TabularClassifier, TabularRegressor
from multilayer.cli.main import app
from multilayer.errors import InvalidArgumentError
from multilayer.estimators import recipe
from multilayer.numpy import Ensemble
from multilayer.torch import Ensemble as TorchEnsemble
from multilayer.training import Callback

pytestmark = pytest.mark.filterwarnings("ignore::multilayer.doctor.FindingWarning")

RNG = np.random.default_rng(0)
N = 600
TABLE = {
    "a": RNG.normal(size=N),
    "b": RNG.choice(["x", "y", "z"], N),
    "w": RNG.integers(0, 3, N).astype(float),
}
VALUES = TABLE["a"] ** 2 + (TABLE["b"] == "x")
CLASSES = np.where(VALUES > 1, "high", "low")


class Note(Callback):
    """Which engine trains."""

    def on_train_begin(self, run):
        self.kind = type(run.net)


@pytest.mark.parametrize(
    ("kind", "y", "how"),
    [
        (TabularClassifier, CLASSES, {"class_weight": "balanced"}),
        (TabularRegressor, VALUES, {"loss": "huber", "time": "a"}),
        (TabularRegressor, np.column_stack([VALUES, -VALUES]), {}),
    ],
)
def test_both_engines_take_the_same_steps(monkeypatch, kind, y, how):
    monkeypatch.setattr(recipe, "N_EPOCHS", 3)
    weight = TABLE["w"]
    models, kinds = [], []
    for engine in ("numpy", "torch"):
        note = Note()
        model = kind(n_members=3, random_state=0, engine=engine, callbacks=[note], **how)
        models.append(model.fit(TABLE, y, weight))
        kinds.append(note.kind)
        assert isinstance(models[-1].networks_[0].parameters, np.ndarray)
    assert kinds == [Ensemble, TorchEnsemble]
    one, other = models
    assert other.n_iter_ == one.n_iter_
    # Sums in another order, in float32, and Adam divides by the size of small gradients.
    np.testing.assert_allclose(other.loss_curve_, one.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(other.oob_scores_, one.oob_scores_, atol=1e-2)
    np.testing.assert_allclose(*(model._outputs(TABLE) for model in models), rtol=1e-2, atol=1e-3)


def test_a_device_needs_the_engine_that_has_it():
    model = TabularRegressor(engine="numpy", device="cuda:0")
    with pytest.raises(InvalidArgumentError) as caught:
        model.fit(TABLE, VALUES)
    assert str(caught.value) == (
        "device of TabularRegressor cannot be 'cuda:0' with engine 'numpy'"
    )
    with pytest.raises(InvalidArgumentError, match="must be 'auto' or a device that PyTorch"):
        TabularRegressor(device="cuda:99").fit(TABLE, VALUES)


def test_the_command_has_the_engine_for_both_models(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "N_EPOCHS", 2)
    path = tmp_path / "table.csv"
    rows = zip(TABLE["a"], CLASSES, strict=True)
    path.write_text("a,kind\n" + "".join(f"{a},{kind}\n" for a, kind in rows))
    losses = []
    for engine in ("numpy", "torch"):
        how = ["--members", "2", "--engine", engine, "--json"]
        result = CliRunner().invoke(app, ["train", "table", str(path), *how])
        assert result.exit_code == 0, result.output
        losses.append(json.loads(result.stdout)["out_of_fold"]["log_loss"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)  # as above
