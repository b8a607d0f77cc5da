"""Packing values and arrays into one binary message, which `page/connection.js` unpacks."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from multilayer.json_text import finite

__all__ = ["pack"]

KINDS = {np.dtype(np.float32): "f4", np.dtype(np.uint8): "u1"}
ALIGN = 4


def pack(values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    r"""Return one message: the length of a JSON object, the object, and the arrays.

    The object contains the values, and under ``"arrays"`` each array's name, type, shape and
    offset. Float arrays become float32; NaN and infinity among the values become null.

    Parameters
    ----------
    values : mapping of str to values for JSON
    arrays : mapping of str to array

    Examples
    --------
    >>> pack({"type": "frame"}, {"W": np.zeros((1, 2))})[4:]
    b'{"type": "frame", "arrays": [["W", "f4", [1, 2], 0]]} \x00\x00\x00\x00\x00\x00\x00\x00'
    """
    table, pieces, place = [], [], 0
    for name, array in arrays.items():
        kind = np.uint8 if array.dtype == np.uint8 else np.float32
        with np.errstate(over="ignore"):
            piece = np.ascontiguousarray(array, dtype=kind)
        content = piece.tobytes()
        content += b"\0" * (-len(content) % ALIGN)
        table.append([name, KINDS[piece.dtype], piece.shape, place])
        pieces.append(content)
        place += len(content)
    head = json.dumps({**finite(values), "arrays": table}, allow_nan=False).encode()
    head += b" " * (-len(head) % ALIGN)
    return b"".join([struct.pack("<I", len(head)), head, *pieces])
