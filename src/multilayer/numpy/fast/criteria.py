"""Criteria: a loss and its gradient in one pass, which replaces z by dz.

A criterion takes the logits z, the targets, each sample's share of the mean (1/n, or wᵢ/Σw), and an
array `values`. It writes Σ shareᵢ ℓᵢ, added up in double precision, to `values`, and shareᵢ ∂ℓᵢ/∂zᵢ
to z. The first axis of every array is for K networks (K = 1 for a single network). Its length is 1
for targets and shares that all networks have in common.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import Kernel, kernel
from multilayer.numpy.activations.base import Activation
from multilayer.numpy.activations.rectifiers import Identity
from multilayer.numpy.losses import NLL, BinaryCrossEntropy, CrossEntropy, Loss, SquaredError

__all__ = ["Criterion", "criterion_of", "kernel_of", "plain_criterion"]

Array = npt.NDArray[Any]
Criterion = Callable[[Array, Array, Array, Array], None]


def plain_criterion(loss: Loss, link: Activation, *, is_one: bool = False) -> Criterion:
    """Return a criterion for any loss, which calls the methods of the loss and the link function.

    If `is_one`, they get arrays without the axis for networks, which custom parts may not expect.
    """

    def criterion(z: Array, targets: Array, share: Array, values: Array) -> None:
        if is_one:
            z, targets, share = z[0], targets[0], share[0]
        p = z if loss.takes_logits else link.forward(z)
        losses, gradient = loss.per_sample(p, targets)
        gradient = gradient * share[..., np.newaxis]
        z[:] = gradient if loss.takes_logits else link.backward(gradient, z, p)
        values[:] = np.vecdot(losses, share)

    return criterion


@kernel(plain=plain_criterion(CrossEntropy(), Identity()))
def cross_entropy(zs, labels, shares, values):  # type: ignore[no-untyped-def]
    """ℓ = log Σ eᶻ − z_y, dz = softmax(z) − 1[y], for labels y."""
    for k in range(zs.shape[0]):
        z, label, share = zs[k], labels[k % labels.shape[0]], shares[k % shares.shape[0]]
        total = 0.0
        for i in range(z.shape[0]):
            largest = z[i, 0]
            for j in range(1, z.shape[1]):
                if z[i, j] > largest:
                    largest = z[i, j]
            of_label = z[i, label[i]] - largest
            normalizer = z.dtype.type(0)
            for j in range(z.shape[1]):
                e = np.exp(z[i, j] - largest)
                z[i, j] = e
                normalizer += e
            total += share[i] * (np.log(normalizer) - of_label)
            scale = share[i] / normalizer
            for j in range(z.shape[1]):
                z[i, j] *= scale
            z[i, label[i]] -= share[i]
        values[k] = total


@kernel(plain=plain_criterion(BinaryCrossEntropy(), Identity()))
def binary_cross_entropy(zs, targets, shares, values):  # type: ignore[no-untyped-def]
    """ℓ = Σ log(1 + eᶻ) − t z, dz = 1/(1 + e⁻ᶻ) − t."""
    one = zs.dtype.type(1)
    for k in range(zs.shape[0]):
        z, targeted, share = zs[k], targets[k % targets.shape[0]], shares[k % shares.shape[0]]
        total = 0.0
        for i in range(z.shape[0]):
            value = 0.0
            for j in range(z.shape[1]):
                logit, target = z[i, j], targeted[i, j]
                e = np.exp(-abs(logit))
                positive = logit if logit > 0 else z.dtype.type(0)
                value += (positive - target * logit) + math.log1p(e)
                p = (one if logit >= 0 else e) / (one + e)
                z[i, j] = share[i] * (p - target)
            total += share[i] * value
        values[k] = total


@kernel(plain=plain_criterion(SquaredError(), Identity()))
def squared_error(zs, targets, shares, values):  # type: ignore[no-untyped-def]
    """ℓ = ½ ‖z − t‖², dz = z − t."""
    for k in range(zs.shape[0]):
        z, target, share = zs[k], targets[k % targets.shape[0]], shares[k % shares.shape[0]]
        total = 0.0
        for i in range(z.shape[0]):
            value = 0.0
            for j in range(z.shape[1]):
                residual = z[i, j] - target[i, j]
                value += residual * residual
                z[i, j] = share[i] * residual
            total += share[i] * 0.5 * value
        values[k] = total


def kernel_of(loss: Loss, link: Activation, targets: Array) -> Kernel | None:
    """Return the kernel for a loss behind a link function; None if there is no such kernel."""
    kind, smoothing = type(loss), getattr(loss, "label_smoothing", 0.0)
    if kind is NLL:  # after log softmax, this is the cross-entropy
        return cross_entropy
    if kind is CrossEntropy and targets.dtype.kind == "i" and not np.any(smoothing):
        return cross_entropy
    if kind is BinaryCrossEntropy and not np.ndim(smoothing):
        return binary_cross_entropy
    if kind is SquaredError and type(link) is Identity:
        return squared_error
    return None


def criterion_of(loss: Loss, link: Activation, targets: Array, *, is_one: bool) -> Criterion:
    """Return the criterion for a loss behind a link function: a kernel if there is one."""
    found = kernel_of(loss, link, targets)
    return plain_criterion(loss, link, is_one=is_one) if found is None else found.fastest
