"""The parameters that the estimators for tables share, each with what it may be."""

from dataclasses import dataclass, field
from numbers import Integral
from os import PathLike
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from multilayer.estimators.parameters import DEVICE, ENGINES, POSITIVE, says

__all__ = ["TabularParameters"]

ATTRIBUTES = """\
n_iter_ : int
    The best epoch, whose weights are kept.
loss_curve_ : list of float
    The out-of-fold loss of each epoch: the log-loss of classes; or that of scaled targets, summed
    over several, of which squared errors have a factor of ½. `loss_` is the best one.
history_ : History
    The metrics of each epoch, as means over the networks; the validation loss is that of
    `loss_curve_`.
columns_ : multilayer.model.Columns
    What the columns of the table became.
findings_ : list of multilayer.doctor.Finding
    What to know before the score is believed, each also a `FindingWarning`: a target that is the
    same in all rows (``"constant_target"``), targets of which nothing was learned
    (``"nothing_learned"``), a column that gives the target away (``"leak"``), classes that no
    network has both trained on and been judged by (``"unseen_class"``), rows that are copies of
    others (``"copies"``), the end of the training by Ctrl-C (``"interrupted"``), or what the limit
    of time cost (``"time_limit"``).
networks_ : list of multilayer.numpy.MLP
    The networks."""


@dataclass(eq=False, repr=False, kw_only=True)
class TabularParameters:
    """The parameters that the classifier and the regressor share."""

    _attributes: ClassVar[str] = ATTRIBUTES

    # fmt: off
    n_members: int = field(default=8, metadata=says(
        "int", [Interval(Integral, 2, None, closed="left")], """
        K, the number of networks and of folds: network k trains on all folds but the k-th. Fewer
        if there are fewer than 2 K samples, or fewer groups."""))
    columns: Any = field(default="auto", metadata=says(
        "'auto' or dict", [StrOptions({"auto"}), dict], """
        A dict sets the kind of some columns: ``{"zip": "categorical", "day": "date: day first",
        "id": "ignored"}``. Others are found out: see `multilayer.model.Columns`."""))
    time: Any = field(default=None, metadata=says("str or None", [str, None], """
        The name of a column of dates or numbers. Members are then judged by rows that are later
        than all that they train on, as predictions for the future will be; the last member trains
        on nearly all rows, the first on half of them."""))
    time_limit: Any = field(default=None, metadata=says("float or None", [None, *POSITIVE], """
        The seconds that `fit` may take. If there is no time for some epochs of all networks, fewer
        are trained, at least two; at the end of the time, the best epoch so far is kept. Only the
        first epoch is always finished. `findings_` says what the limit cost."""))
    cache: Any = field(default=None, metadata=says(
        "path or None", [str, PathLike, None], """
        A folder for the encoded rows of one table too large for memory, at four bytes per input.
        They stay there for later fits, as long as the files, and what their columns become, are
        the same. By default they are in a temporary folder while `fit` runs."""))
    random_state: Any = field(default=None, metadata=says(
        "int, RandomState or None", ["random_state"], """
        Draws folds, weights and the order of samples; an int makes them repeatable, on one machine
        with one number of threads."""))
    engine: str = field(default="auto", metadata=says(
        "{'auto', 'numpy', 'torch'}", ENGINES, """
        The engine that trains: ``'auto'`` takes PyTorch if `device` needs it. With ``'torch'``,
        `fit` is for several processes too, if PyTorch has joined them, as under torchrun: each
        reads its part of files too large for memory, but any other table must be the same in all.
        All then have the same model, which is that of one process. Callbacks are called in each.
        The NumPy engine always predicts."""))
    device: Any = field(default="auto", metadata=DEVICE)
    callbacks: Any = field(default=(), metadata=says(
        "sequence of Callback", ["array-like", tuple, list], """
        Objects that observe the training, such as `multilayer.training.Progress`."""))
    # fmt: on
