"""Run the tests and build the documentation as other machines would, one setting after the other.

    make everywhere                             all settings, for hours
    make everywhere SETTINGS="nehalem lowest"   these

The last bits of a training hang on the order of its sums, and that on the processor, the threads
and the versions of the libraries; a training that is long or ill-posed makes first digits of them.
What is shown and what is asserted must come out alike in each of these settings. Logs are kept in
``.everywhere/SETTING/``, where the environments with other versions lie, too.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".everywhere"

# Each prints what a setting is to change, as the libraries themselves see it.
BLAS = """
import numpy, scipy.linalg, threadpoolctl
print(*{i["architecture"] for i in threadpoolctl.threadpool_info() if "architecture" in i})
"""
NUMPY = """
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
print(*(name for name in __cpu_dispatch__ if __cpu_features__[name]))
"""
NUMBA = "from numba import config; print('off' if config.DISABLE_JIT else config.CPU_NAME)"
TORCH = "import torch; print(torch.backends.cpu.get_cpu_capability())"
SIGINT = "import signal; print(signal.getsignal(signal.SIGINT).name)"


@dataclass(frozen=True)
class Setting:
    """What is different from `make test` and `make docs`, and how it is seen to be."""

    environment: dict[str, str] = field(default_factory=dict)
    probe: str = ""
    finds: str = ""
    """What the probe prints where the setting is taken. A machine or a library that has not these
    kernels takes others, and the setting is not run."""
    is_background: bool = False
    """Whether it is started with SIGINT ignored, as by ``nohup make test &``."""
    constraints: str = ""
    """The versions of an environment of its own."""


def blas(kernels: str, finds: str = "") -> Setting:
    """Return a setting in which NumPy's and SciPy's products are computed by these kernels."""
    return Setting({"OPENBLAS_CORETYPE": kernels}, BLAS, finds or kernels)


def numpy(without: str, finds: str) -> Setting:
    """Return a setting in which NumPy's own loops, such as tanh, do without instructions."""
    return Setting({"NPY_DISABLE_CPU_FEATURES": without}, NUMPY, finds)


def torch(aten: str, onednn: str, mkl: str) -> Setting:
    """Return a setting in which PyTorch's three libraries are held to older instructions."""
    environment = {
        "ATEN_CPU_CAPABILITY": aten,
        "ONEDNN_MAX_CPU_ISA": onednn,
        "MKL_ENABLE_INSTRUCTIONS": mkl,
    }
    return Setting(environment, TORCH, aten.upper())


SETTINGS = {
    "as-it-is": Setting(),
    "prescott": blas("Prescott", "Katmai"),
    "nehalem": blas("Nehalem"),
    "sandybridge": blas("Sandybridge"),
    "haswell": blas("Haswell"),
    "zen": blas("Zen"),
    "skylakex": blas("SkylakeX"),
    "cooperlake": blas("Cooperlake"),
    "sapphirerapids": blas("Sapphirerapids"),
    "numpy-sse": numpy("X86_V3 X86_V4 AVX512_ICL AVX512_SPR", ""),
    "numpy-avx2": numpy("X86_V4 AVX512_ICL AVX512_SPR", "X86_V3"),
    "numba-generic": Setting({"NUMBA_CPU_NAME": "generic"}, NUMBA, "generic"),
    "numba-zen4": Setting({"NUMBA_CPU_NAME": "znver4"}, NUMBA, "znver4"),
    "numba-off": Setting({"NUMBA_DISABLE_JIT": "1"}, NUMBA, "off"),
    "torch-sse": torch("default", "SSE41", "SSE4_2"),
    "torch-avx2": torch("avx2", "AVX2", "AVX2"),
    "one-thread": Setting({"OPENBLAS_NUM_THREADS": "1"}),
    "two-threads": Setting({"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}),
    "background": Setting(probe=SIGINT, finds="SIG_IGN", is_background=True),
    "lowest": Setting(constraints="constraints-lowest.txt"),
    "newest": Setting(constraints="constraints-newest.txt"),
}


@dataclass
class Outcome:
    """A row of the table."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    docs: str = "not built"
    seconds: float = 0.0
    not_run: str = ""

    @property
    def is_well(self) -> bool:
        """Whether nothing failed."""
        return bool(self.not_run) or (not self.failed and self.docs == "built")

    def __str__(self) -> str:
        if self.not_run:
            return f"not run: {self.not_run}"
        counts = f"{self.passed:>7}{self.failed:>8}{self.skipped:>9}"
        return f"{counts}  {self.docs:<10}{self.seconds:>7.0f}"


def outcome_of(name: str) -> Outcome:
    """Run the tests and build the documentation in one setting."""
    setting, folder = SETTINGS[name], FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    # Threads as in the Makefile. Machine code is made for a processor, so each setting has its own.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "2"}
    environment |= {"NUMBA_CACHE_DIR": str(folder / "numba")} | setting.environment

    def run(log: str, *command: str) -> tuple[int, str]:
        path = folder / f"{log}.log"
        with path.open("w", encoding="utf-8") as file:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                preexec_fn=ignore_sigint if setting.is_background else None,
                check=False,
            )
        return done.returncode, path.read_text(encoding="utf-8", errors="replace").strip()

    began, python = time.monotonic(), sys.executable
    if setting.constraints:
        venv = folder / "venv"
        made = [f"{venv}/.installed-dev", f"{venv}/.installed-docs"]
        options = [f"VENV={venv}", f"CONSTRAINTS={setting.constraints}"]
        if run("install", "make", *options, *made)[0]:
            return Outcome(failed=1, docs="no install")
        python = f"{venv}/bin/python"
    if setting.probe:
        _, printed = run("probe", python, "-c", setting.probe)
        if printed != setting.finds:
            return Outcome(not_run=f"takes {printed or 'none'}")

    code, log = run("tests", python, "-m", "pytest", "-n", "2", "-q")
    summary = log.rpartition("\n")[2]
    passed, failed, skipped, errors = (
        int(found[1]) if (found := re.search(rf"(\d+) {word}", summary)) else 0
        for word in ("passed", "failed", "skipped", "error")
    )
    strict = ("--quiet", "--fail-on-warning", "--keep-going", "--fresh-env", "--jobs", "2")
    fails, _ = run("docs", python, "-m", "sphinx", *strict, "docs", str(folder / "html"))
    docs = "FAILED" if fails else "built"
    seconds = time.monotonic() - began
    return Outcome(passed, max(failed + errors, int(code != 0)), skipped, docs, seconds)


def ignore_sigint() -> None:
    """Pass over Ctrl-C, as do the children of a process that is started with this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def main() -> int:
    """Run the settings that are asked for; return 1 if anything failed in one of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("settings", nargs="*", metavar="SETTING", help=", ".join(SETTINGS))
    names = parser.parse_args().settings or list(SETTINGS)
    if unknown := [name for name in names if name not in SETTINGS]:
        parser.error(f"no setting {', '.join(unknown)}; there are {', '.join(SETTINGS)}")
    outcomes = {}
    for name in names:
        print(f"{name} …", flush=True)
        outcomes[name] = outcome_of(name)
    print(f"\n{'setting':<16} passed  failed  skipped  docs      seconds")
    for name, outcome in outcomes.items():
        print(f"{name:<16}{outcome}")
    print(f"The logs are in {FOLDER.relative_to(ROOT)}/.")
    return int(not all(outcome.is_well for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
