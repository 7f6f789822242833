# One word a job; `make help` lists them. A fresh machine needs only Python 3.11-3.13 and make.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_DIR ?= demo
FOLDERS := data features models policy training serving
export MLFLOW_DISABLE_TELEMETRY := true
# Where it is set, every process would compile all packages anew, which takes many seconds each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help:  ## list these commands
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | awk -F ':.*  ## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	@echo "==> setting up $(VENV) with $$($(PYTHON) --version) (about a minute, once)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	    || { echo "relimit needs Python 3.11 to 3.13; say which with: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: dev
dev: $(STAMP) links  ## set up .venv and the link tree that editors and mypy read

.PHONY: links
links:
	@mkdir -p build/typecheck/relimit
	@for folder in $(FOLDERS); do ln -sfn "$(CURDIR)/$$folder" "build/typecheck/relimit/$$folder"; done

.PHONY: demo
demo: $(STAMP)  ## simulate a book, train two models, promote the better, score a night, explain ten decisions
	@$(BIN)/python -m relimit.serving.demo --out $(DEMO_DIR)

.PHONY: test
test: $(STAMP)  ## run the tests
	@echo "==> running the tests"
	@OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: check
check: lint typecheck layers audit  ## lint, types, layers and known vulnerabilities

.PHONY: lint
lint: $(STAMP)  ## ruff's rules and format
	@echo "==> lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: typecheck
typecheck: $(STAMP) links  ## mypy --strict, on benchmarks too
	@echo "==> types"
	@$(BIN)/mypy --strict -p relimit
	@MYPYPATH=benchmarks $(BIN)/mypy --strict benchmarks

.PHONY: layers
layers: $(STAMP)  ## imports go one way
	@echo "==> layers"
	@$(BIN)/lint-imports

.PHONY: audit
audit: $(STAMP)  ## known vulnerabilities of what is installed, where their database can be reached
	@echo "==> audit"
	@$(BIN)/python .ci/audit.py

.PHONY: bench
bench: $(STAMP)  ## run every benchmark in benchmarks/ (minutes); those that missed are told last
	@missed=""; for file in benchmarks/[a-z]*.py; do \
	    echo "==> $$file"; $(BIN)/python "$$file" || missed="$$missed $$file"; \
	done; \
	if [ -n "$$missed" ]; then echo "==> MISSED a target, or failed:$$missed"; exit 1; fi

.PHONY: lock
lock: $(STAMP)  ## pin the newest versions that the floors in pyproject.toml allow
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	    --extra dev --output-file requirements.lock pyproject.toml

.PHONY: clean
clean:  ## remove the environment, build products and the demo
	rm -rf $(VENV) build dist $(DEMO_DIR) *.egg-info
