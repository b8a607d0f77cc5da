"""The parameters of the estimators for tables: defaults, allowed values and documentation."""

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
    The out-of-fold loss of each epoch: the log-loss of classes; or the loss of scaled targets,
    summed over several targets, with a factor of ½ for squared errors. `loss_` is the best one.
history_ : History
    The metrics of each epoch, averaged over the networks; the validation loss is `loss_curve_`.
columns_ : multilayer.model.Columns
    The columns of the table.
findings_ : list of multilayer.doctor.Finding
    What to know before trusting the score, each also issued as a `FindingWarning`: a target that is
    the same in all rows (``"constant_target"``), targets about which nothing was learned
    (``"nothing_learned"``), a column that gives the target away (``"leak"``), classes that no
    network has both trained on and been judged by (``"unseen_class"``), rows that are copies of
    others (``"copies"``), the end of training by Ctrl-C (``"interrupted"``), or what the time limit
    cost (``"time_limit"``).
networks_ : list of multilayer.numpy.MLP
    The networks."""


@dataclass(eq=False, repr=False, kw_only=True)
class TabularParameters:
    """The parameters that the classifier and the regressor share."""

    _attributes: ClassVar[str] = ATTRIBUTES

    # fmt: off
    n_members: int = field(default=8, metadata=says(
        "int", [Interval(Integral, 2, None, closed="left")], """
        K, the number of networks and of folds: network k trains on all folds but the k-th. There
        are fewer networks if there are fewer than 2 K samples, or K groups."""))
    columns: Any = field(default="auto", metadata=says(
        "'auto' or dict", [StrOptions({"auto"}), dict], """
        A dict sets the kind of some columns: ``{"zip": "categorical", "day": "date: day first",
        "id": "ignored"}``. Other kinds are detected: see `multilayer.model.Columns`."""))
    time: Any = field(default=None, metadata=says("str or None", [str, None], """
        The name of a column of dates or numbers. Members are then judged by rows that are later
        than all that they train on, as in predicting the future; the last member trains on nearly
        all rows, the first on half of them."""))
    time_limit: Any = field(default=None, metadata=says("float or None", [None, *POSITIVE], """
        The seconds that `fit` may take. If there is no time for several epochs of all networks,
        fewer networks are trained, at least two; when time is up, the best epoch so far is kept.
        Only the first epoch is always finished. `findings_` says what the limit cost."""))
    cache: Any = field(default=None, metadata=says(
        "path or None", [str, PathLike, None], """
        A folder for the encoded rows of one table too large for memory, at four bytes per input.
        Later fits use them again, as long as the files and the encoding of their columns are the
        same. By default, they are in a temporary folder while `fit` runs."""))
    random_state: Any = field(default=None, metadata=says(
        "int, RandomState or None", ["random_state"], """
        Draws folds, weights and the order of samples; an int makes them reproducible, on the same
        machine with the same number of threads."""))
    engine: str = field(default="auto", metadata=says(
        "{'auto', 'numpy', 'torch'}", ENGINES, """
        The engine that trains: ``'auto'`` uses PyTorch if `device` needs it. With ``'torch'``,
        `fit` also works in several processes that PyTorch has joined, as under torchrun: each reads
        its part of files too large for memory, but any other table must be the same in all. All
        processes get the same model, that of a single process. Callbacks are called in each. The
        NumPy engine always predicts."""))
    device: Any = field(default="auto", metadata=DEVICE)
    callbacks: Any = field(default=(), metadata=says(
        "sequence of Callback", ["array-like", tuple, list], """
        Objects that observe the training, such as `multilayer.training.Progress`."""))
    # fmt: on
