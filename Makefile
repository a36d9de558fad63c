# The commands of this project. `make help` lists them.
export ESPER_TORCH
# How far a build is: done of all, in percent, and the time it has taken.
export NINJA_STATUS ?= [%f/%t %p, %e s] $()
PRESET ?= release
BUILD := build/$(PRESET)
PYTHON := .venv/bin/python
BENCH := $(or $(ESPER_BENCH),build/bench)
export JOBS ?= $(shell nproc)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: run test build bench goals lint coverage leaks sanitize fuzz soak gate kill-sweep compat docs \
	clean help setup configure esper sham state-walk nightly gpu-check build-times check-api

help:
	@echo 'make run                  train and grow a small character GPT (ARGS="key=value …")'
	@echo 'make test [ROOMS="…"]     run every test, or those of some rooms; the last line counts them'
	@echo '                          (PRESET=asan, PRESET=tsan: rooms without libtorch, under sanitizers)'
	@echo 'make build                build everything (PRESET=release, debug, asan, tsan, …)'
	@echo 'make bench [NAME=…]       run the benchmarks into build/bench/ (ARGS="…" for the one named)'
	@echo 'make goals                what was measured beside every target; fails below a floor'
	@echo 'make lint [ALL=1]         format, room order, what nothing uses, clang-tidy (changed files, or all)'
	@echo 'make coverage [ROOMS="…"] sanitizers and line coverage; default: every room and the package'
	@echo 'make sanitize [ARGS=asan]  the compressed form of both sanitizers; CI runs that of asan'
	@echo 'make leaks                a training run and its resume under LeakSanitizer'
	@echo 'make fuzz [SECONDS=60]    run every fuzz target for that long'
	@echo 'make check-api            ask the library'"'"'s server all that its description allows, and more'
	@echo 'make soak [DURATION=10m]  memory, files and threads stay flat over a long time; with a'
	@echo '                          duration also over training, growing, stopping and resuming'
	@echo 'make sham                 offer seeds that cannot help to 20 short runs; count those kept'
	@echo 'make state-walk           a long random walk of the table of seed states beside a model of it'
	@echo 'make kill-sweep           kill -9 runs at random moments (ARGS="--kills 100"), compare to the bit'
	@echo 'make gate [NAME=…]        compare benchmarks with the merge base'
	@echo 'make compat               check models of torchvision, timm, transformers (ARGS=--ci: a sample)'
	@echo 'make gpu-check            build and test the GPU twins where there is a GPU (five minutes)'
	@echo 'make nightly              all of the above that is too long for CI, one after the other'
	@echo '                          (ARGS=--short: a small form of each, to try the command itself)'
	@echo 'make docs                 check the documentation'
	@echo 'make build-times          compile esper anew without a cache; says which source took how long'
	@echo 'make clean                remove build/'

setup:
	@scripts/setup.sh

# CMake keeps the libtorch it was first given; naming it anew lets ESPER_TORCH change.
TORCH_FOLDER = $(if $(ESPER_TORCH),-DESPER_TORCH='$(ESPER_TORCH)',-UESPER_TORCH)
# UNITY=ON compiles eight sources of a room at a time, from then on; UNITY=OFF each by itself again.
UNITY_FORM = $(if $(UNITY),-DCMAKE_UNITY_BUILD=$(UNITY) -DCMAKE_UNITY_BUILD_BATCH_SIZE=8)

configure: setup
	@[ -f $(BUILD)/build.ninja ] || echo 'build: configuring $(BUILD); then compiling, which takes minutes the first time: [done/all percent, time]'
	@cmake --preset $(PRESET) $(TORCH_FOLDER) $(UNITY_FORM) >/dev/null

esper: configure
	@ninja -C $(BUILD) -j $(JOBS) esper

build: configure
	@ninja -C $(BUILD) -j $(JOBS)

run: esper
	@$(BUILD)/bin/esper train $(ARGS)

# Alone, what rooms are named need not wait for the others to be built.
test: configure
	@ninja -C $(BUILD) -j $(JOBS) $(if $(ROOMS),$(addsuffix _tests,$(filter-out python,$(ROOMS))) $(if $(filter python,$(ROOMS)),all_tests),all_tests)
	@$(PYTHON) scripts/run_tests.py $(BUILD) $(ROOMS) --json $(BENCH)/tests_$(PRESET).json

bench: configure
	@$(PYTHON) scripts/bench.py --build $(BUILD) $(NAME) $(if $(ARGS),-- $(ARGS))

goals: setup
	@$(PYTHON) scripts/goals.py $(ARGS)

# clang-tidy wants each source's own command.
lint: setup
	@cmake --preset release -B build/lint $(TORCH_FOLDER) -DCMAKE_UNITY_BUILD=OFF >/dev/null
	@ninja -C build/lint esper_guard_program >/dev/null  # a header that clang-tidy reads
	@$(PYTHON) scripts/lint.py --build build/lint $(if $(ALL),--all)

coverage: setup
	@$(PYTHON) scripts/coverage.py $(ROOMS)

sanitize: setup
	@$(PYTHON) scripts/sanitize.py $(ARGS)

leaks: setup
	@$(PYTHON) scripts/leaks.py $(ARGS)

fuzz: setup
	@$(PYTHON) scripts/fuzz.py --seconds $(or $(SECONDS),60) $(NAME)

check-api: esper
	@$(PYTHON) scripts/check_api.py --binary $(BUILD)/bin/esper $(ARGS)

soak: esper
	@$(PYTHON) scripts/soak.py --binary $(BUILD)/bin/esper $(if $(DURATION),--duration $(DURATION)) -- $(ARGS)

sham: esper
	@$(PYTHON) scripts/sham_sweep.py --binary $(BUILD)/bin/esper --bench $(BENCH)/sham.json $(ARGS)

kill-sweep: esper
	@nice -n 10 $(PYTHON) scripts/kill_sweep.py --binary $(BUILD)/bin/esper --bench $(BENCH)/completion.json $(ARGS)

# A long random walk of the state table beside a plain model of it (STEPS of them).
state-walk: configure
	@ninja -C $(BUILD) -j $(JOBS) bench_state_layout
	@$(BUILD)/bin/bench_state_layout --walk $(or $(STEPS),1000000000) --json $(BENCH)/state_walk.json

gate: setup
	@$(PYTHON) scripts/gate.py $(NAME)

compat: configure
	@ninja -C $(BUILD) -j $(JOBS) esper_python
	@$(PYTHON) scripts/compat.py $(ARGS)

gpu-check:
	@$(or $(wildcard $(PYTHON)),python3) scripts/gpu_check.py $(ARGS)

nightly: setup
	@$(PYTHON) scripts/nightly.py $(ARGS)

docs: setup
	@$(PYTHON) scripts/check_docs.py

build-times: setup
	@$(PYTHON) scripts/build_times.py $(ARGS)

clean:
	rm -rf build
