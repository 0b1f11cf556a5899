# Two commands do all the set-up: `make demo` labels the sample pictures with shipped
# models, `make test` runs the tests. They need Python 3.11 or newer and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test faults check lint format docs release clean

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

# The documentation as a site in build/site; a link that leads nowhere is an error.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Into dist/: a wheel, what it needs at run time (a bill of materials, licences), and what is
# known against that. The wheel is built twice, here and from a copy of what is committed.
release: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)
release: $(VENV)/.release
	rm -rf dist build/again build/serving && mkdir -p build/again
	$(BIN)/hatchling build -t wheel
	git archive HEAD | tar -x -C build/again
	cd build/again && $(CURDIR)/$(BIN)/hatchling build -t wheel
	cmp dist/*.whl build/again/dist/*.whl || \
	  { echo 'the two wheels differ: is everything committed?' >&2; exit 1; }
	$(BIN)/python -m venv --without-pip build/serving
	$(BIN)/python -m pip --python build/serving/bin/python install --quiet \
	  --disable-pip-version-check --constraint constraints.txt dist/*.whl
	sed "s/^dynamic = .*/version = \"$$($(BIN)/hatchling version)\"/" pyproject.toml \
	  > build/again/pyproject.toml # the bill wants the version there
	$(BIN)/cyclonedx-py environment --pyproject build/again/pyproject.toml --output-reproducible \
	  --output-file dist/bom.cdx.json build/serving/bin/python
	$(BIN)/pip-licenses --python build/serving/bin/python --with-urls --format markdown \
	  --output-file dist/LICENCES.md
	(echo; cat THIRD_PARTY.md) >> dist/LICENCES.md
	cd dist && sha256sum * > ../build/SHA256SUMS && mv ../build/SHA256SUMS . && cat SHA256SUMS
	$(BIN)/python -m pip --python build/serving/bin/python freeze --exclude fmnist-cli \
	  > build/requirements.txt
	$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off \
	  --requirement build/requirements.txt --format markdown --output dist/AUDIT.md || \
	  { echo 'dist/ is whole, but not audited: pip-audit found something, or could not ask' >&2; \
	    exit 1; }

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

$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[docs]'
	@touch $@

$(VENV)/.release: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[release]'
	@touch $@
