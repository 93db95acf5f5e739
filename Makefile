# Needs only make and a Python >= 3.11 that has venv; everything else goes into .venv/ of this folder.
# PYTHON=… names the interpreter, VENV=… another environment. All paths are relative: the folder's name may hold blanks.

VENV ?= .venv
PYTHON ?= python3.13 python3.12 python3.11 python3 python
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo test coverage bench lint format pictures docs wheel clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

demo: $(VENV)/.stamp ## simulate a trial, gate it, and write tables and figures to demo/
	@$(BIN)/il2cyto demo --out demo
	@echo "Results are in demo/: open demo/report.html; tables and figures lie beside it"

test: $(VENV)/.stamp-test ## run the quick tests; real data in ../shared is used if it is there
	@$(BIN)/python -m pytest -n auto --dist loadfile

coverage: $(VENV)/.stamp-test ## run the quick tests and say which lines they did not reach
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

bench: $(VENV)/.stamp ## gate simulated files, against FlowKit and against reading the bytes
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_engine.py

lint: $(VENV)/.stamp-lint $(VENV)/.stamp-test ## check style, docstrings, types, layers and dependencies
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/interrogate il2cyto
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/deptry .

format: $(VENV)/.stamp-lint ## rewrite the code as `make lint` wants it
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

pictures: $(VENV)/.stamp ## draw the picture of every shipped template
	@$(BIN)/python -c 'from il2cyto import io, pl; [pl.save_figure(pl.template_tree(io.read_template(name)), folder / "gates.svg") for name, folder in io.template_folders().items()]'

docs: $(VENV)/.stamp-docs ## run the code of the documentation and build its pages into docs/_build/html
	@$(BIN)/python docs/_generate.py
	@$(BIN)/python docs/_run.py
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

wheel: $(VENV)/.stamp-build ## build sdist and wheel into dist/ and check their description
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/python -m twine check --strict dist/*

clean: ## remove what the targets above made, environments included
	@rm -rf .venv .venvs dist build demo docs/_build .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The stamps make the second run quick. `pip install --group` needs pip 25.1. A name on the PATH may not run (pyenv's
# shims), and Debian's python3 may lack venv: each candidate is tried.
$(VENV)/.stamp: pyproject.toml
	@found=; for python in $(PYTHON); do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    found=$$python; break; \
	  fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "il2cyto needs Python >= 3.11 with venv; tried: $(PYTHON)." >&2; \
	  echo "Install one (Debian: python3 and python3-venv), or name it: make PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "Installing into $(VENV) with $$found: a minute or two, only the first time"; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@$(PIP) install -qq --upgrade 'pip>=25.1'
	@$(PIP) install -qq --editable .
	@touch $@

$(VENV)/.stamp-%: $(VENV)/.stamp
	@$(PIP) install -qq --group $*
	@touch $@
