# `make help` lists the targets. Options go through ARGS: make run ARGS="--help"

PYTHON ?=
ARGS ?=
# Processes that run tests at the same time; each may take 2 GB. Files go out in order, the longest
# folders first, so that both end together.
WORKERS ?= 2

# What would make the project's own Python import something else than `.venv` and this checkout.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONSTARTUP

# Runs bootstrap.py with the first Python that can run the stack.
define bootstrap
	@if [ -n "$(PYTHON)" ]; then exec "$(PYTHON)" bootstrap.py $(1); fi; \
	for python in .venv/bin/python python3.11 python3.12 python3.13 python3 python; do \
		"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
			2>/dev/null && exec "$$python" bootstrap.py $(1); \
	done; \
	echo "No Python 3.11, 3.12 or 3.13 found. Install Python 3.11, or name one:" \
		"make PYTHON=/path/to/python3.11 <target>" >&2; \
	exit 1
endef

.DEFAULT_GOAL := help
.PHONY: help setup run test test-cluster check bench lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup:  ## make .venv from requirements.lock; does nothing when it is up to date
	$(call bootstrap)

run: setup  ## run the pipeline on the taxi data; options in ARGS
	@.venv/bin/python -m pipeline.run_local $(ARGS)

test: setup  ## run the tests; options in ARGS
	@.venv/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-cluster: setup  ## run the tests on Flink and Spark; brings both, 1.5 GB, the first time
	@.venv/bin/python -m tests.cluster.install
	@.venv/bin/python -m pytest -m cluster tests/cluster $(ARGS)

check: setup  ## check format, lint, types and layers
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m ruff check .
	.venv/bin/python -m mypy
	.venv/bin/lint-imports --no-logo

bench: setup  ## measure against the stock TFX template, and at scale; options in ARGS
	@.venv/bin/python -m benchmarks $(ARGS)

lock:  ## bring requirements.lock to pyproject.toml; ARGS=--upgrade for the newest versions
	$(call bootstrap,lock $(ARGS))

clean:  ## remove .venv, caches and build output; keeps what runs wrote
	rm -rf .venv .venv.lock build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
