# `make run` and `make test` need only Python 3.11 (or newer) and a package index; everything else they fetch.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
# Where it is set, every process of the gateway compiles all modules again at its start.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check -qq install
HOST_PYTHON := $(shell for name in python3.11 python3.12 python3.13 python3; do \
  if command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
  then command -v $$name; break; fi; done)
PYTEST_ARGS ?=
GENERATORS := tests/contract/openapi/generators

.PHONY: help run assets test browser openapi fuzz lint types bench tour provider reset clean lock install install-dev

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: install ## the whole gateway on http://localhost:5000, until Ctrl-C
	@exec $(PY) -m launcher run

assets: install-dev ## the scripts of pages that come from npm; `make run` does without when it cannot have them
	@exec $(PY) -m assets.build

test: install-dev ## all tests but the browser's and the generators', on real Postgres and Redis
	@$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder --ignore tests/browser --ignore $(GENERATORS) --ignore tests/timing $(PYTEST_ARGS)
	@exec $(PY) -m pytest tests/timing $(PYTEST_ARGS) # alone: other tests would spoil its figures

browser: install-dev assets ## tests of every page in a browser; needs Chromium, on Debian 'apt-get install chromium'
	@exec $(PY) -m pytest tests/browser $(PYTEST_ARGS)

openapi: install-dev ## lints /openapi.json and generates clients of it, in Python and TypeScript
	@exec $(PY) -m pytest $(GENERATORS) $(PYTEST_ARGS)

fuzz: install-dev ## many generated requests to every route of the Processing API; FUZZ_EXAMPLES=1000 for more of each
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-200} exec $(PY) -m pytest -n 2 tests/integration/processing/test_fuzz.py $(PYTEST_ARGS)

lint: install-dev ## ruff, formatting, the direction of imports
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports

types: install-dev ## mypy
	@exec $(VENV)/bin/mypy

bench: install ## requests per second compared with pgbench, on this machine
	@$(PY) -m bench $(BENCH_ARGS)
	@$(PY) -m bench.provider_payments $(BENCH_ARGS)
	@$(PY) -m bench.processing $(BENCH_ARGS)
	@exec $(PY) -m bench.webhooks $(BENCH_ARGS)

tour: install ## runs the documents' examples against the running demo
	@exec $(PY) -m tour

provider: install-dev ## NAME=acme: writes the skeleton of a new provider (docs/adding-a-provider.md)
	@exec $(PY) -m scaffold $(NAME)

reset: install ## restores the initial demo data
	@exec $(PY) -m launcher reset

clean: ## removes what the other commands made, but not the data in var/
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov var/cache app/web/built
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

lock: install-dev ## resolves requirements/*.in into the pinned files
	@$(PIP) uv
	@for name in run:requirements embedded:requirements-embedded dev:requirements-dev; do \
	  $(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate \
	    --custom-compile-command 'make lock' requirements/$${name%%:*}.in -o $${name##*:}.txt; \
	  echo "$${name##*:}.txt is resolved."; done

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(PY):
	@if [ -z "$(HOST_PYTHON)" ]; then \
	  echo "Python 3.11 or newer was not found: install it, for example with 'apt-get install python3.11-venv'." >&2; \
	  exit 1; fi
	@echo "Making the virtual environment with $(HOST_PYTHON)."
	@$(HOST_PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "The virtual environment could not be made: on Debian, 'apt-get install python3-venv' is needed." >&2; \
	  exit 1; }

$(VENV)/.installed: requirements.txt requirements-embedded.txt | $(PY)
	@echo "Installing the dependencies."
	@$(PIP) -r requirements.txt -r requirements-embedded.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing what the tests and checks need."
	@$(PIP) -r requirements-dev.txt
	@touch $@
