# Orderly: `make` alone lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
SOURCES := connectors runtime tests
# Whole files of tests side by side: they wait for servers more than they compute.
WORKERS := --numprocesses 3 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test check static fix generate bench lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*?##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "Python cannot make a virtual environment here: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) ..." >&2
	@$(PIP) --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the tools for tests into $(VENV) ..." >&2
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@touch $@

demo: $(VENV)/.installed  ## watch requisitions become purchase orders (DEMO="--keep" leaves the console open)
	@$(BIN)/orderly demo $(DEMO)

test: $(VENV)/.installed-dev  ## run all tests that can run on this machine (TESTS="tests/model" for some)
	@$(BIN)/python -m pytest -q $(WORKERS) $(TESTS)

check: static test  ## format, lint, types, stale generated pages, cases, tests: what CI runs

static: $(VENV)/.installed-dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/python -m runtime.model.generate --check
	$(BIN)/orderly lint
	$(BIN)/orderly test

fix: $(VENV)/.installed-dev  ## format and mend what can be mended by machine
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

generate: $(VENV)/.installed-dev  ## write schemas, references and the page of the fault suite anew
	$(BIN)/python -m runtime.model.generate
	$(BIN)/python -m tests.faults.table

bench: $(VENV)/.installed-dev  ## measure; prints a table and JSON
	$(BIN)/python -m tests.benchmarks $(BENCH)

lock: $(VENV)/.installed-dev  ## resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --extra build --extra dev --output-file requirements-dev.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --extra build --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --extra build --extra postgresql --extra mariadb --extra broker --constraint requirements-dev.lock \
	  --output-file docker/requirements.lock pyproject.toml

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
