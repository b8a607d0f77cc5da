"""An estimator's file predicts the same bits, without the estimator."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError

import multilayer
from multilayer import MLPClassifier, MLPRegressor
from multilayer.numpy import SGD, Quantile

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
X_values, y_values = load_diabetes(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[y]
LABELS = np.c_[y > 0, y > 1].astype(int)

MODELS = {
    "classes": (MLPClassifier(8), X, y),
    "float32": (MLPClassifier(8), X.astype(np.float32), y),
    "two classes": (MLPClassifier((8, 4)), X[:100], NAMES[:100]),
    "words": (MLPClassifier(8), pd.DataFrame(X, columns=list("abcd")), NAMES.astype(object)),
    "labels": (MLPClassifier(8), X, LABELS),
    "several targets": (MLPClassifier(8), X, np.c_[y, y[::-1]]),
    "batch norm": (MLPClassifier(8, normalization="batch", dropout=0.1), X, y),
    "torch": (MLPClassifier(8, engine="torch"), X, y),
    "values": (MLPRegressor(hidden_layer_sizes=8, scale_targets=True), X_values, y_values),
    "several values": (
        MLPRegressor(hidden_layer_sizes=8, scale_targets=True), X_values,
        np.c_[y_values, 9 * y_values]),
    "quantiles": (
        MLPRegressor(Quantile((0.1, 0.9)), 8, solver=SGD(1e-3)), X_values, y_values),
    "counts": (MLPRegressor("poisson", 8), X_values, np.round(y_values / 50)),
}  # fmt: skip


@pytest.fixture(params=MODELS)
def fitted(request):
    model, X, y = MODELS[request.param]
    return model.set_params(max_iter=5, random_state=0).fit(X, y), X


def test_a_file_predicts_the_same_bits(fitted, tmp_path):
    model, X = fitted
    model.save(tmp_path / "m.safetensors")
    loaded = multilayer.load(tmp_path / "m.safetensors")
    samples = np.asarray(X)
    predicted = loaded.predict(samples)
    np.testing.assert_array_equal(predicted, model.predict(X))
    assert predicted.dtype == model.predict(X).dtype
    if hasattr(model, "predict_proba"):
        found, expected = loaded.predict_proba(samples), model.predict_proba(X)
        for one, other in zip(*([p] if isinstance(p, np.ndarray) else p for p in (found, expected)),
                              strict=True):  # fmt: skip
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(loaded.features(samples), model.transform(X))
    columns = getattr(model, "feature_names_in_", None)
    assert loaded.inputs.names == (None if columns is None else tuple(columns))


def test_a_file_tells_how_the_model_came_about(fitted, tmp_path):
    model, _ = fitted
    model.save(tmp_path / "m.safetensors")
    told = multilayer.load(tmp_path / "m.safetensors").information
    assert told["estimator"] == type(model).__name__
    assert told["training"]["max_iter"] == 5
    assert set(told["training"]) == set(model.get_params())
    assert told["metrics"]["epochs"] == 5
    assert told["metrics"]["loss"] == model.loss_
    assert told["history"]["metrics"]["train_loss"] == model.loss_curve_
    assert told["data"]["n_features"] == model.n_features_in_
    assert len(told["data"]["fingerprint"]) == 32
    json.dumps(told)


ALONE = """
import sys
for name in ("torch", "sklearn", "pandas", "matplotlib"):
    sys.modules[name] = None  # as if it were not installed
import numpy as np
import multilayer
model = multilayer.load(sys.argv[1])
print(model.predict_proba(np.load(sys.argv[2])).tobytes().hex())
"""


def test_numpy_alone_predicts_the_same_bits(tmp_path):
    model = MLPClassifier(8, engine="torch", max_iter=5, random_state=0).fit(X, y)
    model.save(tmp_path / "m.safetensors")
    np.save(tmp_path / "X.npy", X)
    result = subprocess.run(
        [sys.executable, "-c", ALONE, tmp_path / "m.safetensors", tmp_path / "X.npy"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == model.predict_proba(X).tobytes().hex()


def test_the_same_file_opens_in_the_other_engine(tmp_path):
    import torch

    from multilayer.torch import MLP

    model = MLPClassifier(8, max_iter=5, random_state=0, normalization="batch").fit(X, y)
    model.save(tmp_path / "m.safetensors")
    net = MLP.from_numpy(multilayer.load(tmp_path / "m.safetensors").net, device="cpu").eval()
    with torch.inference_mode():
        outputs = net(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(outputs, model.predict_proba(X), rtol=1e-10)


def test_before_fit_there_is_nothing_to_save(tmp_path):
    with pytest.raises(NotFittedError):
        MLPClassifier().save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_export(fitted, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, X = fitted
    samples = np.asarray(X)
    model.export(tmp_path / "m.onnx", sample=samples)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    outputs = session.run(None, {"X": samples.astype(model.network_.dtype)})
    if isinstance(model, MLPClassifier):
        expected = model.predict_proba(X)
        expected = expected if isinstance(expected, list) else [expected]
    else:
        expected = [model.predict(X).reshape(len(samples), -1)]
    for one, other in zip(outputs, expected, strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one / scale, other / scale, atol=1e-5)


def test_a_table_with_other_columns_is_refused(tmp_path):
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = MLPClassifier(8, max_iter=5, random_state=0).fit(frame, y)
    model.save(tmp_path / "m.safetensors")
    loaded = multilayer.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    for other, missing, extra in (
        (frame[list("dcba")], "none", "none"),
        (frame.rename(columns={"a": "z"}), "a", "z"),
        (frame[list("abc")], "d", "none"),
    ):
        with pytest.raises(ValueError, match="X must have the columns") as error:
            loaded.predict(other)
        assert str(error.value) == (
            f"X must have the columns a, b, c, d, in this order; missing: {missing}; unexpected: "
            f"{extra}"
        )
