"""The lowest error on MNIST of networks that do not know where their pixels are.

Each seed trains two networks with batch normalisation. No image is moved, turned or added.

- ladder: 784-1000-500-250-250-250-10 with noise, as a ladder network (Rasmus et al. 2015, who
  report 0.57 % ± 0.02 for it);
- adversary: 784-1200-600-300-150-10 with virtual adversarial training (Miyato et al. 2018, who
  report 0.64 %).

They are trained in processes of their own, and judged one by one, by kind, and all together. Two
ways of training make different mistakes, so they gain more from each other than from other seeds.

Every choice was made with --validate, which trains on 50,000 of the training images and judges by
the other 10,000. Without it, all 60,000 are trained on, and the test images are looked at.

Run it: python examples/mnist_record.py [--validate] [--seeds K] [--jobs J] [--checkpoint DIR]

A ladder takes about 22 minutes of a core, the other network 9; --checkpoint lets it be stopped and
continued.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from multilayer import Architecture, __version__
from multilayer.data import load_images
from multilayer.numpy import MLP, Adam, Ladder, VirtualAdversarial
from multilayer.training import Progress, fit

MEAN, STD = 0.1307, 0.3081  # of the training pixels, which go from 0 to 1
HOW: dict[str, Any] = {
    "loss": "cross_entropy",
    "optimizer": Adam(0.002),
    "schedule": "cosine",
    "batch_size": 100,
}
N_HELD_OUT = 10_000

LADDER = Architecture(
    784, (1000, 500, 250, 250, 250), 10, normalization="batch", output="softmax",
    noise=(0.97, 0.3, 0.3, 0.3, 0.3, 0.3),  # on the inputs 0.3 / STD: 0.3 in pixels
)  # fmt: skip
WEIGHTS = (1000 * STD**2, 1.0, 0.01)  # 1000 for pixels
ADVERSARY = Architecture(784, (1200, 600, 300, 150), 10, normalization="batch", output="softmax")


@dataclass
class Training:
    """What is trained, for how long, and the network that is judged afterwards."""

    net: MLP
    trained: MLP | Ladder
    n_epochs: int
    adversary: VirtualAdversarial | None = None


def ladder(seed: int) -> Training:
    """Return the training of a ladder."""
    net = MLP(LADDER, rng=np.random.default_rng(seed))
    return Training(net, Ladder(net, WEIGHTS, rng=np.random.default_rng([seed, 2])), 80)


def adversary(seed: int) -> Training:
    """Return a training in which inputs are moved by ε = 2.1, in pixels, with the weight 2."""
    net = MLP(ADVERSARY, rng=np.random.default_rng(seed))
    return Training(net, net, 40, VirtualAdversarial(2.1 / STD, 2.0))


KINDS: dict[str, Callable[[int], Training]] = {"ladder": ladder, "adversary": adversary}


@dataclass
class Images:
    """Some images to train on, and others to judge by."""

    X: Any
    y: np.ndarray
    X_judged: np.ndarray
    y_judged: np.ndarray


def images(validate: bool, n: int | None) -> Images:
    """Read the images; train on the first n alone, if it is given."""
    data = load_images("mnist")
    X, X_test = (part.scaled(MEAN, STD) for part in (data.X_train, data.X_test))
    if validate:
        split = len(X) - N_HELD_OUT
        n = min(n or split, split)
        return Images(X.take(n), data.y_train[:n], X[split:], data.y_train[split:])
    n = n or len(X)
    return Images(X.take(n), data.y_train[:n], X_test[:], data.y_test)


def probabilities(kind: str, seed: int, given: argparse.Namespace) -> np.ndarray:
    """Train a network on one thread, and return what it predicts for the images to judge by."""
    found, training = images(given.validate, given.images), KINDS[kind](seed)
    with threadpool_limits(1):
        history = fit(
            training.trained,
            (found.X, found.y),
            n_epochs=given.epochs or training.n_epochs,
            adversary=training.adversary,
            rng=np.random.default_rng([seed, 1]),
            callbacks=[Progress()] if given.jobs == 1 else [],
            checkpoint=None if given.checkpoint is None else f"{given.checkpoint}/{kind}-{seed}",
            resume=given.checkpoint is not None,
            **HOW,
        )
    if history.stopped_by == "interrupt":
        raise KeyboardInterrupt  # nothing is judged by a training that is not complete
    return training.net(found.X_judged)


def main() -> None:
    """Train, and judge each network, each kind and all of them together."""
    parser = argparse.ArgumentParser(description="Train MNIST's record.")
    parser.add_argument("--validate", action="store_true", help="hold out 10,000 training images")
    parser.add_argument("--seeds", type=int, default=4, help="the number of networks of each kind")
    parser.add_argument("--jobs", type=int, default=1, help="how many are trained at a time")
    parser.add_argument("--epochs", type=int, help="train for fewer epochs, to try it out")
    parser.add_argument("--images", type=int, help="train on the first ones alone, to try it out")
    parser.add_argument("--checkpoint", help="a folder, to be able to continue")
    parser.add_argument("--json", type=Path, help="a file for the result")
    given = parser.parse_args()

    started = time.time()
    runs = [(kind, seed) for kind in KINDS for seed in range(given.seeds)]
    each = joblib.Parallel(given.jobs)(
        joblib.delayed(probabilities)(kind, seed, given) for kind, seed in runs
    )
    truth = images(given.validate, given.images).y_judged

    def error(members: list[np.ndarray]) -> float:
        """Return how many the mean of the members' probabilities gets wrong, in percent."""
        return float((np.mean(members, 0).argmax(axis=1) != truth).mean() * 100)

    found: dict[str, Any] = {"judged by": "held-out images" if given.validate else "test images"}
    for i, kind in enumerate(KINDS):
        own = each[i * given.seeds : (i + 1) * given.seeds]
        errors = [error([p]) for p in own]
        found[kind] = {
            "errors of each, %": errors,
            "mean, %": float(np.mean(errors)),
            "together, %": error(own),
            "architecture": str(KINDS[kind](0).net.architecture),
        }
    found |= {
        "all together, %": error(each),
        "how": {name: str(value) for name, value in HOW.items()},
        "seconds of this run": round(time.time() - started),
        "machine": f"{platform.machine()}, NumPy {np.__version__}, multilayer {__version__}",
    }
    text = json.dumps(found, indent=2)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
