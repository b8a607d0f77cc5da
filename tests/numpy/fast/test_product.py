"""Products in compiled loops are those of NumPy, from its library or from SciPy's."""

import importlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import ThreadpoolController, threadpool_limits

from multilayer import compiled

if compiled.numba() is None:
    pytest.skip("numba is missing or switched off", allow_module_level=True)

from numba.core.errors import TypingError

from multilayer.numpy.fast import blas
from multilayer.numpy.fast.product import multiply, product_address

SIDES = st.integers(1, 70)


@pytest.fixture(params=["NumPy's", "SciPy's"], scope="module")
def of_scipy(request):
    return request.param == "SciPy's"


@given(SIDES, SIDES, SIDES, st.booleans(), st.booleans(), st.sampled_from(["f4", "f8"]))
def test_a_product_is_numpys(of_scipy, m, n, k, is_first, is_second, kind):
    rng = np.random.default_rng(m * n * k)
    A, B = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    given_A, given_B = A.T if is_first else A, B.T if is_second else B
    C = np.full((m, n), np.nan, kind)
    with pytest.MonkeyPatch.context() as patch:
        if of_scipy:
            patch.setattr(blas, "library_of_numpy", dict)
        address = product_address.__wrapped__(np.dtype(kind))
    arrays = [np.ascontiguousarray(M, kind) for M in (given_A, given_B)]
    multiply(address, arrays[0], is_first, arrays[1], is_second, C)
    # Each number is a sum of k products of normal numbers, of size √k.
    tolerance = {"f4": 1e-5, "f8": 1e-13}[kind] * np.sqrt(k)
    np.testing.assert_allclose(C, A @ B, rtol=0, atol=tolerance)


def test_a_library_that_is_found_while_blas_is_held_is_held_and_has_its_threads_back():
    """SciPy's is hidden at first."""
    importlib.import_module("scipy.linalg")
    everything = ThreadpoolController().select(user_api="blas")
    few = everything.select(filepath=everything.info()[0]["filepath"])
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        if len(before) < 2:
            pytest.skip("there is one library only")
        blas._libraries.cache_clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blas, "_libraries", cache(lambda: few))
            with blas.single_threaded():
                assert sorted(threads()) == [1, *before[1:]]
                patch.undo()
                blas.find_again()
                assert set(threads()) == {1}
        assert threads() == before


def threads():
    return [library["num_threads"] for library in ThreadpoolController().info()
            if library["user_api"] == "blas"]  # fmt: skip


@pytest.mark.parametrize(
    "change", [lambda x: x.T, lambda x: x[:, ::2], lambda x: x.astype("f4")], ids=range(3)
)
def test_matrices_that_it_would_misread_do_not_compile(change):
    square = np.ones((4, 4))
    address = product_address(square.dtype)
    with pytest.raises(TypingError, match="a product needs matrices without gaps, of one type"):
        multiply(address, change(square), False, square, False, square.copy())
