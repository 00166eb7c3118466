# mtorscore: `make demo` and `make test` need Python >= 3.11 and nothing else.

VENV   ?= .venv
BIN    := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
CORES  ?= 2
LOCK   ?= requirements.lock
DATA   ?= ../shared/data

.DEFAULT_GOAL := help
.PHONY: help setup demo liver test slow lowest newest image lint format docs bench lock clean

help: ## Show the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/.ready: $(LOCK) pyproject.toml
	@test -n "$(PYTHON)" || { echo "mtorscore needs Python 3.11, 3.12 or 3.13 on the PATH (or make PYTHON=/path/to/python)."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@# A folder named mtorscore in the working directory (a clone, say) must not hide the package.
	@echo "$(CURDIR)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/mtorscore-checkout.pth"
	@touch $@

setup: $(VENV)/.ready ## Make the environment from the lock file

demo: setup ## Run the main job on a simulated cohort and print the report's path
	$(BIN)/mtorscore demo --results results --cores $(CORES)

liver: setup ## Run three real liver cohorts from DATA
	$(BIN)/mtorscore run --config workflows/config/liver.yaml --data $(DATA) --results results --cores $(CORES)

test: setup ## Run the tests
	$(BIN)/python -m pytest -q -n $(CORES) -m "not slow"

slow: setup ## Run the slow tests
	$(BIN)/python -m pytest -q -n $(CORES) -m slow

lowest: ## Test the sdist with the oldest libraries that are declared
	$(PYTHON) tools/test_installed.py .venv-lowest --constraint requirements-lowest.txt -- -n $(CORES)

newest: ## Test the sdist with the newest libraries there are; lifelines, among the peers, does not know pandas 3 yet
	$(PYTHON) tools/test_installed.py .venv-newest --without peers -- -n $(CORES)

image: ## Run the steps of packaging/Dockerfile without a container engine
	rm -rf .cache/image
	$(PYTHON) tools/image_steps.py .cache/image

lint: setup ## Check style, types and workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check --compact-diff snakefile workflows
	$(BIN)/mypy
	$(BIN)/snakemake --lint --configfile workflows/config/demo.yaml

format: setup ## Format code and workflow
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt snakefile workflows

docs: setup ## Build the manual
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: setup ## Compare speed and memory with peers, small version
	$(BIN)/python -m benchmarks --small

lock: ## Make the lock files again (needs uv); lifelines, among the peers, does not know pandas 3 yet
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements.lock
	echo 'pandas>=3' | uv pip compile pyproject.toml --extra dev --extra docs --extra prognosis --extra scale --constraint - --universal --python-version 3.12 --generate-hashes --no-header --no-annotate --output-file requirements-pandas3.lock
	echo '# The lowest versions that pyproject.toml declares, and what was newest beside them; made by `make lock`.' > requirements-lowest.txt
	uv pip compile pyproject.toml --extra docs --extra peers --extra prognosis --extra remote --extra scale --resolution lowest-direct --python-version 3.11 --no-header --no-annotate >> requirements-lowest.txt
	$(BIN)/python tools/lock_for_running.py

clean: ## Remove what was built, not the results
	rm -rf $(VENV) build dist *.egg-info docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
