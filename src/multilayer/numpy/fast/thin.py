"""Passes for a last layer with few outputs, whose products are too thin for BLAS.

Networks for regression or for two classes have one to three outputs. BLAS rearranges its operands
before it multiplies, which then takes longer than the product itself.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.compiled import kernel

__all__ = ["WIDEST", "thin_backward", "thin_forward"]

Array = npt.NDArray[Any]

WIDEST = 3
"""Up to this many outputs, a pass beats BLAS; at 4 they tie (measured, see docs/performance.md)."""


def _forward(x: Array, W: Array, b: Array, z: Array) -> None:
    np.matmul(x, W.mT, out=z)
    np.add(z, b[..., np.newaxis, :], out=z)


@kernel(plain=_forward, reassociate=True)
def thin_forward(xs, Ws, bs, zs):  # type: ignore[no-untyped-def]
    """Compute z ← x Wᵀ + b."""
    for m in range(xs.shape[0]):
        x, W, b, z = xs[m], Ws[m], bs[m], zs[m]
        for i in range(x.shape[0]):
            row = x[i]
            for j in range(W.shape[0]):
                w = W[j]
                total = z.dtype.type(0)
                for k in range(row.size):
                    total += row[k] * w[k]
                z[i, j] = total + b[j]


def _backward(dz: Array, x: Array, W: Array, dW: Array, db: Array, dx: Array) -> None:
    np.matmul(dz.mT, x, out=dW)
    np.sum(dz, axis=-2, out=db)
    np.matmul(dz, W, out=dx)


@kernel(plain=_backward, reassociate=True)
def thin_backward(dzs, xs, Ws, dWs, dbs, dxs):  # type: ignore[no-untyped-def]
    """Compute dW ← dzᵀ x, db ← Σ dz and dx ← dz W, reading each row of x once."""
    for m in range(dzs.shape[0]):
        dz, x, W, dW, db, dx = dzs[m], xs[m], Ws[m], dWs[m], dbs[m], dxs[m]
        dW[:] = 0
        db[:] = 0
        for i in range(x.shape[0]):
            row, d_row = x[i], dx[i]
            d_row[:] = 0
            for j in range(W.shape[0]):
                slope, w, dw = dz[i, j], W[j], dW[j]
                db[j] += slope
                for k in range(row.size):
                    dw[k] += slope * row[k]
                    d_row[k] += slope * w[k]
