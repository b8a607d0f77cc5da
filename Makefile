# Every target makes the virtual environment that it needs: nothing has to be set up before.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints.txt
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS)

.PHONY: demo test lint docs bench everywhere clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed  ## train on the handwritten digits
	$(BIN)/mlp train digits

# Two processes: with more threads in each, PyTorch's wait in a loop for cores that the others have.
test: lint  ## everything that must pass
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=2 $(BIN)/python -m pytest -n 2
	$(BIN)/python benchmarks/kept.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Any warning fails; every notebook is run on the way.
docs: $(VENV)/.installed-docs  ## the documentation, as docs/_build/html/index.html
	rm -rf docs/_build
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --jobs 2 docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(VENV)/.installed-dev  ## timings, side by side, on an idle machine; MULTILAYER_DATA names MNIST's folder
	$(BIN)/python benchmarks/compare.py

# Other kernels, threads, signals and versions; SETTINGS="nehalem lowest" names some.
everywhere: $(VENV)/.installed-dev $(VENV)/.installed-docs  ## what other machines would say, for hours
	$(BIN)/python tools/everywhere.py $(SETTINGS)

clean:
	rm -rf $(VENV) .everywhere docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "multilayer needs Python 3.11 or later; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing multilayer into $(VENV) …"
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing multilayer with its development tools into $(VENV) …"
	$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing multilayer with what builds its documentation into $(VENV) …"
	$(PIP) -e ".[docs]"
	@touch $@ $(VENV)/.installed
