"""Every kernel computes the same compiled as in its plain NumPy form."""

import importlib
import os
import pkgutil
import subprocess
import sys
import threading
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import multilayer
from multilayer import compiled
from multilayer.compiled import Kernel
from multilayer.numpy.fast import blas, passes


def all_kernels():
    """Return every kernel of the package by the name of its module and its own."""
    found = {}
    for module in pkgutil.walk_packages(multilayer.__path__, prefix="multilayer."):
        for name, thing in vars(importlib.import_module(module.name)).items():
            if isinstance(thing, Kernel) and thing.loops.__module__ == module.name:
                found[f"{module.name.rpartition('.')[2]}.{name}"] = thing
    return found


KERNELS = all_kernels()
needs_compiler = pytest.mark.skipif(
    bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="numba is switched off by NUMBA_DISABLE_JIT"
)


class Problem:
    """Draws the arguments of a kernel."""

    def __init__(self, seed, n, k, dtype):
        self.rng, self.n, self.k, self.dtype = np.random.default_rng(seed), n, k, dtype
        self.networks = 1 + seed % 3

    def normal(self, *shape):
        return (self.rng.normal(size=shape) * 2).astype(self.dtype)

    def matrix(self, n=None, k=None):
        """Draw a matrix for each network."""
        return self.normal(self.networks, self.n if n is None else n, self.k if k is None else k)

    def vector(self, k=None):
        """Draw a vector for each network."""
        return self.matrix(1, k)[:, 0]

    def numbers(self, low, high):
        """Draw a number for each network."""
        return self.rng.uniform(low, high, self.networks)

    def between_0_and_1(self, *shape):
        return self.rng.uniform(size=shape).astype(self.dtype)

    def back(self, a):
        return self.matrix(), a, self.vector()

    def targets(self, draw):
        """Draw targets for each network, or such that all have in common."""
        return draw((self.networks if self.n % 2 else 1, self.n))

    def criterion(self, targets):
        share = self.between_0_and_1(self.networks if self.k % 2 else 1, self.n)
        return self.matrix(), targets, share, np.zeros(self.networks)

    def thin(self, *, back):
        x, W, b, z = self.matrix(), self.matrix(3), self.vector(3), self.matrix(k=3)
        return (z, x, W, self.matrix(3), b, self.matrix()) if back else (x, W, b, z)

    def embedding(self, *, back):
        """Draw two plain inputs, two numbers and a category, a few of them out of range."""
        numbers = self.rng.uniform(-1, self.k + 1, (self.n, 2))
        categories = self.rng.integers(-1, self.k + 1, self.n)
        x = np.column_stack([self.normal(self.n, 2), numbers, categories]).astype(self.dtype)
        x[0, 2:] = 1e30  # more than an integer holds
        plain, inputs = np.array([0, 1]), np.zeros((3, 4), np.intp)
        sizes = [self.k + 1, self.k + 1, self.k]
        inputs[:] = np.column_stack([[2, 3, 4], np.cumsum([0, *sizes[:2]]), sizes, [1, 1, 0]])
        shape, y = (sum(sizes), 4), self.normal(self.n, 2 + 3 * 4)
        V = self.normal(*shape)
        found = (x, V, plain, inputs, 1.5, y)
        return (self.normal(*y.shape), y, x, plain, inputs, 1.5, V) if back else found

    def update(self, *settings, vectors=1, step=()):
        size = self.n * self.k
        state = [abs(self.vector(size)) for _ in range(vectors)]
        parts = (3, size // 5, size)
        gradients = self.normal(3, self.networks, size)
        columns = [self.numbers(0.01, 0.05), *step, *settings]
        return self.vector(size), gradients, *state, *parts, np.column_stack(columns)


# A function of a Problem that gives the arguments, for each kernel.
ARGUMENTS = {
    "passes.add_bias": lambda p: (p.matrix(), p.vector()),
    "passes.sum_columns": lambda p: p.back(p.matrix()),
    "passes.relu_forward": lambda p: (p.matrix(), p.vector()),
    "passes.relu_backward": lambda p: p.back(np.maximum(p.matrix(), 0)),
    "passes.leaky_relu_forward": lambda p: (p.matrix(), p.vector()),
    "passes.leaky_relu_backward": lambda p: p.back(p.matrix()),
    "passes.tanh_backward": lambda p: p.back(np.tanh(p.matrix())),
    "passes.sigmoid_backward": lambda p: p.back(p.between_0_and_1(p.networks, p.n, p.k)),
    "passes.transpose": lambda p: (p.matrix(p.k, p.n), p.matrix()),
    "passes.dropout": lambda p: (
        p.matrix(),
        p.rng.random((p.networks, p.n, p.k), np.float32),
        p.numbers(0, 0.9),
        p.matrix(),
    ),
    "criteria.cross_entropy": lambda p: p.criterion(
        p.targets(lambda s: p.rng.integers(p.k, size=s))
    ),
    "criteria.binary_cross_entropy": lambda p: p.criterion(
        p.targets(lambda s: p.between_0_and_1(*s, p.k))
    ),
    "criteria.squared_error": lambda p: p.criterion(p.targets(lambda s: p.normal(*s, p.k))),
    "normalize.moments": lambda p: (p.matrix(), p.vector(), p.vector()),
    "normalize.normalize": lambda p: (
        *(p.matrix(), p.vector(), p.vector(), p.vector(), p.matrix(), p.matrix()),
    ),
    "normalize.sum_products": lambda p: (p.matrix(), p.matrix(), p.vector()),
    "normalize.normalize_backward": lambda p: (
        *(p.matrix(), p.matrix(), p.vector(), p.vector(), p.vector(), 3 * p.n),
    ),
    "thin.thin_forward": lambda p: p.thin(back=False),
    "thin.thin_backward": lambda p: p.thin(back=True),
    "embed.embed": lambda p: p.embedding(back=False),
    "embed.embed_backward": lambda p: p.embedding(back=True),
    "updates.add_up": lambda p: (p.normal(3, p.networks, p.k), 3, p.k // 2, p.k),
    "updates.add_penalty": lambda p: (
        *(p.vector(), p.vector(), p.k // 3, p.k),
        *(p.numbers(0, 0.5), p.numbers(0, 1), np.zeros(p.networks)),
    ),
    "updates.sgd": lambda p: (*p.update(p.numbers(0.1, 0.9), p.numbers(0, 0.1)), bool(p.n % 2)),
    "updates.adam": lambda p: p.update(
        *(p.numbers(0.8, 0.9), p.numbers(0.99, 0.999)),
        *(p.numbers(1e-8, 1e-7), p.numbers(0, 0.1)),
        vectors=2,
        step=(p.rng.integers(1, 9, size=p.networks),),
    ),
    "updates.limit_in_place": lambda p: (
        p.vector(3 + p.n * p.k),
        np.array([[1, 1, 2], [3, p.n, p.k]]),
        p.numbers(0.1, 2 * p.k**0.5 + 1),  # of some rows
    ),
    "average.move": lambda p: (p.normal(p.k), p.normal(p.k), p.rng.uniform()),
    "source.gather": lambda p: (p.normal(p.n, p.k), p.rng.integers(p.n, size=5), p.normal(5, p.k)),
    "encoded.fill": lambda p: (
        p.normal(p.n, 3).astype(np.float32),
        np.array([0, p.k, p.k + 2]),
        p.rng.integers(-1, p.k + 3, size=(p.n, 2)).astype(np.int32),
        p.rng.integers(p.n, size=5),
        p.normal(5, p.k + 3),
    ),
    "images.scale": lambda p: (
        p.rng.integers(256, size=(p.n, p.k)).astype(np.uint8),
        p.rng.integers(p.n, size=5),
        *[(0.0, 1.0), (0.13, 0.31)][p.n % 2],
        p.normal(5, p.k),
    ),
}


def test_every_kernel_has_arguments():
    assert set(ARGUMENTS) == set(KERNELS)


@needs_compiler
def test_numba_is_there_to_compile_them():
    assert compiled.numba() is not None


@pytest.mark.parametrize("name", KERNELS)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 40),
    k=st.integers(1, 70),
    dtype=st.sampled_from([np.float32, np.float64]),
)
@settings(max_examples=15)
def test_compiled_and_plain_agree(name, seed, n, k, dtype):
    kernel = KERNELS[name]
    arguments = ARGUMENTS[name](Problem(seed, n, k, dtype))
    twins = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    result, expected = kernel.fastest(*arguments), kernel.plain(*twins)
    # Sums of up to 70 numbers of about 4, in another order.
    tolerance = 2000 * float(np.finfo(dtype).eps)
    if expected is not None:
        assert result == pytest.approx(expected, rel=tolerance, abs=tolerance)
    for mine, other in zip(arguments, twins, strict=True):
        if isinstance(mine, np.ndarray):
            np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 33])
@pytest.mark.parametrize("features", [1, 3, 4, 5, 9])
def test_all_numbers_are_transposed(rows, features):
    zT = np.arange(2 * rows * features).reshape(2, features, rows).astype(float)
    z = np.full((2, rows, features), np.nan)
    passes.transpose.fastest(zT, z)
    np.testing.assert_array_equal(z, zT.mT)


@pytest.mark.parametrize(
    ("n_rows", "in_features", "out_features", "expected"),
    [
        (16, 65, 64, True),
        (16, 64, 64, False),  # a W this small is not rearranged
        (15, 100, 100, False),  # less than a tile
        (64, 128, 128, True),
        (64, 127, 512, False),
        (64, 512, 127, False),
        (256, 784, 1200, True),
        (512, 784, 1200, False),
    ],
)
def test_products_with_a_larger_w_are_transposed(
    n_rows, in_features, out_features, expected, monkeypatch
):
    for has_wide_kernels in (True, False):
        monkeypatch.setattr(blas, "has_wide_kernels", lambda found=has_wide_kernels: found)
        found = passes.is_transposed(n_rows, in_features, out_features)
        assert found is (expected and has_wide_kernels)


@pytest.mark.parametrize("name", ["passes.relu_forward", "passes.leaky_relu_forward"])
def test_what_is_not_a_number_stays_so(name):
    z = np.array([[[np.nan, np.inf, -np.inf]]], dtype=np.float32)
    KERNELS[name].fastest(z, np.zeros((1, 3), np.float32))
    assert np.isnan(z[0, 0, 0])
    assert z[0, 0, 1] == np.inf


@pytest.mark.parametrize(
    "name", ["criteria.cross_entropy", "criteria.binary_cross_entropy", "criteria.squared_error"]
)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_of_logits_that_are_not_finite_is_not_finite(name, bad):
    labels = np.array([[1]]) if name.endswith(".cross_entropy") else np.ones((1, 1, 3), np.float32)
    for place in range(3):
        z, value = np.zeros((1, 1, 3), np.float32), np.zeros(1)
        z[0, 0, place] = bad
        with np.errstate(invalid="ignore"):  # the plain form warns of ∞ − ∞
            KERNELS[name].fastest(z, labels, np.ones((1, 1), np.float32), value)
        # The only finite case is a label with an infinite logit of its own sign.
        assert not np.isfinite(value) or (name.startswith("criteria.binary") and bad == np.inf)


def test_large_logits_do_not_overflow():
    z, value = np.array([[[1e4, -1e4, 0.0]]], dtype=np.float32), np.zeros(1)
    share = np.ones((1, 1), np.float32)
    KERNELS["criteria.cross_entropy"].fastest(z, np.array([[1]]), share, value)
    assert value == pytest.approx(2e4)
    np.testing.assert_allclose(z, [[[1, -1, 0]]])


@needs_compiler
def test_a_kernel_that_cannot_be_kept_on_disk_is_compiled_all_the_same(monkeypatch):
    module = compiled.numba()
    njit = module.njit

    def refusing(*functions, **options):
        if options.pop("cache", False):
            raise RuntimeError("no locator available")
        return njit(*functions, **options)

    monkeypatch.setattr(module, "njit", refusing)
    add_bias = KERNELS["passes.add_bias"]
    z = np.zeros((1, 1, 2))
    Kernel(add_bias.loops, add_bias.plain).fastest(z, np.ones((1, 2)))
    assert (z == 1).all()


NO_FOLDER = """
import numba

njit = numba.njit
def refusing(*functions, **options):
    if options.pop("cache", False):
        raise RuntimeError("no locator available")
    return njit(*functions, **options)
numba.njit = refusing

from multilayer.numpy.fast import chain
from multilayer.numpy.fast.workers import Workers

workers = Workers(2)
print(workers.map(abs, [-1, -2]), workers._standby._loops is not None)
workers.stop()
"""


@needs_compiler
def test_neither_are_loops_that_call_others():
    found = subprocess.run(
        [sys.executable, "-c", NO_FOLDER], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[1, 2] True\n"


@needs_compiler
def test_loops_are_compiled_anew_after_a_change_of_what_they_call(tmp_path):
    names = set()
    for text in ("x = 1", "x = 2", "x = 1"):

        def loops(x):
            return x

        source = ModuleType("source")  # as another process has it
        source.__file__ = str(tmp_path / "source.py")
        (tmp_path / "source.py").write_text(text)
        assert compiled.machine_code(loops, source)(3) == 3
        names.add(loops.__qualname__)
    assert len(names) == 2


def test_threads_that_want_a_kernel_at_once_get_the_same():
    add_bias, found, barrier = KERNELS["passes.add_bias"], [], threading.Barrier(8, timeout=20)
    kernel = Kernel(add_bias.loops, add_bias.plain)

    def want():
        barrier.wait()
        found.append(kernel.fastest)

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {kernel.fastest}


def test_without_numba_the_plain_form_is_used(monkeypatch):
    monkeypatch.setattr(compiled, "numba", lambda: None)
    add_bias = KERNELS["passes.add_bias"]
    assert Kernel(add_bias.loops, add_bias.plain).fastest is add_bias.plain


@needs_compiler
def test_numba_that_is_missing_or_switched_off_is_none(monkeypatch):
    module = compiled.numba()
    monkeypatch.setattr(module.config, "DISABLE_JIT", 1)
    assert compiled.numba() is None

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(compiled, "import_module", missing)
    assert compiled.numba() is None


@needs_compiler
def test_what_is_compiled_is_told_and_what_is_on_disk_is_not(tmp_path):
    pytest.importorskip("numba")
    program = (
        "import numpy as np\n"
        "from multilayer.compiled import on_compiling\n"
        "from multilayer.numpy.fast.updates import add_up\n"
        "with on_compiling(lambda: print('compiles')):\n"
        "    add_up.fastest(np.ones((2, 1, 3)), 2, 0, 3)\n"
        "    print('a kernel')\n"
        "    from multilayer.numpy.fast import fused_loops\n"
        "    fused_loops._gather(np.ones((2, 3)), np.array([1]), np.ones((1, 3)))\n"
        "    print('loops')\n"
        "import numba\n"
        "numba.njit(lambda: 0)()\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert said == ["compiles\na kernel\ncompiles\nloops\n", "a kernel\nloops\n"]
