"""The running average, against its formula."""

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from multilayer import Architecture
from multilayer.torch import MLP
from multilayer.torch.average import RunningAverage


def walk(net, update, n_steps=5):
    """Change every number of a network, step by step."""
    generator = torch.Generator().manual_seed(3)
    for _ in range(n_steps):
        with torch.no_grad():
            for tensor in net.state_dict().values():
                if tensor.is_floating_point():
                    tensor.add_(torch.rand(tensor.shape, generator=generator))
                else:
                    tensor.add_(1)
        update(net)


def test_it_is_the_one_of_pytorch():
    nets = [MLP(Architecture(3, (4,), 2, normalization="batch")) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    mine = RunningAverage(nets[0], 0.8)
    other = AveragedModel(nets[1], multi_avg_fn=get_ema_multi_avg_fn(0.8), use_buffers=True)
    walk(nets[0], lambda _: mine.update())
    walk(nets[1], other.update_parameters)
    for (name, value), expected in zip(
        mine.net.state_dict().items(), other.module.state_dict().values(), strict=True
    ):
        if value.is_floating_point():
            assert torch.equal(value, expected), name
        else:  # a count of batches, which PyTorch would average, and cut off
            assert value == 5


def test_the_network_itself_is_left_alone():
    net = MLP(Architecture(3, (4,), 2))
    average = RunningAverage(net, 0.5)
    average.update()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for tensor in average.net.state_dict().values():
        tensor.zero_()
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name])
