# Two commands: `make demo` shows Daybook at work on this checkout's own history, `make test` runs every check.
PYTHON ?= python3
BIN := .venv/bin

# Where it is set, each process of the tests would compile all of them again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test setup lint types clean

# Rebuilt only when what it is made from changes, so a second `make` installs nothing.
.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Daybook needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "This Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --config-settings editable_mode=compat --editable '.[dev]'
	@touch $@

setup: .venv/.ready

# Only words given on make's own command line count: LANGUAGE and NAME are often set in a shell for other reasons.
given = $(if $(filter command line,$(origin $(1))),$(2) '$($(1))')

demo: .venv/.ready
	@$(BIN)/daybook demo $(call given,REPO,--repo) $(call given,DAY,--day) $(call given,LAST,--last) \
	  $(call given,NAME,--name) $(call given,OUT,--out) $(call given,LANGUAGE,--language) $(if $(filter command line,$(origin KEEP)),--keep)

lint: .venv/.ready
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-cache

types: .venv/.ready
	$(BIN)/mypy

# The fast tests; with ALL=1, or in CI, all of them and the coverage floor. Those that kill and flood whole Daybooks come
# last, and run as they are: watching each of their lines would take half as long again and show nothing new.
ifneq ($(ALL)$(CI),)
test: lint types
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -m 'not kills' -n 3 --dist loadfile --no-loadscope-reorder --durations=15
	$(BIN)/python -m pytest -m kills -n 4 --dist load --maxschedchunk 1 --durations=15 $(shell grep -l mark.kills tests/test_*.py)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report
else
test: lint types
	$(BIN)/python -m pytest -m 'not slow and not browser' -n 2
endif

clean:
	rm -rf .venv .coverage* .pytest_cache .mypy_cache .ruff_cache build *.egg-info
