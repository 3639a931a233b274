# Two commands do everything on a machine with Python 3.11: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv)

# Labelled real items and their texts; neither is part of newsalert.
LABELS ?= ../shared/labels/dev.jsonl
NEWS ?= $(or $(NEWSALERT_NEWS),../shared/news)

.PHONY: help demo test check fuzz lock bench quality there clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: $(VENV)/.demo  ## embedded broker, worker, sample articles, alerts; Ctrl-C ends it
	$(BIN)/newsalert demo $(ARGS)

test: $(VENV)/.dev check  ## everything that CI runs; needs Java 17 and Maven for the Apache Kafka suite
	$(BIN)/pytest $(ARGS)

check: $(VENV)/.dev  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## timings, never part of the tests: make bench ARGS=latency; see tests/bench/README.md
	$(BIN)/python -m tests.bench $(ARGS)

quality: there $(VENV)/.dev  ## measure the shipped model on labelled real items: build/quality.html
	@mkdir -p build
	NEWSALERT_NEWS=$(NEWS) $(BIN)/newsalert evaluate $(LABELS) --model stream/champion --report build/quality.html $(ARGS)

there:
	@test -f $(LABELS) && test -d $(NEWS) || { echo "make quality needs labelled items in $(LABELS) and their texts in $(NEWS); they are not part of newsalert: name yours with make quality LABELS=FILE NEWS=FOLDER" >&2; exit 1; }

lock:  ## renew the locked versions (needs uv)
	uv pip compile -q --upgrade pyproject.toml --extra demo $(LOCK) -o deploy/requirements-demo.txt
	uv pip compile -q --upgrade pyproject.toml --extra dev $(LOCK) -o deploy/requirements-dev.txt

clean:  ## remove what the commands above made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info

LOCK := --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

$(VENV)/.demo: deploy/requirements-demo.txt pyproject.toml
	$(call install,demo)
	@touch $@

$(VENV)/.dev: deploy/requirements-dev.txt pyproject.toml
	$(call install,dev)
	@touch $@ $(VENV)/.demo

# The locked versions with their digests, then newsalert itself in place.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "newsalert needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=/path/to/python3.11")'
	$(if $(UV),test -x $(BIN)/python || uv venv -q --python $(PYTHON) $(VENV),test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV))
	$(if $(UV),VIRTUAL_ENV=$(VENV) uv pip install -q,$(BIN)/pip install -q --disable-pip-version-check) --require-hashes -r deploy/requirements-$(1).txt
	$(if $(UV),VIRTUAL_ENV=$(VENV) uv pip install -q,$(BIN)/pip install -q --disable-pip-version-check) --no-deps -e .
	@$(BIN)/python -c 'import stream.kernels'  # compiled now, so that the first worker need not
endef
