# ptpstack. `make demo` and `make test` are all the set-up there is: each installs what it needs and says so.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
PYTEST_ARGS ?=
HIL_ARGS ?=
BENCH_ARGS ?=
FUZZ_COUNT ?= 10000000
CONFORMANCE_ARGS ?=

.PHONY: demo test hil hil-setup lint bench fuzz conformance compiled docs clean help

help:
	@echo "make demo         a hospital's time network in a box, about a minute"
	@echo "make test         all tests (installs linuxptp and tshark through apt when root and missing)"
	@echo "make hil          the tests that need PTP hardware, in an emulated guest (a part of make test)"
	@echo "make hil-setup    only fetch and build that guest (once: 1 GB in ~/.cache/ptpstack/hil)"
	@echo "make lint         ruff, mypy --strict, import layers"
	@echo "make bench        cost and timing beside ptp4l, in one run (about five minutes; BENCH_ARGS=--quick)"
	@echo "make fuzz         $(FUZZ_COUNT) mutated and random frames through the codec (FUZZ_COUNT=...)"
	@echo "make conformance  run every test of a conformance row, and list what passes, what is open and why"
	@echo "make compiled     a wheel whose arithmetic is machine code, tested against the code as it stands (needs a C compiler)"
	@echo "make docs         regenerate the documents that are made from code"
	@echo "make clean        remove what the others made"

demo: $(RUN_STAMP)
	$(BIN)/ptpstack lab run hospital --live

test: $(DEV_STAMP)
	@tools/system-packages test
	$(BIN)/python -m pytest -n 2 -m "not namespaces and not interop and not hardware" $(PYTEST_ARGS)
	folder=$$(mktemp -d) && $(BIN)/python -m pytest -n 3 --dist loadfile --basetemp $$folder/t \
	    -m "(namespaces or interop) and not hardware" $(PYTEST_ARGS) && rm -rf $$folder
	@tools/system-packages hil
	tools/hil/tests $(BIN)/python

hil: $(DEV_STAMP)
	@tools/system-packages hil
	tools/hil/tests $(BIN)/python $(HIL_ARGS)

hil-setup:
	@tools/system-packages hil
	tools/hil/setup

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV_STAMP)
	@tools/system-packages test
	$(BIN)/python -m tools.bench $(BENCH_ARGS)

fuzz: $(DEV_STAMP)
	$(BIN)/python tools/fuzz_wire.py --count $(FUZZ_COUNT)

conformance: $(DEV_STAMP)
	@tools/system-packages test
	$(BIN)/python tools/conformance_run.py $(CONFORMANCE_ARGS)

# from a copy: the compiler leaves what it makes beside the modules, where it would hide every change of theirs
COMPILED := PYTHONPATH=build/compiled:. $(BIN)/python -P
compiled: $(DEV_STAMP)
	rm -rf build && mkdir -p build/source
	cp -r pyproject.toml README.md LICENSE ptpstack profiles packaging build/source
	HATCH_BUILD_HOOKS_ENABLE=1 $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel build/source
	$(BIN)/python -m pip install --quiet --no-deps --target build/compiled build/wheel/*.whl
	diff <($(BIN)/python -m tools.run_digest) <($(COMPILED) -m tools.run_digest)
	$(COMPILED) -m pytest --import-mode=append -n 2 tests/clocks tests/servo tests/sim tests/timebase tests/wire $(PYTEST_ARGS)
	mkdir -p dist && mv build/wheel/*.whl dist

docs: $(DEV_STAMP)
	$(BIN)/python tools/conformance_report.py
	$(BIN)/python -m ptpstack.config.reference > docs/configuration.md.new
	mv docs/configuration.md.new docs/configuration.md
	$(BIN)/python tools/generate_docs.py

$(BIN)/python:
	@tools/system-packages venv "$(PYTHON)"
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing ptpstack into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing ptpstack with its test and lint tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	@touch $@ $(RUN_STAMP)

clean:
	rm -rf $(VENV) dist build out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
