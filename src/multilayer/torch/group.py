"""Group: members of an ensemble that take steps together."""

from typing import Any

import numpy.typing as npt
import torch

from multilayer.numpy.clipping import Clip
from multilayer.torch.layers import limit_norms
from multilayer.torch.objective import Objective
from multilayer.torch.updates import Update

__all__ = ["Group"]

Array = npt.NDArray[Any]
Tensor = torch.Tensor


class Group:
    """Members as one network, with what their steps need: all members, or copies of some."""

    def __init__(
        self,
        members: list[int],
        net: Any,
        objective: Objective,
        update: Update,
        clip: Clip,
        max_norm: Any,
        decays: Array | None,
    ) -> None:
        self.members, self.net = members, net
        self.objective, self.update, self.clip = objective, update, clip
        self.max_norm = max_norm
        self.average: Any = None
        if decays is not None:
            self.average = net.part(range(len(members)))
            self._decays = torch.tensor(decays, device=net.device, dtype=net.last.weight.dtype)
            self._has_begun = torch.zeros_like(self._decays)
        self.index = torch.tensor(members, device=net.device)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Everything that steps change, by name, each with an axis of members in front."""
        averages = {f"average.{name}": tensor for name, tensor in self.averages.items()}
        return {**self.net.state_dict(), **self.update.tensors, **averages}

    @property
    def averages(self) -> dict[str, Tensor]:
        """The averages of the weights by name, and which have begun; empty without averages."""
        if self.average is None:
            return {}
        return {**self.average.state_dict(), "has_begun": self._has_begun}

    @property
    def validated(self) -> Any:
        """What is validated: the networks in training, or their running averages."""
        return self.net if self.average is None else self.average

    def take(self, rates: Tensor) -> None:
        """Take a step with the parameters' gradients, and keep the weights within their norm."""
        self.update.take(rates)
        if self.max_norm is not None:
            limit_norms(self.net, self.max_norm)
        if self.average is not None:
            self._move(self._decays * self._has_begun)

    def _move(self, decays: Tensor) -> None:
        """Include the weights in the averages: a ← w + d (a − w)."""
        values = self.net.state_dict()
        for name, average in self.average.state_dict().items():
            value = values[name]
            if average.is_floating_point():
                keep = decays.view(-1, *[1] * (average.ndim - 1))
                moved = value + keep * (average - value)  # not finite if the average is not
                average.copy_(torch.where(keep > 0, moved, value))
            else:  # a count, which has no average
                average.copy_(value)
        self._has_begun.fill_(1)

    def begin_again(self) -> None:
        """Copy the current weights to the averages, if there are any, and start these anew."""
        if self.average is not None:
            self.average.load_state_dict(self.net.state_dict())
            self._has_begun.zero_()

    def read(self, group: "Group") -> None:
        """Copy these members' tensors from another group that contains them."""
        if group is not self:
            places, its = self._places_in(group), group.tensors
            for name, tensor in self.tensors.items():
                tensor.copy_(its[name][places])

    def write(self, group: "Group") -> None:
        """Copy these members' tensors to another group that contains them."""
        if group is not self:
            places, its = self._places_in(group), group.tensors
            for name, tensor in self.tensors.items():
                its[name][places] = tensor

    def _places_in(self, group: "Group") -> list[int]:
        return [group.members.index(k) for k in self.members]
