# One command per chore, the same on a laptop and in CI; each sets up what it needs in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DOCS_INSTALLED := $(VENV)/.docs-installed

# Waiting threads sleep instead of spinning: on a busy machine that is the difference between minutes and hours.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: help demo test lint format docs dist clean

help:
	@echo "make demo    what every class of the bundled network looks for, into ./demo"
	@echo "make test    all tests"
	@echo "make lint    ruff and mypy"
	@echo "make format  put the code into the house's shape"
	@echo "make docs    the site, from clean, into build/site"
	@echo "make dist    wheel and sdist into dist, tried in an empty environment"
	@echo "make clean   remove .venv, caches and builds"

# The stamp makes the second call quick; both files it depends on change what has to be installed.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
# their other requirements, a second OpenCV and a torchvision for CUDA, are not what the tests need of them
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt pymoten zennit
	touch $@

demo: $(INSTALLED)
	$(BIN)/kinetoscope demo

# With bytecode kept, whatever the machine says: dozens of processes import the same files.
test: $(INSTALLED)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Its own stamp: the site's tools are wanted by few, and leave the other chores quick.
$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	touch $@

docs: $(DOCS_INSTALLED)
	rm -rf build/tutorials build/site
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python docs/tutorials/run.py build/tutorials
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	$(BIN)/python docs/check_site.py build/site

dist: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	.ci/smoke dist/*.whl $(BIN)/python

clean:
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests examples docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
