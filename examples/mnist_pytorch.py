"""A plain PyTorch loop on MNIST, and the same training with `fit` on both engines.

The network is 784-32-32-32-10 with relu, log-softmax and the negative log-likelihood. SGD with
learning rate 0.05, momentum 0.9 and weight decay 0.01 trains it for ten epochs on the first 5,120
images, in batches of 512. `plain` is the usual loop: forward, loss, zero_grad, backward, step.
`through_fit` takes the same initial weights and the same batches.

Run it: python examples/mnist_pytorch.py [folder with MNIST's files]
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler, SubsetRandomSampler

from multilayer import Architecture
from multilayer.data import ImageData, load_images
from multilayer.numpy import MLP as NumpyMLP
from multilayer.numpy import SGD
from multilayer.torch import MLP, SampleDataset
from multilayer.training import fit

ARCHITECTURE = Architecture(784, (32, 32, 32), 10, activation="relu", output="log_softmax")
BATCH_SIZE, N_SAMPLES, N_EPOCHS = 512, 5120, 10


class Recorder(Sampler[int]):
    """Records the orders that another sampler draws."""

    def __init__(self, sampler: SubsetRandomSampler) -> None:
        self.sampler = sampler
        self.orders: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        self.orders.append(list(self.sampler))
        return iter(self.orders[-1])


class Replay:
    """Repeats recorded orders, one per epoch."""

    def __init__(self, orders: list[list[int]]) -> None:
        self.orders = iter(orders)
        self.length = len(orders[0])

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        return iter(next(self.orders))


def plain(images: ImageData) -> tuple[list[float], list[Any], list[list[int]]]:
    """Train by hand; return each epoch's average loss, the initial weights and the orders."""
    torch.manual_seed(42)
    dataset = SampleDataset(images.X_train, images.y_train)
    sampler = Recorder(SubsetRandomSampler(range(N_SAMPLES)))
    loader = DataLoader(dataset, batch_size=BATCH_SIZE, sampler=sampler)
    net = MLP(ARCHITECTURE)
    first_weights = net.weights
    loss_function = torch.nn.NLLLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=5e-2, momentum=0.9, weight_decay=0.01)
    averages = []
    for _ in range(N_EPOCHS):
        total = 0.0
        for X, y in loader:
            log_probabilities = net(X)
            loss = loss_function(log_probabilities, y)
            optimizer.zero_grad()  # otherwise gradients add up
            loss.backward()
            optimizer.step()
            total += loss.item()
        averages.append(total / len(loader))
    return averages, first_weights, sampler.orders


def through_fit(
    net: Any, images: ImageData, weights: list[Any], orders: list[list[int]]
) -> list[float]:
    """Train from these weights on these batches, on either engine; return the average losses."""
    net.set_weights(weights)
    history = fit(
        net,
        (images.X_train, images.y_train),
        loss="nll",
        optimizer=SGD(learning_rate=5e-2, momentum=0.9, weight_decay=0.01),
        n_epochs=N_EPOCHS,
        batch_size=BATCH_SIZE,
        shuffle=Replay(orders),
        rng=np.random.default_rng(0),
    )
    return history["train_loss"]


if __name__ == "__main__":
    images = load_images("mnist", data_dir=sys.argv[1] if len(sys.argv) > 1 else None)
    averages, weights, orders = plain(images)
    by_torch = through_fit(MLP(ARCHITECTURE), images, weights, orders)
    by_numpy = through_fit(NumpyMLP(ARCHITECTURE), images, weights, orders)
    print("epoch  plain loop  fit, torch  fit, numpy")
    for epoch, losses in enumerate(zip(averages, by_torch, by_numpy, strict=True), start=1):
        print(f"{epoch:5}" + "".join(f"{loss:12.6f}" for loss in losses))
