"""A first lesson: two layers on random data, with every gradient written out.

The model is ŷ = W₂ relu(W₁ x + b₁) + b₂. Full-batch gradient descent lowers

    J = 1/(2N) Σ (ŷ − y)² + λ/2 (‖W₁‖² + ‖W₂‖²),

and the printed loss is the mean of (ŷ − y)². `from_scratch` uses only NumPy; `with_multilayer` does
the same with the package. The numbers agree up to rounding; a test checks this to within 1e-12.

Run it: python examples/two_layer_regression.py
"""

import numpy as np

from multilayer import Architecture
from multilayer.numpy import MLP, SGD, Normal

N, IN_FEATURES, HIDDEN, OUT_FEATURES = 64, 10, 100, 1
N_EPOCHS, LEARNING_RATE, PENALTY = 250, 1e-3, 0.5
Weights = list[tuple[np.ndarray, np.ndarray]]


def from_scratch(seed: int) -> tuple[list[float], Weights]:
    """Train with NumPy alone; return each epoch's loss, and [(W₁, b₁), (W₂, b₂)]."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, IN_FEATURES))
    y = rng.standard_normal((N, OUT_FEATURES))
    W1 = 0.01 * rng.standard_normal((HIDDEN, IN_FEATURES))
    b1 = 0.01 * rng.standard_normal(HIDDEN) + 0.1
    W2 = 0.01 * rng.standard_normal((OUT_FEATURES, HIDDEN))
    b2 = 0.01 * rng.standard_normal(OUT_FEATURES) + 0.1
    losses = []
    for _ in range(N_EPOCHS):
        # Forward: one row per sample.
        z1 = X @ W1.T + b1  # (N, HIDDEN)
        a1 = np.maximum(z1, 0)
        y_hat = a1 @ W2.T + b2  # (N, OUT_FEATURES)
        losses.append(float(np.mean((y_hat - y) ** 2)))

        # Backward: the chain rule, from the loss to the first layer. The factor 2 from the square
        # cancels the half in J.
        dy_hat = (y_hat - y) / N
        dW2 = dy_hat.T @ a1 + PENALTY * W2
        db2 = dy_hat.sum(axis=0)
        da1 = dy_hat @ W2
        dz1 = da1 * (z1 > 0)  # relu passes the gradient where it passed the value
        dW1 = dz1.T @ X + PENALTY * W1
        db1 = dz1.sum(axis=0)

        # Update: a small step downhill.
        W1 -= LEARNING_RATE * dW1
        b1 -= LEARNING_RATE * db1
        W2 -= LEARNING_RATE * dW2
        b2 -= LEARNING_RATE * db2
    return losses, [(W1, b1), (W2, b2)]


def with_multilayer(seed: int) -> tuple[list[float], Weights]:
    """Train the same network with the package."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, IN_FEATURES))
    y = rng.standard_normal((N, OUT_FEATURES))
    architecture = Architecture(IN_FEATURES, (HIDDEN,), OUT_FEATURES, activation="relu")
    net = MLP(architecture, dtype="float64", initializer=Normal(std=0.01, bias=0.1), rng=rng)
    optimizer = SGD(learning_rate=LEARNING_RATE)
    state = optimizer.initial_state(net.parameters)
    losses = []
    for _ in range(N_EPOCHS):
        losses.append(float(np.mean((net(X) - y) ** 2)))
        _, gradients = net.loss_and_gradients(X, y, loss="squared_error", l2=PENALTY)
        optimizer.update(net.parameters, net.flatten(gradients), state)
    return losses, [(W, b) for W, b in net.weights if b is not None]


if __name__ == "__main__":
    losses, weights = from_scratch(seed=0)
    package_losses, package_weights = with_multilayer(seed=0)
    print("epoch  from scratch  with multilayer")
    for epoch in (0, 49, 99, 149, 199, 249):
        print(f"{epoch + 1:5}  {losses[epoch]:12.6f}  {package_losses[epoch]:15.6f}")
    ours = np.concatenate([array.ravel() for pair in weights for array in pair])
    theirs = np.concatenate([array.ravel() for pair in package_weights for array in pair])
    difference = np.abs(ours - theirs).max()
    print(f"largest difference of the final weights: {difference:.1e}")
