# `make` lists the targets. PYTHON=python3.12 chooses the interpreter of a new environment.
.DEFAULT_GOAL := help
.PHONY: help demo test check format bench compare constraints clean scale soak

export PYTHON

BIN := .venv/bin
ENVIRONMENT := pyproject.toml constraints.txt scripts/environment.sh

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.demo ## Run the retail pipeline on real data
	@$(BIN)/caudal run examples/retail/pipeline.py:retail
	@printf '\nWhat to type next:\n'
	@printf '  %s\n' \
		'.venv/bin/caudal flow-run ls            the runs on record' \
		'.venv/bin/caudal flow-run inspect ID    one run, task by task' \
		'.venv/bin/caudal flow-run logs ID       what it logged' \
		'make demo                               again: unchanged steps come from the cache' \
		'make test                               every check and test'

test: check ## Run every check and every test

check: .venv/.dev ## The same: format, lint, types, imports, dependencies, spelling, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry src
	$(BIN)/codespell
	$(BIN)/pytest

format: .venv/.dev ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: .venv/.demo ## Measure the overhead per task against a bare thread pool
	$(BIN)/python benchmarks/overhead.py

soak: .venv/.dev ## Run random programs against the model for an hour, or for SOAK seconds
	SOAK=$${SOAK:-3600} $(BIN)/pytest tests/property

scale: .venv/.dev ## Run a million task runs, and much of everything else
	SCALE=1 $(BIN)/pytest tests/acceptance/test_scale.py tests/acceptance/test_many_processes.py

compare: .venv/.demo ## Measure the price of a task against Ray, Dask, DBOS, Prefect and Dagster (installs them)
	$(BIN)/python benchmarks/compare.py

constraints: .venv/.dev ## Resolve constraints.txt anew
	scripts/constraints.sh

clean: ## Remove the environment, caches and builds
	rm -rf .venv build dist .coverage htmlcov .*_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Stamps: an environment that is there and newer than what describes it is not touched.
.venv/.demo: $(ENVIRONMENT)
	@scripts/environment.sh demo
	@touch $@

.venv/.dev: $(ENVIRONMENT)
	@scripts/environment.sh demo,dev
	@touch .venv/.demo $@
