"""Export to ONNX: a file that other programs predict from, checked before it takes its name."""

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
"""What protobuf, in which ONNX is written, cannot exceed."""


def export_onnx(path: str | os.PathLike[str], model: Any, *, sample: object = None) -> float:
    """Write a model as an ONNX file, which predicts from raw samples in any number at once.

    Its input ``X``, of shape (n_samples, in_features), has the network's type. The columns of a
    table are an input each, of shape (n_samples, 1), under their names: numbers in float64, with
    NaN for missing ones; dates too, in seconds since the beginning of 1970; categories as strings,
    written as the model knows them, with the empty one for missing ones. Columns that are left out
    are no inputs. Its outputs are

    - of classes or labels ``probabilities``, of shape (n_samples, n_classes);
    - of several targets with classes ``probabilities_0``, ``probabilities_1``, …;
    - of values ``values``, of shape (n_samples, n_values), in the targets' own units, in float64 if
      they are scaled;
    - of a network without targets ``outputs``.

    Columns and classes stand in its metadata, as JSON. It has no dropout.

    The file is written under a temporary name. onnxruntime then predicts a sample from it, and only
    if every number is that of the model the file takes its name. A number may differ by 1e-5 times
    the largest size of the sample's outputs in its column; a probability, and what else lies in
    [0, 1], by 1e-5.

    Parameters
    ----------
    path : path
        Where to write; a file that is there is replaced.
    model : Model, MLP or estimator
        What `multilayer.model.adopt` takes.
    sample : array of shape (n_samples, in_features) or table, optional
        What is predicted to compare. By default 100 rows of normal numbers, of the mean and scale
        by which the model scales its inputs, and of its categories.

    Returns
    -------
    float
        The largest difference, as it is compared with 1e-5.

    Raises
    ------
    ExportError
        If a number differs by more, or onnxruntime cannot run the file. There is no file then.
    InvalidArgumentError, InvalidDataError, InvalidTypeError
        If there is an activation that has no ONNX form, the network is larger than the 2 GB that
        ONNX holds, or the sample is none.
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
        if sample is None:  # categories that nobody has seen are drawn on purpose
            warnings.simplefilter("ignore", TableWarning)
            sample = form.draw(N_DRAWN, np.random.default_rng(0))
        samples = form.read(sample)  # which raises for what does not fit
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
                f"what was exported differs from the model by {difference:.1e} (allowed: "
                f"{TOLERANCE:.0e}); no file was written"
            )
    return difference


def _check_exportable(model: Model) -> None:
    architecture = model.net.architecture
    if model.targets is not None and model.targets.kind not in TARGET_FORMS:
        raise InvalidArgumentError(
            f"targets of kind {model.targets.kind!r} have no ONNX form; those that have: "
            f"{', '.join(TARGET_FORMS)}"
        )
    for name in [*(layer.activation for layer in architecture.hidden_layers), architecture.output]:
        if name not in FORMS:
            raise InvalidArgumentError(
                f"activation {name!r} has no ONNX form; those that have: {', '.join(FORMS)}"
            )
    if model.net.parameters.nbytes >= MAX_BYTES:
        raise InvalidArgumentError(
            f"an ONNX file holds less than 2 GB; the parameters are {model.net.parameters.nbytes}"
        )


def _runtime() -> Any:
    """Return onnxruntime, if it is there and onnx too."""
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
    """Return what onnxruntime predicts from a file."""
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors, not advice
    try:
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        found: list[Array] = session.run(None, fed)
    except Exception as error:  # its errors have no root of their own
        raise ExportError(
            f"onnxruntime cannot run what was exported, and no file was written: {error}"
        ) from error
    return found


def _expected(model: Model, samples: Any) -> list[Array]:
    """Return what the model predicts, as the file's outputs are."""
    found = model.predict_proba(samples) if _classifies(model) else model.predict(samples)
    return found if isinstance(found, list) else [found]


def _classifies(model: Model) -> bool:
    return model.targets is not None and model.targets.task != "regression"


def _difference(found: list[Array], model: Model, expected: list[Array]) -> float:
    """Return the largest difference of the outputs from the model's own, in their scale."""
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
