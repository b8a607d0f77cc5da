"""What a fitted estimator holds: its networks, and the model that it saves and exports."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from multilayer.estimators.information import information_of
from multilayer.estimators.weights import take_weights, views_of
from multilayer.files import export_onnx, save_model
from multilayer.model import Columns, Model, Numbers, mean_outputs, outputs_of
from multilayer.numpy import MLP, Ensemble

__all__ = ["Fitted"]

Array = npt.NDArray[Any]


class Fitted:
    """The networks of a fitted estimator, and their files; an estimator's `_take` sets them."""

    coefs_: list[Array]
    intercepts_: list[Array]
    _net: MLP | Ensemble
    _columns: Columns | None
    _targets: Any
    _mean_of = "outputs"
    """What a prediction averages over several networks: see `Model`."""
    _n_drawn: Array
    """How often each member has seen each row."""

    @property
    def _is_ensemble(self) -> bool:
        return isinstance(getattr(self, "_net", None), Ensemble)

    def _network(self) -> MLP | Ensemble:
        """Return the network, with anything that was written to `coefs_` and `intercepts_`."""
        if isinstance(self._net, Ensemble):
            return self._net
        if take_weights(self._net, self.coefs_, self.intercepts_):
            self.coefs_, self.intercepts_ = views_of(self._net)
        return self._net

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Restore the estimator if the code inside fails."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_net")

    # Predicting ----------------------------------------------------------------------------

    def _inputs(self, X: Any) -> Any:
        """Check samples to predict, and return them as the network's inputs."""
        raise NotImplementedError

    def _outputs(self, X: Any) -> Array:
        inputs = self._inputs(X)
        return outputs_of(self._network(), inputs, self._targets, self._mean_of)

    def _mean_and_std(self, X: Any) -> tuple[Array, Array]:
        """Return the mean of several networks' values, and their standard deviation."""
        inputs = self._inputs(X)
        each = self._network()(inputs)
        mean = mean_outputs(((slice(None), outputs) for outputs in each), each[0])
        values = np.stack([self._targets.decode(outputs) for outputs in each])
        return self._targets.decode(mean), values.std(axis=0, ddof=1)

    # Networks ------------------------------------------------------------------------------

    @property
    def network_(self) -> MLP:
        """The NumPy network, whichever engine trained it; for several, see `networks_`."""
        check_is_fitted(self)
        net = self._network()
        if isinstance(net, Ensemble):
            raise AttributeError("an ensemble has no network_: use networks_")
        return net

    @property
    def networks_(self) -> list[MLP]:
        """The NumPy network of each member."""
        check_is_fitted(self)
        net = self._network()
        return list(net) if isinstance(net, Ensemble) else [net]

    @property
    def estimators_samples_(self) -> list[Array]:
        """The rows that each member has seen, in order, if `resample` is set."""
        return [np.repeat(np.arange(len(own)), own) for own in self._n_drawn]

    @property
    def columns_(self) -> Columns | None:
        """The columns of a table; None if samples are plain numbers."""
        check_is_fitted(self)
        return self._columns

    # Files ---------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the fitted model to a safetensors file, which cannot run code.

        `multilayer.load` reads it; predicting from it needs neither scikit-learn nor PyTorch.

        Parameters
        ----------
        path : path
            The file; an existing one is replaced once the new one is complete.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError, TypeError
            If the classes or the column names are of a type that a file cannot hold.
        OSError
            If the file cannot be written.
        """
        save_model(path, self.to_model())

    def export(self, path: str | os.PathLike[str], *, sample: Any = None) -> None:
        """Export the fitted model to an ONNX file, checked with onnxruntime before it appears.

        Parameters
        ----------
        path : path
            The file; an existing one is replaced once the new one is complete.
        sample : array of shape (n_samples, n_features), optional
            Samples for comparing predictions; by default, random numbers.

        Raises
        ------
        sklearn.exceptions.NotFittedError, multilayer.errors.MultilayerError
            Before `fit`; or as `multilayer.files.export_onnx` does.
        """
        export_onnx(path, self.to_model(), sample=sample)

    def to_model(self) -> Model:
        """Return a model that predicts without this estimator and shares its network.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        names = getattr(self, "feature_names_in_", None)
        check_is_fitted(self)
        net = self._network()
        inputs = self._columns or Numbers(net.architecture.in_features, names=names)
        return Model(net, self._targets, inputs, information_of(self), self._mean_of)
