# Each target installs what it needs. Requires Python, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: study test check format picture docs bench clean

# Run the whole exercise on MNIST; the results, figures and conclusion are in runs/exercise6.
study: $(VENV)/installed
	$(BIN)/mlplab run exercise6

# Run all checks and all tests.
test: check
	$(BIN)/python -m pytest -n 2

# Check formatting, lint, types and layers.
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

# Format the code and sort its imports.
format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Redraw the packages and their imports in docs/images. Requires Graphviz.
picture: $(VENV)/installed-dev
	$(BIN)/python docs/draw_architecture.py

# Build the documentation into build/docs; a warning is an error.
docs: $(VENV)/installed-docs
	$(BIN)/sphinx-build -q -E -W --keep-going -c docs . build/docs
	@echo "open build/docs/index.html"

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	touch $@

# Run the benchmarks; the tables are in benchmarks/results. Nothing else should run on the machine meanwhile.
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
