# Everything a contributor types. Needs only make and Python 3.11 or newer (with venv);
# `make test` uses Apache Kafka when java and mvn are there, else the embedded broker.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
STAMP := $(VENV)/.installed
PIP := -m pip install --quiet --disable-pip-version-check
INSTALL := $(BIN)/python $(PIP)
PEERS := .venv-bench
# Each process has a broker of its own; a third one works while the tests of the two others wait.
# One that hangs where no signal reaches it is ended, and the run with it: loadfile would begin the same test again.
SHARED_OUT := -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0
PATIENT := --timeout 7200 -o faulthandler_timeout=0
CHECKED := stream detectors tests $(wildcard bench)
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-faults lint format bench bench-quality lock lock-upgrade clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PYTHON=python3.12 make venv chooses the interpreter"

venv: $(STAMP) ## create .venv with the locked dependencies (again only when they change)

$(LOCKED): requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Streamgauge needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) -V 2>&1)." >&2; \
	  echo "Name a newer one: make $(or $(MAKECMDGOALS),venv) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(INSTALL) --require-hashes -r requirements/dev.lock
	@touch $@

$(STAMP): $(LOCKED) pyproject.toml
	$(INSTALL) --no-deps --no-build-isolation -e .
	@echo "compiling the detectors, once"
	@$(BIN)/python -c 'from detectors.warm_up import compile_followers; compile_followers()' & \
	  $(BIN)/python -c 'from detectors.warm_up import compile_cadence, compile_numeric; compile_numeric(); compile_cadence()'; wait
	@$(BIN)/python -c 'from stream.warm_up import compile_kernels; compile_kernels()'
	@touch $@

demo: $(STAMP) ## a simulated data platform, three incidents, three alerts
	$(BIN)/streamgauge demo

test: $(STAMP) ## all tests; the run prints which Kafka it used
	@tests/faults/install-tools
	$(BIN)/python -m pytest $(SHARED_OUT)

test-faults: $(STAMP) ## every fault, on Apache Kafka, as root for the network's; ROUNDS=60 kills, SEED=n repeats a run
	@tests/faults/install-tools
	STREAMGAUGE_SEEDS=$(or $(STREAMGAUGE_SEEDS),20000) $(BIN)/python -m pytest $(PATIENT) -n auto tests/simulator
	CI=true STREAMGAUGE_FUZZ=$(or $(STREAMGAUGE_FUZZ),1200000) \
	  $(BIN)/python -m pytest $(PATIENT) --all-faults -rP $(if $(ROUNDS),--rounds=$(ROUNDS)) $(if $(SEED),--seed=$(SEED)) \
	  tests/fuzz tests/faults tests/detectors/test_mixed_determinism.py

lint: $(STAMP) ## ruff, formatting, mypy --strict, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2 $(CHECKED)
	$(BIN)/lint-imports

format: $(STAMP) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(PEERS)/.locked: requirements/bench.lock | $(LOCKED)
	$(PYTHON) -m venv --clear $(PEERS)
	$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements/bench.lock
	@touch $@

bench: $(STAMP) $(PEERS)/.locked ## Streamgauge beside its peers, on Apache Kafka (BENCH=--quick: a short run)
	$(BIN)/python -m bench $(BENCH)

bench-quality: $(STAMP) ## how good detection is, into bench/QUALITY.md (BENCH=--quick: a short run)
	$(BIN)/python -m bench.quality $(BENCH)

lock: $(STAMP) ## resolve the dependencies of pyproject.toml into requirements/*.lock
	$(COMPILE) pyproject.toml --output-file requirements/runtime.lock
	$(COMPILE) pyproject.toml --extra dev --constraint requirements/runtime.lock --output-file requirements/dev.lock
	$(COMPILE) requirements/bench.in --output-file requirements/bench.lock
	$(COMPILE) --group pyproject.toml:build --constraint requirements/dev.lock --output-file requirements/build.lock

lock-upgrade: COMPILE += --upgrade
lock-upgrade: lock ## the same, to the newest versions allowed

clean: ## remove .venv, caches and builds
	rm -rf $(VENV) $(PEERS) bench/kafka-streams/target build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
