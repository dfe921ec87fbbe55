# What can be done with this checkout; `make help` lists it. Needs make and Python 3.11 or newer, nothing else.
# Everything is installed into .venv, in the versions of requirements.lock, and again only when those change.

VENV ?= .venv
ARGS ?=
# the first Python that is new enough
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$candidate; break; }; done)
FAST = not broker and not redis and not kafka and not slow and not vision
JARS = var/kafka

.DEFAULT_GOAL := help
.PHONY: help setup demo check test bench kafka generate lock clean

help: ## Show this list
	@echo "usage: make TARGET [ARGS='...']"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed-dev ## Install everything for development into .venv (not torch: pip install '.[vision]')

demo: $(VENV)/.installed ## Start broker, state, worker, customers and page on this machine; Ctrl-C ends all (ARGS='--headless ...')
	@$(VENV)/bin/trendloom demo $(ARGS)

check: $(VENV)/.installed-dev ## Lint, formatting, types, import directions and the fast tests: before every commit
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	@$(VENV)/bin/python -m trendloom.refresh.compile_ahead
	$(VENV)/bin/pytest -q -m "$(FAST)" $(ARGS)

test: $(VENV)/.installed-dev ## Every test that can run here, two files at a time: embedded engines, Redis and Apache Kafka where found
	@$(VENV)/bin/python -m trendloom.refresh.compile_ahead
	$(VENV)/bin/pytest --numprocesses 2 --dist loadfile $(ARGS)

bench: $(VENV)/.installed-dev kafka ## Run the benchmarks on Apache Kafka and Redis (ARGS='--quick', '--parts ...', '--help')
	$(VENV)/bin/python -m benchmarks.run $(ARGS)

kafka: ## Fetch Apache Kafka's jars with Maven into var/kafka, for the tests marked kafka
	@if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then \
		echo "make kafka: java and mvn (Maven) are needed; without them the tests on Apache Kafka are skipped."; \
	else $(MAKE) --no-print-directory $(JARS)/.fetched; fi

generate: $(VENV)/.installed-dev ## Write the generated files anew: config/default.toml, docs/settings.md, asyncapi.yaml
	$(VENV)/bin/trendloom settings --default-toml > config/default.toml
	$(VENV)/bin/trendloom settings --reference > docs/settings.md
	$(VENV)/bin/trendloom topics contract > asyncapi.yaml

lock: ## Compile the three lock files anew from pyproject.toml
	@[ -x var/lock/bin/uv ] || { $(PYTHON) -m venv var/lock && var/lock/bin/pip install -q uv; }
	var/lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --quiet --upgrade --extra dashboard --extra fast --extra dev -o requirements.lock
	var/lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --quiet --upgrade --extra dashboard --extra fast --extra dev --extra vision --extra ann \
		-c requirements.lock -o requirements-vision.lock
	grep -v '^pillow==' requirements-vision.lock > var/lock/all-but-pillow.txt # what finds garments wants an older one
	var/lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --quiet --upgrade --extra dashboard --extra fast --extra dev --extra vision --extra ann \
		--extra saliency -c var/lock/all-but-pillow.txt -o requirements-saliency.lock

clean: ## Remove .venv and everything that was built or cached (var/ stays: it holds what you made)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Trendloom needs Python 3.11 or newer, and none was found." \
		"Install it, or name it: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment." \
		"On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "Installing Trendloom into $(VENV) (once; about a minute) ..."
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dashboard,fast]'
	@echo "Compiling its kernels (once; some 15 seconds) ..."
	@$(VENV)/bin/python -m trendloom.refresh.compile_ahead
	@touch $@

$(VENV)/.installed-dev: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "Installing Trendloom and its development tools into $(VENV) (once) ..."
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dashboard,fast,dev]'
	@touch $(VENV)/.installed $@

$(JARS)/.fetched: launch/kafka-pom.xml
	@echo "Fetching Apache Kafka's jars into $(JARS) ..."
	@mkdir -p $(JARS)
	@mvn --quiet --batch-mode --file launch/kafka-pom.xml dependency:copy-dependencies \
		-DoutputDirectory="$(CURDIR)/$(JARS)" || { echo "make kafka: the jars could not be fetched;" \
		"the tests on Apache Kafka will be skipped." >&2; exit 1; }
	@touch $@
