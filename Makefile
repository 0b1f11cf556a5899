# Two commands do all the set-up: `make demo` labels the sample pictures with shipped
# models, `make test` runs the tests. They need Python 3.11 or newer and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test faults check lint format clean

demo: $(VENV)/.serving
	$(BIN)/fmnist classify data/samples --format text

test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# Faulty pictures, archives and models: a table of outcomes and what they cost.
faults: $(VENV)/.dev
	$(BIN)/python -m pytest -q -s --table tests/faults

check: lint test

# Style, types (as on Windows too, and with the newest Python), and the import contracts of
# pyproject.toml.
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --python-version 3.14 --no-warn-unreachable
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fmnist needs Python 3.11 or newer; run: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "this Python cannot make environments; on Debian: apt install python3-venv" >&2; exit 1; }

# The serving package alone: no torch, no scikit-learn.
$(VENV)/.serving: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@$(BIN)/python -m compileall -q fmnist_cli # where writing bytecode is switched off, too
	@touch $@

# Everything: training, tests and linters (several GB, mostly PyTorch).
$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@$(BIN)/python -m compileall -q fmnist_cli
	@touch $@ $(VENV)/.serving
