"""LayerStatistics: a callback that records the layers' activations, gradients and updates."""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer import checks
from multilayer.errors import InvalidTypeError
from multilayer.registry import Names
from multilayer.training.callbacks import Callback
from multilayer.training.layers import MEASURES, LayerObserver
from multilayer.training.run import Run

__all__ = ["QUANTILES", "STATISTICS", "LayerStatistics"]

Array = npt.NDArray[Any]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles that describe a distribution."""
STATISTICS = Names("statistic", ["activations", "gradients", *MEASURES])


class LayerStatistics(Callback):
    r"""Records every few steps what each layer computes for some samples, and how it learns.

    The samples stay the same, so all changes are due to the network. The layers are observed by
    `observe`, without dropout or noise; a PyTorch network is observed through its NumPy twin. For
    each layer :math:`l = 1, …, L + 1`, the output layer last, these are recorded:

    =================== ============================================================
    ``activations``     the 5, 25, 50, 75 and 95 % quantiles of :math:`a_l`
    ``gradients``       the same of :math:`|∂J/∂a_l|`; of :math:`|∂J/∂z|` at the output
    ``activation_mean`` the mean of :math:`a_l`
    ``activation_std``  its standard deviation
    ``zeros``           the share of its entries that are 0
    ``dead``            the share of units with the same output, and slope 0, for every sample
    ``saturated``       the share of units whose activation is flat for nearly all samples
    ``weight_norm``     :math:`‖W_l‖`
    ``gradient_norm``   :math:`‖∂J/∂W_l‖`, without penalty
    ``update_ratio``    :math:`‖ΔW_l‖/‖W_l‖` of the last step
    =================== ============================================================

    An activation that is flat on one side, such as relu, has dead units; one that is flat on both,
    such as tanh, has saturated ones. The output layer has neither.

    Parameters
    ----------
    X : array of shape (n_samples, in_features)
        Samples on which to observe the layers; a few hundred are enough.
    y : array of shape (n_samples,) or (n_samples, out_features)
        Their targets, as the loss takes them: classes as numbers from 0.
    every : int
        Observe after the first step, and after each multiple of this number of steps. With L-BFGS,
        a step is an iteration.

    Attributes
    ----------
    layers : tuple of str
        The names of the layers: ``hidden 1``, …, ``output``.
    n_weights : tuple of int
        The number of weights in each layer.
    steps : list of int
        The steps after which the layers were observed.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If `every` is not a positive integer. The samples are checked when training begins.

    References
    ----------
    Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
    networks, figures 2 to 7, show activations and gradients by layer in this way.

    Examples
    --------
    >>> import numpy as np
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> from multilayer.training import LayerStatistics, fit
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(40, 2))
    >>> y = (X[:, 0] > 0).astype(int)
    >>> watch = LayerStatistics(X, y, every=5)
    >>> net = MLP(Architecture(2, (8,), 2), rng=rng)
    >>> history = fit(net, (X, y), loss="cross_entropy", n_epochs=5, batch_size=20,
    ...               callbacks=[watch], rng=rng)
    >>> watch.layers, watch.steps
    (('hidden 1', 'output'), [1, 5, 10])
    >>> watch["zeros"].shape, watch["activations"].shape
    ((3, 2), (3, 2, 5))
    """

    def __init__(self, X: object, y: object, *, every: int = 10) -> None:
        self.X = X
        self.y = y
        self.every = checks.integer(every, "every", "LayerStatistics")
        self.layers: tuple[str, ...] = ()
        self.n_weights: tuple[int, ...] = ()
        self.steps: list[int] = []
        self._values: dict[str, list[Any]] = {name: [] for name in STATISTICS}

    def __repr__(self) -> str:
        return f"LayerStatistics(every={self.every})"

    def __getitem__(self, name: str) -> Array:
        """Return a statistic, of shape (n_records, n_layers); quantiles have a third axis.

        Raises
        ------
        UnknownNameError
            If there is no such statistic.
        """
        return np.array(self._values[STATISTICS.check(name, "LayerStatistics")])

    def on_train_begin(self, run: Run) -> None:
        """Forget any earlier training run, and observe once, so that errors are raised now."""
        if run.is_ensemble:
            rule = "observes a single network; train a member of the ensemble on its own"
            raise InvalidTypeError(rule, "LayerStatistics", got=repr(run.net))
        self._observer = LayerObserver(self.X, self.y, run.trainer.loss)
        layers = self._observer.observe(run.net)
        self.layers = tuple(layer.name for layer in layers)
        self.n_weights = tuple(layer.W.size for layer in layers)
        self.steps = []
        self._values = {name: [] for name in STATISTICS}
        self._observer.expect_step(run.net)

    def on_step_end(self, run: Run) -> None:
        """Observe the layers, if it is time."""
        step = (run.epoch - 1) * run.n_steps + run.step
        if self._is_due(step):
            self._record(run.net, step)
        if self._is_due(step + 1):
            self._observer.expect_step(run.net)

    def on_epoch_end(self, run: Run) -> None:
        """Observe the layers after an iteration of L-BFGS, which takes no steps."""
        if run.trainer.learning_rate is None:
            self.on_step_end(run)

    def state(self) -> dict[str, Any]:
        return {"steps": self.steps, "values": self._values}

    def set_state(self, state: dict[str, Any]) -> None:
        # `on_train_begin` has already kept the weights before the next step.
        self.steps, self._values = state["steps"], state["values"]

    def _is_due(self, step: int) -> bool:
        return step == 1 or step % self.every == 0

    def _record(self, net: Any, step: int) -> None:
        layers = self._observer.observe(net)
        found: dict[str, Any] = {
            "activations": [np.quantile(layer.a, QUANTILES).tolist() for layer in layers],
            "gradients": [np.quantile(np.abs(layer.da), QUANTILES).tolist() for layer in layers],
        }
        self.steps.append(step)
        for name, values in (found | self._observer.measure(net, layers)).items():
            self._values[name].append(values)
