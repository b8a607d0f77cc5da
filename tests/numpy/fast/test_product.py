"""Products in compiled loops are those of NumPy, from its library or from SciPy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer import compiled

if compiled.numba() is None:
    pytest.skip("numba is missing or switched off", allow_module_level=True)

from multilayer.numpy.fast import blas
from multilayer.numpy.fast.product import multiply, product_address

SIDES = st.integers(1, 70)


@pytest.fixture(params=["NumPy's", "SciPy's"], scope="module")
def of_scipy(request):
    return request.param == "SciPy's"


@given(SIDES, SIDES, SIDES, st.booleans(), st.booleans(), st.sampled_from(["f4", "f8"]))
@settings(deadline=None)
def test_a_product_is_numpys(of_scipy, m, n, k, is_first, is_second, kind):
    rng = np.random.default_rng(m * n * k)
    A, B = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    given_A, given_B = A.T if is_first else A, B.T if is_second else B
    C = np.full((m, n), np.nan, kind)
    with pytest.MonkeyPatch.context() as patch:
        if of_scipy:
            patch.setattr(blas, "paths", list)
        address = product_address(kind)
    arrays = [np.ascontiguousarray(M, kind) for M in (given_A, given_B)]
    multiply(address, arrays[0], is_first, arrays[1], is_second, C)
    # Each number is a sum of k products of normal numbers, of size √k.
    tolerance = {"f4": 1e-5, "f8": 1e-13}[kind] * np.sqrt(k)
    np.testing.assert_allclose(C, A @ B, rtol=0, atol=tolerance)


def test_a_library_that_is_found_while_blas_is_held_is_held_too():
    with blas.single_threaded():
        blas.find_again()
        assert {library["num_threads"] for library in blas._libraries().info()} == {1}
