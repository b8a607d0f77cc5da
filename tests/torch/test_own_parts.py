"""One's own activation and loss, put into both engines, agree like those that are built in."""

import subprocess
import sys

SCRIPT = '''
from dataclasses import dataclass
import numpy as np, torch
from multilayer import Architecture
from multilayer import numpy as scratch
from multilayer import torch as engine
from multilayer.inspection import parity
from multilayer.training import fit

class Sine(scratch.Elementwise):
    """a = sin z; its derivative is cos z."""
    formula, derivative_formula, range = "sin z", "cos z", "[-1, 1]"
    def forward(self, z):
        return np.sin(z)
    def derivative(self, z, a):
        return np.cos(z)

class SineModule(torch.nn.Module):
    def forward(self, z):
        return torch.sin(z)

@dataclass(frozen=True)
class LogCosh(scratch.Loss):
    """l = sum log cosh r, r = p - y; its derivative is tanh r."""
    name = "log_cosh"
    outputs = ("identity",)
    takes_logits = False
    task = "regression"
    formula = "sum log cosh r"
    def per_sample(self, p, targets):
        r = p - targets
        return np.log(np.cosh(r)).sum(axis=1), np.tanh(r)

scratch.ACTIVATIONS.register("sine", Sine())
engine.ACTIVATIONS.register("sine", SineModule)
architecture = Architecture(3, (5, 4), 2, activation=("sine", "relu"))
rng = np.random.default_rng(0)
X, y = rng.normal(size=(9, 3)), rng.normal(size=(9, 2))

net, Xs, ys = scratch.smooth_problem(architecture, LogCosh(), rng)
assert scratch.check_gradients(net, Xs, ys, loss=LogCosh()).passed

try:
    parity(architecture, X, y, loss=LogCosh())
except ValueError as error:
    print(error)
engine.LOSSES.register("log_cosh", lambda loss, p, y: torch.log(torch.cosh(p - y)).sum(dim=1))
print(parity(architecture, X, y, loss=LogCosh(), optimizer="adam").passed)
for kind in (scratch.MLP, engine.MLP):
    network = kind(architecture, initializer="glorot", rng=np.random.default_rng(0))
    history = fit(network, (X, y), loss=LogCosh(), n_epochs=500, optimizer=scratch.Adam(0.02),
                  rng=np.random.default_rng(0))
    assert history["train_loss"][-1] < 0.5 * history["train_loss"][0]
'''


def test_activation_and_loss_of_ones_own():
    # In a process of its own: what is registered stays.
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "loss 'log_cosh' has no formula in PyTorch: "
        "multilayer.torch.LOSSES.register('log_cosh', function)",
        "True",
    ]
