# Two commands do everything on a machine that has Python 3.11 or newer with venv:
#   make drive   environment, install, and the main job: the twin-motor LEAF drives over CAN; report in out/drive
#   make test    environment, install with the test extras, all tests, and the line coverage of the kernels
# One needs a virtual CAN bus, or Debian's user-mode-linux, busybox-static, iproute2 and can-utils:
#   make test-vcan  the tests of the buses over SocketCAN
# One needs a browser, Debian's chromium:
#   make test-dashboard  the page, as somebody sees it who opens it
# One takes most of an hour:
#   make mutation   what the tests of the protecting laws miss (docs/mutation.md); one law: make mutation LAWS=torque_path
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help drive test test-vcan bench-tests controller-tests coverage test-dashboard mutation lint constraints clean

help:
	@sed -n 's/^#   //p' Makefile

drive: $(VENV)/installed-report
	$(BIN)/e4hil drive --out out/drive

# Two at a time, on two cores.
test: $(VENV)/installed-test
	$(MAKE) --no-print-directory --jobs=2 bench-tests controller-tests coverage

bench-tests: $(VENV)/installed-test
	$(BIN)/python -m pytest tests/bench

controller-tests: $(VENV)/installed-test
	$(BIN)/python -m pytest tests/firmware_model tests/hil

# Numba's compiled code is invisible to coverage; the same kernels run once more as plain Python, quietly.
coverage: $(VENV)/installed-test
	@mkdir -p out
	@NUMBA_DISABLE_JIT=1 $(BIN)/python -m coverage run -m pytest -q -p no:cacheprovider $(PLAIN_PYTHON_TESTS) > out/plain-python-tests.txt 2>&1 \
		|| (cat out/plain-python-tests.txt; false)
	$(BIN)/python -m coverage report

# The suite of the buses once more, over SocketCAN on a virtual bus: of this kernel, else of one that runs as a process. And a port
# of the hub as a CAN link, by Linux's own slcan driver.
test-vcan: $(VENV)/installed-test
	tests/vcan/run $(BIN)/python -m pytest -q --color=no -p no:cacheprovider -k "socketcan or can_utils or slcand or kernels_own" \
		tests/hil/test_buses.py tests/hil/test_can_utils.py tests/hil/virtual_can/test_slcand.py \
		tests/hil/diagnostics/test_responder_on_buses.py tests/hil/diagnostics/test_controller_on_buses.py \
		tests/hil/diagnostics/test_abuse_on_buses.py

test-dashboard: $(VENV)/installed-dashboard-test
	$(BIN)/python -m pytest -q tests/bench/dashboard

PLAIN_PYTHON_TESTS = tests/firmware_model tests/bench/plant tests/bench/nodes

LAWS ?= torque_path power_budget discharge_limiter torque_monitor
MUTATE = PATH="$(abspath $(BIN)):$$PATH" NUMBA_DISABLE_JIT=1 CI=1 PYTHONDONTWRITEBYTECODE=1

mutation: $(LAWS:%=out/mutation/%/report.txt)

# In a copy, so that a run that is stopped leaves the sources alone; started again, it goes on with the mutants that are left.
.SECONDARY: $(LAWS:%=out/mutation/%/begun)
.SECONDEXPANSION:
out/mutation/%/begun: firmware_model/%.py $$(wildcard tests/firmware_model/test_$$**.py) tests/mutation.toml $(VENV)/installed-mutation
	rm -rf $(@D) && mkdir -p $(@D)
	cp -pr firmware_model hil bench tests pyproject.toml firmware_model/$*.py $(@D)
	sed 's/LAW/$*/' tests/mutation.toml > $(@D)/mutation.toml
	cd $(@D) && $(MUTATE) python tests/mutate.py baseline mutation.toml
	cd $(@D) && $(MUTATE) cosmic-ray init mutation.toml session.sqlite && $(MUTATE) cr-filter-operators session.sqlite mutation.toml
	touch -r $(@D)/mutation.toml $@

out/mutation/%/report.txt: out/mutation/%/begun
	cp $(@D)/$*.py $(@D)/firmware_model
	cd $(@D) && $(MUTATE) python tests/mutate.py exec mutation.toml session.sqlite
	$(BIN)/cr-report --surviving-only --show-diff $(@D)/session.sqlite > $@
	tail -n 3 $@

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-%: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[$*]'
	@touch $@

# After a change of dependencies: what is installed now becomes what everybody installs.
constraints:
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean:
	rm -rf $(VENV) out build dist
