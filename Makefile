# make demo, make test: all that a fresh machine needs is Python 3.11+, git and make.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: demo test check constraints clean

# The demonstration: an embedded project in .demo/, trained, evaluated and promoted.
demo: $(STAMP)
	@test -f .demo/params.yaml || $(BIN)/sightline init .demo
	@cd .demo && ../$(BIN)/sightline run

# Those that take longest are left out; `make test MARKS=` runs them too, as CI does.
MARKS ?= -m "not slow"

test: $(STAMP)
	@$(BIN)/python -m pytest $(MARKS)

# What CI asks before it runs the tests: style, types, layers.
check: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

constraints: $(STAMP)
	@(echo "# Exact versions, as resolved together on Python 3.11 (make constraints rewrites them)."; \
	  $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu//') > constraints.txt

clean:
	rm -rf .venv .demo
