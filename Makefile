# Each target sets up what it needs, from nothing but Python, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: study test check format bench clean

# The whole exercise on the real MNIST: figures, results.csv and the conclusion in runs/exercise6.
study: $(VENV)/installed
	$(BIN)/mlplab run exercise6

test: check
	$(BIN)/python -m pytest -n 2

# Formatting, lint, types, floors.
check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/installed: pyproject.toml
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

# Puts formatting and import order right.
format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Beside the peers and at scale, on this machine: tables in benchmarks/results. Leave the machine alone meanwhile.
bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.accuracy

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	touch $@

clean:
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache
