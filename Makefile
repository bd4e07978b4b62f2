# Undertone from a clone. The first run of a target sets up what it needs in .venv; later ones find it there.
#
#   make up        install what serving needs, start everything, print the addresses and one live example
#   make down      end everything that `make up` started
#   make test      all tests
#   make test-fast those that start no Ray and no platform, side by side and with fewer generated examples
#   make test-slow the others
#   make lint      ruff, mypy and the other hooks of .pre-commit-config.yaml
#   make bench     load a platform of its own and print a table and one line of JSON
#   make bench-insight  ask a platform over many texts, quiet and while texts come in
#   make demo-live watch streams on the page of a platform of its own
#   make demo-rollout   watch a new version take over, and a degraded one that does not
#   make train-env add what training needs (torch, transformers)

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/.installed
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e

# A platform and its tests start many Python processes: each would compile every module again where bytecode isn't kept.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo-live up down status test test-fast test-slow soak lint bench bench-insight demo-rollout train-env dev-env chromium clean

up: $(STAMPS)/serve
	@$(BIN)/undertone up $(ARGS)

down:
	@if [ -x $(BIN)/undertone ]; then $(BIN)/undertone down $(ARGS); else echo "Nothing is installed, nothing runs."; fi

status: $(STAMPS)/serve
	@$(BIN)/undertone status $(ARGS)

test:
	@status=0; \
	$(MAKE) --no-print-directory test-fast ARGS="--hypothesis-profile=default $(ARGS)" || status=$$?; \
	$(MAKE) --no-print-directory test-slow || status=$$?; \
	exit $$status

test-fast: dev-env
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --hypothesis-profile=fast -m "not integration and not ui" $(ARGS)

test-slow: dev-env chromium
	$(BIN)/python -m pytest -m "(integration or ui) and not soak" $(ARGS)

soak: dev-env
	$(BIN)/python -m pytest -m soak $(ARGS)

lint: dev-env
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pre_commit run --all-files

bench: dev-env
	$(BIN)/python -m tests.benchmarks.platform $(ARGS)

bench-insight: dev-env
	$(BIN)/python -m tests.benchmarks.insight_api $(ARGS)

demo-live: dev-env
	$(BIN)/python -m tests.demo_live $(ARGS)

demo-rollout: dev-env
	$(BIN)/python -m tests.demo_rollout

train-env: $(STAMPS)/train

dev-env: $(STAMPS)/dev

# A browser for the tests of the page, from the distribution: Playwright drives it.
chromium:
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then exit 0; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-color-emoji >/dev/null; \
	else echo "Chromium is missing: the tests of the page are skipped. Install it with your system's package manager."; fi

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Undertone needs Python 3.11 or newer; $(PYTHON) is older. Name another: make up PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/serve: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing what serving needs into $(VENV) ..."
	@$(INSTALL) ".[serve,ui]"
	@mkdir -p $(@D) && touch $@

$(STAMPS)/train: $(STAMPS)/serve
	@echo "Installing what training needs into $(VENV) ..."
	@$(INSTALL) ".[serve,ui,train]"
	@touch $@

$(STAMPS)/dev: $(STAMPS)/train
	@echo "Installing what tests need into $(VENV) ..."
	@$(INSTALL) ".[serve,ui,train,dev]"
	@touch $@

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
