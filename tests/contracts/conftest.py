"""What the contracts share: a registry and its table of rows must name the same things."""

import re

import pytest

# A relation between symbols, or the factor that a schedule is.
FORMULA = re.compile(r"[=←~]|^Factor \S|factor is \S")


@pytest.fixture
def assert_rows():
    """Compares a registry with its table: a name without a row fails, and a row without a name."""

    def compare(registry, rows):
        assert set(registry) - set(rows) == set(), "names without a row"
        assert set(rows) - set(registry) == set(), "rows without a name"

    return compare


@pytest.fixture
def assert_documented():
    """Demands a class's own docstring, with a formula in it."""

    def check(cls):
        text = vars(cls).get("__doc__") or ""
        # A dataclass without a docstring gets its signature for one.
        assert text, f"{cls.__name__} has no docstring"
        assert not text.startswith(f"{cls.__name__}("), f"{cls.__name__} has no docstring"
        assert FORMULA.search(text), f"the docstring of {cls.__name__} has no formula:\n{text}"

    return check
