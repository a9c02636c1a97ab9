# Everything a person or a machine does with the project. `make help` lists it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Processes that run the tests, and the proofs. Each needs up to 1 GB. Three on two cores took as long as two.
WORKERS ?= 2
PROVERS ?= 2
export DO_NOT_TRACK := 1
# A run imports 2,600 modules: four seconds at every start where compiled ones are not kept.
unexport PYTHONDONTWRITEBYTECODE
-include .env
export

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test check check-types check-text check-layers check-definitions proofs torture bench bench-setup bench-ingest bench-identity bench-kpis bench-churn bench-churn-truth bench-contract-truth bench-sentiment bench-gates bench-build lock clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: $(STAMP) ## install the locked dependencies into .venv

$(STAMP): requirements.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))" || { echo "Python 3.11 is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing locked dependencies …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## write the demo company into var/demo and run two days of it
	@$(BIN)/kizuna demo

dev: $(STAMP) ## the Dagster UI on http://127.0.0.1:3000 (KIZUNA_HOME, else ./var, else the demo)
	@$(BIN)/kizuna dev

test: $(STAMP) ## the tests
	@$(BIN)/python -m pytest -n $(WORKERS)

check: check-types check-text check-layers check-definitions ## lint, format, types, layers, dbt parse, Dagster definitions

check-types: $(STAMP)
	$(BIN)/mypy

check-text: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-layers: $(STAMP)
	$(BIN)/lint-imports --no-cache

check-definitions: $(STAMP)
	$(BIN)/python -m orchestration.validate

proofs: $(STAMP) ## the seeded reliability proofs that CI runs (docs/reliability.md)
	@$(BIN)/python -m pytest -m "proof and not alone" tests/proofs -p no:cacheprovider -n $(PROVERS)
	@$(BIN)/python -m pytest -m "proof and alone" tests/proofs -p no:cacheprovider

torture: $(STAMP) ## the proofs for longer, adding up: ROWS="R5 R12" MINUTES=30
	@$(BIN)/python tests/proofs/torture.py --rows "$(ROWS)" --minutes $(or $(MINUTES),10)

bench: $(STAMP) ## benchmarks: where the time of a run goes (docs/benchmarks.md)
	@$(BIN)/python bench/startup.py

bench-ingest: $(STAMP) ## ingestion against the engine alone, on MB megabytes of CSV and of NDJSON
	@$(BIN)/python bench/ingest.py $(or $(MB),200) $(or $(ROUNDS),5)

bench-setup: $(STAMP) ## install what bench-ingest compares with, into .venv-bench
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@$(BIN)/uv pip install --quiet --python .venv-bench/bin/python --require-hashes -r requirements-bench.lock

bench-identity: $(STAMP) ## the identity engine at MILLION million identifiers, and how its time grows
	@$(BIN)/python bench/identity.py $(or $(MILLION),10)

bench-kpis: $(STAMP) ## the KPI marts beside a hand-written script, and the fits of lifetime value, at CUSTOMERS customers
	@$(BIN)/python bench/kpis.py $(or $(CUSTOMERS),1000000)

bench-churn: $(STAMP) ## churn scores of CUSTOMERS customers, from facts to drivers
	@$(BIN)/python bench/churn.py $(or $(CUSTOMERS),1000000)

bench-churn-truth: $(STAMP) ## churn scores against the probabilities of the demo's generator, PEOPLE people, 5 seeds
	@$(BIN)/python bench/churn_truth.py $(or $(PEOPLE),20000)

bench-contract-truth: $(STAMP) ## contract scores against the probabilities of the demo's generator, PEOPLE people, 5 seeds
	@$(BIN)/python bench/contract_truth.py $(or $(PEOPLE),20000)

bench-sentiment: $(STAMP) ## sentiment of texts against the scores of their writers (KIZUNA_TEST_DATA), and the time of TEXTS texts
	@$(BIN)/python bench/sentiment.py $(or $(TEXTS),100000)

bench-gates: $(STAMP) ## the gates' share of a build, and their memory, at CUSTOMERS customers
	@$(BIN)/python bench/gates.py $(or $(CUSTOMERS),1000000)

bench-build: $(STAMP) ## the gates' share of a whole build of PEOPLE people, ingest to published marts, and its memory
	@$(BIN)/python bench/whole_build.py $(or $(PEOPLE),1000000) $(or $(MEMORY),0)

bench-linkage: $(STAMP) ## probable links against people whose answers are known (KIZUNA_TEST_DATA)
	@$(BIN)/python bench/linkage.py

lock: ## resolve the dependencies again, without index addresses
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --extra dev --python-version 3.11 pyproject.toml -o requirements.lock
	echo "uv==0.13.9" | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 - -o requirements-uv.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 -c requirements.lock requirements-bench.in -o requirements-bench.lock

clean: ## remove caches (var/ stays: it is data)
	rm -rf .mypy_cache .ruff_cache .pytest_cache dbt_project/target dbt_project/logs build *.egg-info
