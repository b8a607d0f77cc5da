"""Model files that a session saves or opens."""

import tempfile
from pathlib import Path

import numpy as np

from multilayer.errors import InvalidArgumentError, ModelFileError
from multilayer.files import load_model, save_model
from multilayer.model import Model
from multilayer.numpy import MLP
from multilayer.playground.settings import Settings
from multilayer.playground.training import Training

__all__ = ["model_file", "model_in", "with_shape_of"]


def model_file(training: Training) -> bytes:
    """Return the content of a model file with a session's network."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_model(path, training.to_model())
        return path.read_bytes()


def model_in(content: bytes) -> Model:
    """Return the model in the content of a file.

    Raises
    ------
    InvalidArgumentError, ModelFileError
        If the model is an ensemble, or the file cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(content)
        try:
            model = load_model(path)
        except ModelFileError as error:
            error.parameter = "the model file"
            raise
    if not isinstance(model.net, MLP):
        raise InvalidArgumentError(
            "the model file contains an ensemble; the playground trains a single network"
        )
    return model


def with_shape_of(model: Model, settings: Settings) -> Settings:
    """Return the settings with the hidden layers of a model.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If the page does not support such settings, for example so many layers.
    """
    architecture = model.net.architecture
    layers = architecture.hidden_layers
    if isinstance(architecture.dropout, tuple):
        raise InvalidArgumentError(
            "the model has a different dropout in each layer; the playground supports only one"
        )
    if np.any(architecture.noise):
        raise InvalidArgumentError(
            "the model was trained with noise, which the playground does not support"
        )
    shape = {
        "hidden": architecture.hidden_features,
        "activation": tuple(layer.activation for layer in layers),
        "dropout": architecture.dropout,
        "normalization": architecture.normalization,
    }
    return Settings.of(settings.to_dict() | shape)
