"""What the benchmarks take out of the package is there to be taken out."""

import importlib
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the benchmarks compare with PyTorch")

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def ablation(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("ablation")


def test_every_part_of_the_fast_path_can_be_taken_out_and_put_back(ablation):
    from multilayer.compiled import Kernel
    from multilayer.numpy.fast import batches, blas, plan, source, stages, standby, step, workers

    def now():
        return (
            Kernel.fastest, step.chain_of, batches.LONG, blas.has_wide_kernels, plan.WIDEST,
            source.REORDERED_BYTES, stages.NARROW, standby._loops, step.Step.take,
            workers.Workers.for_batches.__name__,
        )  # fmt: skip

    before = now()
    for without in ablation.PARTS.values():
        with without():
            assert now() != before
        assert now() == before
