"""The lowest error on MNIST of a network that does not know where its pixels are.

784-1000-500-250-250-250-10 with batch normalisation and noise, trained as a ladder network (Rasmus
et al. 2015, who report 0.57 % ± 0.02 for this network). Networks that differ in their seeds are
trained in processes of their own, and judged one by one and together. No image is moved, turned or
added.

Every choice was made with --validate, which trains on 50,000 of the training images and judges by
the other 10,000. Without it, all 60,000 are trained on, and the test images judge.

Run it: python examples/mnist_record.py [--validate] [--seeds K] [--jobs J] [--checkpoint DIR]

It takes about 22 minutes of a core for each seed; --checkpoint lets it be stopped and continued.
"""

import argparse
import json
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from multilayer import Architecture, __version__
from multilayer.data import load_images
from multilayer.numpy import MLP, Adam, Ladder
from multilayer.training import Progress, fit

MEAN, STD = 0.1307, 0.3081  # of the training pixels, which go from 0 to 1
ARCHITECTURE = Architecture(
    784, (1000, 500, 250, 250, 250), 10, normalization="batch", output="softmax",
    noise=(0.97, 0.3, 0.3, 0.3, 0.3, 0.3),  # on the inputs 0.3 / STD: 0.3 in pixels
)  # fmt: skip
WEIGHTS = (1000 * STD**2, 1.0, 0.01)  # 1000 for pixels
HOW: dict[str, Any] = {
    "loss": "cross_entropy",
    "optimizer": Adam(0.002),
    "schedule": "cosine",
    "batch_size": 100,
}
N_EPOCHS, N_HELD_OUT = 80, 10_000


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


def probabilities(seed: int, given: argparse.Namespace) -> np.ndarray:
    """Train a network on one thread, and return what it predicts for the images to judge by."""
    found = images(given.validate, given.images)
    rng = np.random.default_rng
    net = MLP(ARCHITECTURE, rng=rng(seed))
    with threadpool_limits(1):
        history = fit(
            Ladder(net, WEIGHTS, rng=rng([seed, 2])),
            (found.X, found.y),
            n_epochs=given.epochs,
            rng=rng([seed, 1]),
            callbacks=[Progress()] if given.jobs == 1 else [],
            checkpoint=None if given.checkpoint is None else f"{given.checkpoint}/{seed}",
            resume=given.checkpoint is not None,
            **HOW,
        )
    if history.stopped_by == "interrupt":
        raise KeyboardInterrupt  # nothing is judged by a training that is not complete
    return net(found.X_judged)


def main() -> None:
    """Train, and judge each network and all of them together."""
    parser = argparse.ArgumentParser(description="Train MNIST's record.")
    parser.add_argument("--validate", action="store_true", help="hold out 10,000 training images")
    parser.add_argument("--seeds", type=int, default=6, help="the number of networks")
    parser.add_argument("--jobs", type=int, default=1, help="how many are trained at a time")
    parser.add_argument("--epochs", type=int, default=N_EPOCHS)
    parser.add_argument("--images", type=int, help="train on the first ones alone, to try it out")
    parser.add_argument("--checkpoint", help="a folder, to be able to continue")
    parser.add_argument("--json", type=Path, help="a file for the result")
    given = parser.parse_args()

    started = time.time()
    each = joblib.Parallel(given.jobs)(
        joblib.delayed(probabilities)(seed, given) for seed in range(given.seeds)
    )
    truth = images(given.validate, given.images).y_judged
    errors = [float((p.argmax(axis=1) != truth).mean() * 100) for p in (*each, np.mean(each, 0))]
    found = {
        "judged by": "held-out images" if given.validate else "test images",
        "errors of each, %": errors[:-1],
        "mean, %": float(np.mean(errors[:-1])),
        "all together, %": errors[-1],
        "epochs": given.epochs,
        "how": {name: str(value) for name, value in HOW.items()} | {"weights": WEIGHTS},
        "architecture": str(ARCHITECTURE),
        "seconds of this run": round(time.time() - started),
        "machine": f"{platform.machine()}, NumPy {np.__version__}, multilayer {__version__}",
    }
    text = json.dumps(found, indent=2)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
