# Each target sets up what it needs, from nothing but Python, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: study test check format docs bench clean

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

# The documentation, into build/docs; a warning is an error.
docs: $(VENV)/installed-docs
	$(BIN)/sphinx-build -q -E -W --keep-going -c docs . build/docs
	@echo "open build/docs/index.html"

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	touch $@

# Beside the peers and at scale, on this machine: tables in benchmarks/results. Leave the machine alone meanwhile.
bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.comparison
	$(BIN)/python -m benchmarks.search

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	touch $@

clean:
	rm -rf $(VENV) build .hypothesis .mypy_cache .pytest_cache .ruff_cache
