# make install, make demo, make test: all that a fresh machine needs is Python 3.11+, git and make.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: install demo test check audit constraints clean

# Sightline and all that it needs, in .venv.
install: $(STAMP)

# The demonstration: an embedded project in .demo/, trained, evaluated and promoted.
demo: $(STAMP)
	@test -f .demo/params.yaml || $(BIN)/sightline init .demo
	@cd .demo && ../$(BIN)/sightline run

# Those that take longest are left out; `make test MARKS=` runs them too.
MARKS ?= -m "not slow"

test: $(STAMP)
	@$(BIN)/python -m pytest $(MARKS)

# Passwords that tests play with.
PLAYED := ^(sesame|s%40same|hush-hush|only-for-one-test|long-and-random|password-of-admin|PASSWORD)$$

# Digests of the weights that ship.
DIGESTS := ^sightline/models/backbones/

# What CI asks before it runs the tests: style, types, layers, no password in any file.
check: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify --exclude-secrets '$(PLAYED)' --exclude-files '$(DIGESTS)'

# Known holes in the libraries of constraints.txt. Asks a service on the network; where it cannot, that is said.
audit: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	@$(BIN)/pip-audit --strict --progress-spinner off --no-deps --disable-pip --requirement constraints.txt \
	  >.venv/audit.log 2>&1 && cat .venv/audit.log || \
	  if grep -q "known vulnerabilit" .venv/audit.log; then cat .venv/audit.log; exit 1; \
	  else tail -n 1 .venv/audit.log; echo "not audited: the service was not reached, or does not know a library"; fi

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
