"""Max-norm: a bound on the norm of each unit's incoming weights."""

from multilayer import checks
from multilayer.numpy.clipping import shortened
from multilayer.numpy.layers import Affine
from multilayer.numpy.network import Network

__all__ = ["limit_norms"]


def limit_norms(network: Network, max_norm: float) -> None:
    r"""Scale the incoming weights of each unit down to a norm of at most `max_norm`, in place.

    .. math:: w ← w \min\left(1, \frac{c}{‖w‖_2}\right)

    for each row w of W in every affine layer, including the last: the projection onto the ball of
    radius c (Srebro and Shraibman 2005; Hinton et al. 2012; Srivastava et al. 2014, section 5.1,
    who train with dropout, high learning rates and a c of 3 to 4). Rows that are short enough do
    not change. Biases, normalisations and embeddings are not constrained: the rows of an embedding
    are the vectors of inputs, not the weights of a unit.

    Call it after the update of each step, as `multilayer.training.fit` does with ``max_norm=``.
    Before batch normalisation, shorter weights do not change what a unit computes, but they make
    its gradient larger, so it learns faster.

    Parameters
    ----------
    network : Network
        Such as ``net.network``.
    max_norm : float
        c, in (0, inf).

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If `max_norm` is not a number in (0, inf).

    Examples
    --------
    >>> from multilayer import Architecture
    >>> from multilayer.numpy import MLP
    >>> net = MLP(Architecture(2, (), 2))
    >>> net.set_weights([([[3.0, 4.0], [0.5, 0.0]], [7.0, 7.0])])
    >>> limit_norms(net.network, 1.0)
    >>> W, b = net.weights[0]
    >>> W.round(3), b
    (array([[0.6, 0.8],
           [0.5, 0. ]], dtype=float32), array([7., 7.], dtype=float32))
    """
    max_norm = checks.real(max_norm, "max_norm", "limit_norms", "(0, inf)")
    for layer in network.layers:
        if isinstance(layer, Affine):
            layer.W[:] = shortened(layer.W, max_norm)
