"""What every metric promises: a number that can be worked out by hand, and which way is up."""

from typing import NamedTuple

import numpy as np
import pytest

from multilayer.training import METRICS, Metric
from multilayer.training.metrics import DEFAULT_METRICS


class Row(NamedTuple):
    """Targets, predictions, the metric by hand, and whether more is better."""

    y: list
    prediction: list
    value: float
    higher_is_better: bool


ROWS = {
    "accuracy": Row([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], 3 / 5, True),
    # Two of three zeros, one of two ones.
    "balanced_accuracy": Row([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], (2 / 3 + 1 / 2) / 2, True),
    # Residuals 1, 0, −1 leave 2 of the targets' 8 around their mean.
    "r2": Row([1.0, 3.0, 5.0], [2.0, 3.0, 4.0], 1 - 2 / 8, True),
    "mean_absolute_error": Row([1.0, 3.0, 5.0], [2.0, 3.0, 3.0], 1.0, False),
    "root_mean_squared_error": Row([1.0, 3.0], [4.0, -1.0], (25 / 2) ** 0.5, False),
}


def test_every_metric_has_a_row(assert_rows):
    assert_rows(METRICS, ROWS)


@pytest.fixture(params=list(METRICS))
def name(request):
    return request.param


def test_its_value_is_that_of_its_row(name):
    row = ROWS[name]
    value = METRICS[name](np.array(row.y), np.array(row.prediction))
    assert value == pytest.approx(row.value, rel=1e-15)
    assert type(value) is float


def test_a_perfect_prediction_is_the_better_one(name):
    row, metric = ROWS[name], METRICS[name]
    assert isinstance(metric, Metric)
    assert metric.higher_is_better is row.higher_is_better
    perfect = metric(np.array(row.y), np.array(row.y))
    assert (perfect > row.value) is row.higher_is_better
    assert perfect != row.value


def test_columns_are_taken_as_vectors(name):
    row = ROWS[name]
    y, prediction = np.array(row.y), np.array(row.prediction)
    value = METRICS[name](y[:, np.newaxis], prediction[:, np.newaxis])
    assert value == METRICS[name](y, prediction)


def test_every_task_has_default_metrics_that_exist():
    assert set(DEFAULT_METRICS) == {"classification", "multilabel", "regression"}
    assert {name for names in DEFAULT_METRICS.values() for name in names} <= set(METRICS)
