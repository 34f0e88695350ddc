# Everything a developer does here. `make` alone lists the targets; CI calls the same ones.
# Variables: ARGS for run and bench, PYTEST_ARGS and WORKERS for test, PYTHON to name an interpreter.
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
WORKERS ?= 2
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup run test check format docs bench bench-peers lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; do \
	    printf '%-20s %s\n' "$$target" "$$text"; done

setup: ## create .venv with everything that run, test and check need
	@sh tools/setup.sh dev

run: ## start the gateway on http://127.0.0.1:8787 (ARGS="--port 9000" are passed on)
	@sh tools/setup.sh run
	@exec $(BIN)/lockgate up $(ARGS)

test: setup ## run every test (PYTEST_ARGS="-k stream" are passed on)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

check: setup ## format, lint, types, import rules, generated pages, links, addresses: under a minute
	@sh tools/check.sh

format: setup ## apply the format and the safe lint fixes
	@$(BIN)/ruff check --fix --quiet . && $(BIN)/ruff format .

docs: setup ## write the generated pages of docs/reference again
	@$(BIN)/python -m tools.docs

bench: setup ## measure the gateway against a mock upstream, in about six minutes
	@$(BIN)/python -m bench $(ARGS)

bench-peers: setup ## the same with other gateways beside it (installs them below .build/)
	@$(BIN)/python -m bench.peers
	@$(BIN)/python -m bench --peers $(ARGS)

lock: setup ## compile requirements/*.in into hash-pinned files
	@sh tools/lock.sh

clean: ## remove .venv, caches and build results; .lockgate/ (keys, records) stays
	@rm -rf .venv .build build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
