"""Model files: those that a session gives, and those that it opens."""

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
    """Return the content of a file with a session's model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_model(path, training.to_model())
        return path.read_bytes()


def model_in(content: bytes) -> Model:
    """Return the model in a file's content, of a single network.

    Raises
    ------
    InvalidArgumentError, ModelFileError
        If it holds an ensemble, or is not a model file that can be read.
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
            "the model file holds an ensemble; the playground has one network"
        )
    return model


def with_shape_of(model: Model, settings: Settings) -> Settings:
    """Return the settings with the hidden layers of a model.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If the page could not say them, as of a network with too many layers.
    """
    architecture = model.net.architecture
    layers = architecture.hidden_layers
    if isinstance(architecture.dropout, tuple):
        raise InvalidArgumentError(
            "the model has a dropout of its own in each layer; the playground one"
        )
    if np.any(architecture.noise):
        raise InvalidArgumentError("the model is trained with noise; the playground has none")
    shape = {
        "hidden": architecture.hidden_features,
        "activation": tuple(layer.activation for layer in layers),
        "dropout": architecture.dropout,
        "normalization": architecture.normalization,
    }
    return Settings.of(settings.to_dict() | shape)
