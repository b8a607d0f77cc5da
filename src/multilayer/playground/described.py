"""The architecture, the loss and the schedule that settings and samples describe."""

from multilayer.architecture import Architecture
from multilayer.errors import InvalidArgumentError
from multilayer.model import Targets
from multilayer.numpy import LOSSES, SCHEDULES, Loss, Plateau, Schedule
from multilayer.playground.data_sets import Samples
from multilayer.playground.settings import Settings

__all__ = ["architecture_of", "loss_of", "schedule_of"]

MAX_PARAMETERS = 1_000_000


def architecture_of(settings: Settings, samples: Samples) -> Architecture:
    """Return the architecture that the settings describe.

    Raises
    ------
    InvalidArgumentError
        If two settings contradict each other, or the network is too large.
    """
    targets = samples.targets
    architecture = Architecture(
        samples.X.shape[1],
        settings.hidden,
        targets.out_features,
        activation=settings.activation,
        output=targets.output,
        dropout=settings.dropout,
        normalization=settings.normalization,
    )
    if architecture.n_parameters > MAX_PARAMETERS:
        raise InvalidArgumentError(
            f"the network must have at most {MAX_PARAMETERS:,} parameters; it would have "
            f"{architecture.n_parameters:,}"
        )
    return architecture


def loss_of(settings: Settings, targets: Targets) -> Loss:
    """Return the loss that the settings name, by default that of the targets.

    Raises
    ------
    InvalidArgumentError
        If the loss does not fit the targets.
    """
    own = targets.loss()
    assert own is not None
    is_class = targets.task == "classification"
    allowed = (
        ("cross_entropy", "squared_error")
        if is_class
        else ("squared_error", "absolute_error", "huber")
    )
    name = settings.loss
    if name is None or (name == "cross_entropy" and is_class):
        return own
    if name not in allowed:
        what = "classes" if is_class else "values"
        rule = f"must be one of {', '.join(allowed)} for {what}"
        raise InvalidArgumentError(rule, "loss", got=repr(name))
    return LOSSES[name]()


def schedule_of(settings: Settings) -> Schedule | None:
    """Return the schedule that the settings name, or None.

    Raises
    ------
    InvalidArgumentError
        If the schedule depends on the number of epochs, and that is None.
    """
    if settings.schedule is None:
        return None
    schedule = SCHEDULES[settings.schedule]()
    early, late = (schedule.factor(1.0, n, Plateau()) for n in (10, 100))
    if early != late and settings.epochs is None:
        rule = f"must be a number: the schedule {settings.schedule!r} depends on it"
        raise InvalidArgumentError(rule, "epochs")
    return schedule
