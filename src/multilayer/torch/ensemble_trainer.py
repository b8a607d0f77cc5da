"""EnsembleTrainer: K networks with their losses and optimizers, driven by the training loop."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from multilayer.errors import InvalidArgumentError
from multilayer.groups import join, part_of
from multilayer.numpy.clipping import Clip
from multilayer.numpy.members import Members
from multilayer.numpy.optimizers import Optimizer
from multilayer.numpy.stacking import numbers_for_each, part_of_stack
from multilayer.randomness import Generators, generator_state, set_generator_state
from multilayer.samples import Data, Parts
from multilayer.torch import capture, distributed
from multilayer.torch.adversaries import draw_directions, loss_with
from multilayer.torch.group import Group
from multilayer.torch.layers import draw_from
from multilayer.torch.losses import mean_loss
from multilayer.torch.objective import Objective, shares
from multilayer.torch.placement import as_index, on_host, place, to_device, together, whole
from multilayer.torch.prediction import predict
from multilayer.torch.state import as_arrays, module_arrays, set_module_arrays
from multilayer.torch.updates import Update, clip_each, with_tensors

__all__ = ["EnsembleTrainer"]

Array = npt.NDArray[Any]
Tensor = torch.Tensor


class EnsembleTrainer(Members):
    """Takes optimizer steps on K networks at once: the `Trainer` of an `Ensemble`.

    Optimizers are those of `multilayer.numpy`, whose formulas act on all members at once, not
    PyTorch's.

    Notes
    -----
    On a GPU, steps run one operation at a time: they are not recorded as CUDA graphs.
    """

    engine = "torch"

    def __init__(self, net: Any, **settings: Any) -> None:
        super().__init__(net, **settings)
        self.shard = distributed.shard()
        seeds = [int(own.integers(2**62)) for own in self.generators]
        distributed.agree(net, [] if settings.get("rng") is None else seeds)
        self._generators = [
            torch.Generator(net.device).manual_seed(seed + self.shard[0]) for seed in seeds
        ]
        self._waits = net.device.type != capture.DEVICE  # a GPU works asynchronously
        self._late: list[Tensor] = []
        self._whole = self._group(list(range(self.n_members)), net)
        self._release()

    @property
    def net(self) -> Any:
        """The ensemble, up to date."""
        self._write_back()
        return self._ensemble

    def check(self, X: object, y: object, weight: object) -> Data:
        """Check samples, targets and weights; weights may have the shape (K, n_samples)."""
        net = self._ensemble
        x, targets, weights = self._checked(on_host(X), on_host(y), on_host(weight))
        return place(whole(x, net.device, net.dtype), targets, weights, net.device)

    def description(self) -> dict[str, Any]:
        """Return the networks' structure and the settings, by name, as values for JSON."""
        return super().description() | {"device": self._ensemble.device.type}

    def begin(self, data: Data, batch_size: int | None = None) -> None:
        """Set the samples for the steps that follow; also in the middle of a training run.

        A rank needs only its own samples, if the order says where they are: see `begin_epoch`.
        """
        self._data = together(data)
        draw_from(self._generators, self._ensemble)

    def begin_epoch(self, order: Array | None) -> None:
        """Set the order of the next epoch's samples, of shape (n,), or (K, n) for one per member.

        With w ranks, rank r takes the positions r, r + w, r + 2w, … of each batch and ignores the
        others.
        """
        self._order = None if order is None else as_index(self._data[0], order)

    def step(self, start: Any, stop: Any, learning_rate: Array) -> Array | None:
        """Take an optimizer step on each member's samples at these positions of its order.

        Positions are two numbers, or two arrays of shape (K,); a member whose two are equal takes
        no step. Return the losses before the step, penalty included, of shape (K,), with 0 for
        members that took none. On a GPU, return None without waiting; `settle` returns the losses
        later. A member whose loss is infinite or NaN is not changed, except on a GPU. With several
        ranks, each takes its part of the batches.
        """
        net = self._ensemble
        rates = with_tensors(np.asarray(learning_rate)[:, np.newaxis], net.device)
        losses = torch.zeros(self.n_members, dtype=net.last.weight.dtype, device=net.device)
        for group, begin, end in self._groups(start, stop):
            group.read(self._active)
            losses[group.index] = self._step_on(group, begin, end, rates[group.index])
            group.write(self._active)
        if self._waits:
            return losses.cpu().double().numpy()
        self._late.append(losses)
        return None

    def settle(self) -> tuple[list[Array], Array]:
        """Return the losses that `step` did not return, and which members' weights are finite.

        The host waits for the device here.
        """
        group = self._active
        finite = torch.stack([p.isfinite().flatten(1).all(dim=1) for p in group.net.parameters()])
        is_finite = np.ones(self.n_members, dtype=bool)
        is_finite[group.members] = finite.all(dim=0).cpu().numpy()
        losses = [loss.cpu().double().numpy() for loss in self._late]
        self._late.clear()
        return losses, is_finite

    def evaluate(self, data: Data | Parts) -> dict[int, tuple[float, Array]]:
        """Return each member's loss in prediction mode, without penalty, and its argument."""
        net, found = self._active.validated, {}
        logits = self.loss.takes_logits
        shared = None if isinstance(data, Parts) else predict(net, data.X, logits=logits)
        for position, k in enumerate(self._active.members):
            own = data[k] if isinstance(data, Parts) else data.of_member(k)
            if shared is None:
                outputs = predict(net[position], own.X, logits=logits)
            else:
                outputs = shared[position]
            p = torch.from_numpy(outputs)
            loss = with_tensors(part_of_stack(self.loss, k), p.device, p.dtype)
            value = mean_loss(loss, p, own.targets, shares(own.weight, p))
            found[k] = value.item(), outputs
        return found

    def keep(self, members: Sequence[int]) -> None:
        """Restrict further steps to these members."""
        self._write_back()
        self._release()
        self._active = self._group(members)
        self._active.read(self._whole)

    def snapshot(self) -> dict[str, Array]:
        """Return a copy of what is validated: all members' weights and statistics, or averages."""
        self._write_back()
        return module_arrays(self._whole.validated)

    def state(self) -> dict[str, Array]:
        """Return a copy of everything the next step depends on, as arrays by name.

        Raises
        ------
        InvalidArgumentError
            If there are several processes.
        """
        if self.shard[1] > 1:
            rule = "cannot be combined with several processes"
            raise InvalidArgumentError(rule, "checkpoint", "fit")
        generators = [generator.get_state().numpy() for generator in self._generators]
        found = {
            "network": module_arrays(self.net),
            "optimizer": as_arrays(self._whole.update.tensors),
            "masks": {"generators": np.stack(generators)},
            "average": as_arrays(self._whole.averages),
        }
        if self.directions is not None:
            found["directions"] = {"generator": generator_state(self.directions)}
        return join(found)

    def set_state(self, state: dict[str, Array]) -> None:
        """Restore what `state` returned, in a trainer with the same arguments.

        Groups that are absent stay unchanged.
        """
        self._write_back()
        if network := part_of(state, "network"):
            set_module_arrays(self._ensemble, network)
        if optimizer := part_of(state, "optimizer"):
            for name, tensor in self._whole.update.tensors.items():
                tensor.copy_(torch.tensor(optimizer[name]))
        if masks := part_of(state, "masks"):
            for generator, own in zip(self._generators, masks["generators"], strict=True):
                generator.set_state(torch.from_numpy(own.copy()))
        if directions := part_of(state, "directions"):
            assert self.directions is not None
            set_generator_state(self.directions, directions["generator"])
        if average := part_of(state, "average"):
            for name, tensor in self._whole.averages.items():
                tensor.copy_(torch.tensor(average[name]))
        elif network:
            self._whole.begin_again()
        self._active.read(self._whole)

    def finish(self) -> None:
        """Give the networks their final weights, and leave them in prediction mode.

        After this, all members take steps again.
        """
        self._write_back()
        self._release()
        if self._whole.average is not None:
            self._ensemble.load_state_dict(self._whole.average.state_dict())
        draw_from(None, self._ensemble)
        self._late.clear()  # losses of an interrupted training run
        self._ensemble.eval()

    def _stepping(self, optimizer: object) -> Optimizer:
        """Return an optimizer of `multilayer.numpy` that takes steps."""
        if isinstance(optimizer, torch.optim.Optimizer):
            rule = "must be an optimizer of multilayer.numpy, or its name, for an ensemble"
            raise InvalidArgumentError(rule, "optimizer", "fit", got=type(optimizer).__name__)
        return super()._stepping(optimizer)

    def _write_back(self) -> None:
        """Copy what the steps have changed to the ensemble, if they act on a copy."""
        self._active.write(self._whole)

    def _release(self) -> None:
        """Let all members take steps, on the ensemble itself."""
        self._active = self._whole
        self._uneven: dict[tuple[int, ...], Group] = {}

    def _group(self, members: Sequence[int], net: Any = None) -> Group:
        """Return these members as a group; of copies unless their network is given."""
        members = list(members)
        if net is None:
            net = self._ensemble.part(members)
            draw_from([self._generators[k] for k in members], net)
        like = net.device, net.last.weight.dtype
        own = [
            (*self.penalties[k], self.clips[k].norm, self.clips[k].value, self.max_norms[k])
            for k in members
        ]
        numbers = (
            with_tensors(numbers_for_each(column), *like) for column in zip(*own, strict=True)
        )
        l1, l2, norm, value, max_norm = numbers
        l1, l2 = (v[:, 0] if isinstance(v, Tensor) else v for v in (l1, l2))
        return Group(
            members,
            net,
            Objective(net, with_tensors(part_of_stack(self.loss, members), *like), l1, l2),
            Update(part_of_stack(self.optimizer, members), list(net.parameters())),
            Clip(norm, value),
            max_norm,
            None if self.decays is None else self.decays[members],
        )

    def _groups(self, start: Any, stop: Any) -> Iterator[tuple[Group, int, int]]:
        """Yield groups of members whose batches have the same bounds, with the bounds."""
        if np.ndim(start) == 0:
            yield self._active, start, stop
            return
        by_bounds: dict[tuple[int, int], list[int]] = {}
        for k in self._active.members:
            if start[k] < stop[k]:
                by_bounds.setdefault((int(start[k]), int(stop[k])), []).append(k)
        for bounds, members in by_bounds.items():
            if members == self._active.members:
                yield self._active, *bounds
                continue
            if (numbers := tuple(members)) not in self._uneven:
                self._uneven[numbers] = self._group(members)
            yield self._uneven[numbers], *bounds

    def _step_on(self, group: Group, start: int, stop: int, rates: Tensor) -> Tensor:
        """Take a step on the members' samples at these positions; return the losses."""
        batch = self._batch(group, start, stop)
        if not group.net.training:  # an evaluation may have come in between
            group.net.train()
        group.net.zero_grad()
        directions = None
        if self.directions is not None:
            directions = Generators(self.directions[k] for k in group.members)
        drawn = draw_directions(self.adversary, directions, batch[0], stop - start)
        losses = loss_with(self.adversary, group.objective, [*batch, *drawn], 1 / self.shard[1])
        # Each member's parameters affect only its own loss.
        losses.sum().backward()  # type: ignore[no-untyped-call]
        losses = losses.detach()
        parameters = list(group.net.parameters())
        gradients = [p.grad for p in parameters if p.grad is not None]
        distributed.sum_over_ranks([*gradients, losses])
        clip_each(parameters, group.clip)
        wrong = ~losses.isfinite() if self._waits else None
        if wrong is None or not wrong.any():
            group.take(rates)
            return losses
        kept = {name: tensor[wrong] for name, tensor in group.tensors.items()}
        group.take(rates)
        for name, tensor in group.tensors.items():
            tensor[wrong] = kept[name]
        return losses

    def _batch(self, group: Group, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return this rank's part of the members' batches: samples, targets and shares."""
        (X, targets, weight), order, net = self._data, self._order, group.net
        rows: Any = distributed.own_places(start, stop)
        if order is not None:
            rows = order[rows] if order.ndim == 1 else order[group.members, rows]
        if isinstance(X, Tensor) or getattr(rows, "ndim", 1) == 1:
            x = X[rows]
        else:  # lazy samples
            x = X[rows.ravel()].reshape(*rows.shape, X.shape[1])
        x, y = to_device(x, net), to_device(targets[rows], net)
        if x.ndim == 2:
            y = y.expand(net.n_members, *y.shape)
        if weight is not None and weight.ndim == 2:
            own = weight[group.members]
            weight = own.gather(1, torch.as_tensor(rows)) if x.ndim == 3 else own[:, rows]
        elif weight is not None:
            weight = weight[rows]
        share = shares(None if weight is None else to_device(weight, net), x, stop - start)
        return x, y, share
