"""Choose each part of a training run: two spirals that no line can separate.

Run it: python examples/spirals.py
"""

import numpy as np

from multilayer import Architecture
from multilayer.numpy import MLP, AdamW, Cosine, CrossEntropy, WarmUp
from multilayer.training import EarlyStopping, fit


def spirals(n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return points on two interleaved spirals with a little noise, and each point's spiral."""
    y = rng.integers(2, size=n_samples)
    angle = np.pi * rng.uniform(0.5, 3, size=n_samples)
    X = np.column_stack([np.cos(angle + np.pi * y), np.sin(angle + np.pi * y)])
    return X * angle[:, np.newaxis] / 5 + 0.03 * rng.standard_normal((n_samples, 2)), y


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    net = MLP(Architecture(2, (32, 32), 2, activation="tanh"), initializer="glorot", rng=rng)
    history = fit(
        net,
        spirals(2000, rng),
        loss=CrossEntropy(label_smoothing=0.02),
        optimizer=AdamW(learning_rate=0.01),
        schedule=WarmUp(epochs=5, then=Cosine()),
        n_epochs=150,
        validation=0.2,
        callbacks=[EarlyStopping(patience=20)],
        rng=rng,
    )
    X, y = spirals(1000, rng)
    print(net)
    print(f"stopped by {history.stopped_by}, best epoch {history.best_epoch}")
    print(f"accuracy on new points: {(net(X).argmax(axis=1) == y).mean():.1%}")
