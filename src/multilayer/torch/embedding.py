"""Embedding: turns inputs into learned vectors, for one network or for K."""

import math
from itertools import accumulate
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from multilayer.embeddings import Embeddings
from multilayer.numpy.embedding import SIZE

__all__ = ["Embedding"]

Tensor = torch.Tensor


class Embedding(nn.Module):
    """Turns numbers and categories into vectors; other inputs are unchanged, and come first.

    The formulas are those of `multilayer.numpy.Embedding`. The codes of all numbers are one array,
    padded with zeros to the longest code, and one batched product turns them into vectors; the
    zeros cancel the rows of V that they multiply.

    The weight V has the shape (n_vectors, width), or (K, n_vectors, width) for K networks.

    Parameters
    ----------
    embeddings : Embeddings
        Which inputs become vectors.
    in_features : int
        How many inputs there are.
    """

    bias = None
    plain: Tensor
    numbers: Tensor
    pieces: Tensor
    knots: Tensor
    rows: Tensor
    categories: Tensor
    largest: Tensor
    starts: Tensor

    def __init__(self, embeddings: Embeddings, in_features: int) -> None:
        super().__init__()
        self.embeddings, self.in_features = embeddings, in_features
        numbers, pieces = ([pair[i] for pair in embeddings.numbers] for i in (0, 1))
        categories, sizes = ([pair[i] for pair in embeddings.categories] for i in (0, 1))
        starts = list(accumulate([*(m + 1 for m in pieces), *sizes], initial=0))
        entries = range(max(pieces, default=0) + 1)
        indices: dict[str, Any] = {
            "plain": embeddings.plain(in_features),
            "numbers": numbers,
            "pieces": pieces,
            "knots": [i - 1 for i in entries],
            "rows": [[starts[j] + min(i, m) for i in entries] for j, m in enumerate(pieces)],
            "categories": categories,
            "largest": [n - 1 for n in sizes],
            "starts": starts[len(pieces) : -1],
        }
        for name, values in indices.items():
            # With values even under torch.device("meta"), since no state_dict has them.
            index = torch.tensor(list(values), dtype=torch.long, device="cpu")
            self.register_buffer(name, index, persistent=False)
        self.weight = nn.Parameter(torch.empty(embeddings.n_vectors, embeddings.width))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw initial vectors, distributed as in the engine from scratch."""
        speed, start = self.embeddings.speed, 0
        self.weight.normal_()
        for _, m in self.embeddings.numbers:
            self.weight[start].uniform_(-0.5, 0.5).div_(speed)
            self.weight[start + 1 : start + m + 1].div_(speed * math.sqrt(m))
            start += m + 1
        self.weight[start:].mul_(SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors, of shape (n, out), or (K, n, out) for x of (n, in) or (K, n, in)."""
        plain = x[..., self.plain]
        found = [plain.expand(*self.weight.shape[:-2], *plain.shape[-2:])]
        if self.embeddings.numbers:
            t = x[..., self.numbers].clamp(min=0).minimum(self.pieces).unsqueeze(-1)
            codes = (t - self.knots).clamp(0, 1)
            # n: samples, j: numbers, i: the rows of V of a number, d: entries of a vector
            e = torch.einsum("...nji,...jid->...njd", codes, self._vectors(self.rows))
            found.append(F.relu(self.embeddings.speed * e).flatten(-2))
        if self.embeddings.categories:
            c = x[..., self.categories].clamp(min=0).minimum(self.largest).long()
            found.append(self._vectors(self.starts + c).flatten(-2))
        return torch.cat(found, dim=-1)

    def _vectors(self, rows: Tensor) -> Tensor:
        """Return these rows of V; for K networks, of each network's V."""
        V = self.weight
        if V.ndim == 3:
            K, n_vectors, _ = V.shape
            first = torch.arange(0, K * n_vectors, n_vectors, device=V.device)
            rows = rows + first.view(-1, 1, 1)
        return F.embedding(rows, V.flatten(0, -2))

    def extra_repr(self) -> str:
        """Return the text in the brackets of the repr."""
        found, n = self.embeddings, self.in_features
        return (
            f"{n}, {found.out_features(n)}, numbers={len(found.numbers)}, "
            f"categories={len(found.categories)}, width={found.width}"
        )
