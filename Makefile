# The commands of this project. `make help` lists them.
export ESPER_TORCH
PRESET ?= release
BUILD := build/$(PRESET)
PYTHON := .venv/bin/python
JOBS ?= $(shell nproc)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: run test build bench lint coverage fuzz soak gate kill-sweep compat docs clean help setup configure esper sham

help:
	@echo 'make run                  train and grow a small character GPT (ARGS="key=value …")'
	@echo 'make test                 run every test; the last line counts them'
	@echo 'make build                build everything (PRESET=release, debug, tsan, …)'
	@echo 'make bench [NAME=…]       run the benchmarks into build/bench/'
	@echo 'make lint [ALL=1]         format, room order, clang-tidy (changed files, or all)'
	@echo 'make coverage             line coverage of the rooms that need no libtorch'
	@echo 'make fuzz [SECONDS=60]    run every fuzz target for that long'
	@echo 'make soak                 run the soak test (ARGS="…" goes to esper soak)'
	@echo 'make sham                 offer seeds that cannot help to 20 short runs; count those kept'
	@echo 'make kill-sweep           kill -9 runs at random moments (ARGS="--kills 100"), compare to the bit'
	@echo 'make gate [NAME=…]        compare benchmarks with the merge base'
	@echo 'make compat               check models of torchvision, timm, transformers (ARGS=--ci: a sample)'
	@echo 'make docs                 check the documentation'
	@echo 'make clean                remove build/'

setup:
	@scripts/setup.sh

# CMake keeps the libtorch it was first given; naming it anew lets ESPER_TORCH change.
configure: setup
	@cmake --preset $(PRESET) $(if $(ESPER_TORCH),-DESPER_TORCH='$(ESPER_TORCH)',-UESPER_TORCH) >/dev/null

esper: configure
	@ninja -C $(BUILD) -j $(JOBS) esper

build: configure
	@ninja -C $(BUILD) -j $(JOBS)

run: esper
	@$(BUILD)/bin/esper train $(ARGS)

test: configure
	@ninja -C $(BUILD) -j $(JOBS) all_tests
	@$(PYTHON) scripts/run_tests.py $(BUILD)

bench: configure
	@$(PYTHON) scripts/bench.py --build $(BUILD) $(NAME)

lint: configure
	@$(PYTHON) scripts/lint.py --build $(BUILD) $(if $(ALL),--all)

coverage: setup
	@$(PYTHON) scripts/coverage.py
	@$(PYTHON) scripts/check_error_values.py

fuzz: setup
	@$(PYTHON) scripts/fuzz.py --seconds $(or $(SECONDS),60) $(NAME)

soak: esper
	@$(BUILD)/bin/esper soak $(ARGS)

sham: esper
	@$(PYTHON) scripts/sham_sweep.py --binary $(BUILD)/bin/esper $(ARGS)

kill-sweep: esper
	@nice -n 10 $(PYTHON) scripts/kill_sweep.py --binary $(BUILD)/bin/esper $(ARGS)

gate: setup
	@$(PYTHON) scripts/gate.py $(NAME)

compat: configure
	@ninja -C $(BUILD) -j $(JOBS) esper_python
	@$(PYTHON) scripts/compat.py $(ARGS)

docs: setup
	@$(PYTHON) scripts/check_docs.py

clean:
	rm -rf build
