"""Product: BLAS's matrix product for compiled loops, from the library that NumPy uses.

In compiled code, ``np.dot`` calls SciPy's BLAS, which is often an older version; some of its
products took a third longer. This module needs numba.
"""

import ctypes
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import get_cython_function_address, intrinsic

from multilayer import forks
from multilayer.compiled import machine_code
from multilayer.numpy.fast import blas

__all__ = ["multiply", "product_address"]

NAMES = "scipy_{}_64_", "{}_64_", "scipy_{}_", "{}_"
"""The names of Fortran's ``sgemm`` in libraries with integers of 64 and of 32 bits, in NumPy's
wheels and elsewhere."""
POINTER = ir.IntType(8).as_pointer()
KEPT, TRANSPOSED = ord("N"), ord("T")


@cache
def product_address(dtype: np.dtype[Any]) -> int:
    """Return the address of ``sgemm`` or ``dgemm`` in NumPy's BLAS, or otherwise in SciPy's."""
    name = "sgemm" if dtype == np.float32 else "dgemm"
    path = blas.library_of_numpy().get("filepath")
    if path is not None:
        library = ctypes.CDLL(path)
        for pattern in NAMES:
            found = getattr(library, pattern.format(name), None)
            if found is not None:
                return _address_of(found)
    with forks.imports:
        address = int(get_cython_function_address("scipy.linalg.cython_blas", name))
    blas.find_again()
    return address


def _address_of(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address


@intrinsic
def _gemm(  # type: ignore[no-untyped-def]
    _, address, first, second, m, n, k, A, A_row, B, B_row, C, C_row
):  # fmt: skip
    """Call Fortran's gemm, which takes pointers only; C is written but not read.

    Integers are passed with 64 bits. A library that expects 32 bits reads the lower half, which
    comes first on all processors that numba supports.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def by_reference(value: Any) -> Any:
            place: Any = cgutils.alloca_once_value(builder, value)  # type: ignore[no-untyped-call]
            return builder.bitcast(place, POINTER)

        def data(place: int) -> Any:
            array = context.make_array(signature.args[place])(context, builder, values[place])
            return builder.bitcast(array.data, POINTER)

        kind = context.get_value_type(signature.args[6].dtype)
        one, zero = (by_reference(ir.Constant(kind, value)) for value in (1.0, 0.0))
        numbers = (values[place] for place in (1, 2, 3, 4, 5, 7, 9, 11))
        first, second, m, n, k, A_row, B_row, C_row = map(by_reference, numbers)
        call = ir.FunctionType(ir.VoidType(), [POINTER] * 13).as_pointer()
        builder.call(
            builder.inttoptr(values[0], call),
            [first, second, m, n, k, one, data(6), A_row, data(8), B_row, zero, data(10), C_row],
        )
        return context.get_dummy_value()

    if any(matrix.layout != "C" or matrix.dtype != C.dtype for matrix in (A, B, C)):
        raise TypingError("a product needs matrices without gaps, of one type")
    integer, letter = types.int64, types.uint8
    kinds = [integer, letter, letter, *[integer] * 3, A, integer, B, integer, C, integer]
    return types.void(*kinds), generate


@machine_code
def multiply(address, A, A_is_transposed, B, B_is_transposed, C):  # type: ignore[no-untyped-def]
    """Compute C ← A B, or with Aᵀ or Bᵀ, for contiguous matrices whose shapes match.

    Fortran stores matrices by columns, so it is called for Cᵀ = Bᵀ Aᵀ.
    """
    depth = A.shape[0] if A_is_transposed else A.shape[1]
    first = TRANSPOSED if B_is_transposed else KEPT
    second = TRANSPOSED if A_is_transposed else KEPT
    _gemm(  # type: ignore[call-arg]
        address, first, second, C.shape[1], C.shape[0], depth,
        B, B.shape[1], A, A.shape[1], C, C.shape[1],
    )  # fmt: skip
