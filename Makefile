# Two commands do everything on a machine that has Python 3.11 or newer with venv:
#   make drive   environment, install, and the main job: the twin-motor LEAF drives over CAN; report in out/drive
#   make test    environment, install with the test extras, all tests, and the line coverage of the kernels
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help drive test coverage lint constraints clean

help:
	@sed -n 's/^#   //p' Makefile

drive: $(VENV)/installed-report
	$(BIN)/e4hil drive --out out/drive

test: $(VENV)/installed-test
	$(BIN)/python -m pytest
	$(MAKE) --no-print-directory coverage

# Numba's compiled code is invisible to coverage; the same kernels run once more as plain Python.
coverage: $(VENV)/installed-test
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m coverage run -m pytest -q -p no:cacheprovider tests/firmware_model tests/bench/plant tests/bench/nodes
	$(BIN)/python -m coverage report

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
