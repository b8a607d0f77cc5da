"""Export to ONNX: files from which other programs can predict, checked before they appear."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import forks
from multilayer.atomic import replacing
from multilayer.data import TableWarning
from multilayer.errors import ExportError, InvalidArgumentError, MissingPackageError
from multilayer.files.onnx_graph import FORMS
from multilayer.files.onnx_inputs import form_of
from multilayer.files.onnx_model import content_of
from multilayer.files.onnx_targets import TARGET_FORMS
from multilayer.model import Model, adopt

__all__ = ["export_onnx"]

Array = npt.NDArray[Any]

TOLERANCE = 1e-5
N_DRAWN = 100
MAX_BYTES = 2**31
"""The limit of protobuf, the encoding of ONNX files."""


def export_onnx(path: str | os.PathLike[str], model: Any, *, sample: object = None) -> float:
    """Write a model as an ONNX file, which predicts from any number of raw samples.

    The file's input is ``X``, of shape (n_samples, in_features) and the network's type. For a
    table, each column is an input of shape (n_samples, 1) under its name: numbers in float64, NaN
    if missing; dates likewise, in seconds since the start of 1970; categories as strings, spelled
    as in the model, empty if missing. Ignored columns are not inputs. The outputs are

    - for classes or labels: ``probabilities``, of shape (n_samples, n_classes);
    - for several targets with classes: ``probabilities_0``, ``probabilities_1``, …;
    - for values: ``values``, of shape (n_samples, n_values), in the targets' own units, in float64
      if they are scaled;
    - for a network without targets: ``outputs``.

    The metadata hold columns and classes as JSON. Dropout is left out. An ensemble is one graph,
    with batched products; its outputs are the mean over its members.

    The file is written under a temporary name, and gets its own name only if onnxruntime predicts
    from it what the model predicts. A number may differ by 1e-5 times the largest absolute output
    in its column of the sample; a probability, or another number in [0, 1], by 1e-5.

    Parameters
    ----------
    path : path
        The file; an existing one is replaced.
    model : Model, MLP, Ensemble or estimator
        Anything that `multilayer.model.adopt` takes.
    sample : array of shape (n_samples, in_features) or table, optional
        Samples on which to compare predictions. By default 100 random rows: normal numbers with the
        mean and scale of the model's inputs, and its categories.

    Returns
    -------
    float
        The largest difference, relative as above.

    Raises
    ------
    ExportError
        If a number differs by more, or onnxruntime cannot run the file. No file is written then.
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If an activation has no ONNX form, the network exceeds ONNX's 2 GB, or the sample does not
        fit the model.
    MissingPackageError
        If onnx or onnxruntime is not installed.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> net = MLP(Architecture(3, (4,), 2), rng=np.random.default_rng(0))
    >>> export_onnx(f"{tempfile.mkdtemp()}/model.onnx", Model(net)) < 1e-5
    True
    """
    model = adopt(model, "export_onnx")
    _check_exportable(model)
    form = form_of(model)
    with warnings.catch_warnings():
        if sample is None:  # it contains unseen categories on purpose
            warnings.simplefilter("ignore", TableWarning)
            sample = form.draw(N_DRAWN, np.random.default_rng(0))
        samples = form.read(sample)  # raises if it does not fit
        expected = _expected(model, samples)
    fed = form.feed(samples)
    runtime = _runtime()
    content = content_of(model, form)
    with replacing(Path(path)) as file:
        file.write(content)
        file.flush()
        difference = _difference(_run(runtime, file.name, fed), model, expected)
        if difference > TOLERANCE:
            raise ExportError(
                f"the exported model's outputs differ from the model's by {difference:.1e} "
                f"(allowed: {TOLERANCE:.0e}); no file was written"
            )
    return difference


def _check_exportable(model: Model) -> None:
    architecture = model.net.architecture
    if model.targets is not None and model.targets.kind not in TARGET_FORMS:
        raise InvalidArgumentError(
            f"targets of kind {model.targets.kind!r} have no ONNX form; these kinds have one: "
            f"{', '.join(TARGET_FORMS)}"
        )
    for name in [*(layer.activation for layer in architecture.hidden_layers), architecture.output]:
        if name not in FORMS:
            raise InvalidArgumentError(
                f"activation {name!r} has no ONNX form; these have one: {', '.join(FORMS)}"
            )
    if model.net.parameters.nbytes >= MAX_BYTES:
        raise InvalidArgumentError(
            "an ONNX file holds less than 2 GB; the parameters take "
            f"{model.net.parameters.nbytes:,} bytes"
        )


def _runtime() -> Any:
    """Return onnxruntime, if both it and onnx are installed."""
    try:
        with forks.imports:
            import onnx  # noqa: F401
            import onnxruntime
    except ImportError as error:
        raise MissingPackageError(
            'exporting needs onnx and onnxruntime: pip install "multilayer[onnx]"'
        ) from error
    return onnxruntime


def _run(runtime: Any, path: str, fed: dict[str, Array]) -> list[Array]:
    """Return onnxruntime's predictions from a file."""
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors only
    try:
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        found: list[Array] = session.run(None, fed)
    except Exception as error:  # its errors have no common base class
        raise ExportError(
            f"onnxruntime cannot run the exported model, and no file was written: {error}"
        ) from error
    return found


def _expected(model: Model, samples: Any) -> list[Array]:
    """Return the model's predictions, in the form of the file's outputs."""
    found = model.predict_proba(samples) if _classifies(model) else model.predict(samples)
    return found if isinstance(found, list) else [found]


def _classifies(model: Model) -> bool:
    return model.targets is not None and model.targets.task != "regression"


def _difference(found: list[Array], model: Model, expected: list[Array]) -> float:
    """Return the largest difference from the model's outputs, relative to their scale."""
    is_share = _classifies(model) or model.net.architecture.output in ("sigmoid", "softmax")
    worst = 0.0
    for ours, theirs in zip(expected, found, strict=True):
        a, b = (array.reshape(len(theirs), -1).astype(np.float64) for array in (ours, theirs))
        scale = np.ones(a.shape[1]) if is_share else np.abs(a).max(axis=0)
        apart = np.abs(a - b)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(apart == 0, 0, apart / scale)
        worst = max(worst, float(np.where(np.isnan(relative), np.inf, relative).max()))
    return worst
