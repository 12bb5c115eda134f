# The course's commands. `make` alone lists them.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export MINIPDK_HOME ?= $(CURDIR)/.minipdk
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Another Python's packages and start-up files stay out of this environment's.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE
# Files are UTF-8 in every locale.
export PYTHONUTF8 := 1
# A notebook's `!` forks only to run a command; gRPC's own fork handlers break about one in ten of these.
export GRPC_ENABLE_FORK_SUPPORT := 0

# One worker more than cores, because many tests wait for a cluster's own pauses; each worker needs about 1 GiB of memory.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 8 ? n + 1 : 8)))

# The build of torch: `make setup TORCH=gpu` asks for the CUDA build, and its environment stays with it.
TORCH ?= $(if $(wildcard $(VENV)/.installed-gpu),gpu,cpu)
INSTALLED := $(VENV)/.installed-$(TORCH)

.DEFAULT_GOAL := help
.PHONY: help setup environment cluster course iris model-server lab labs test test-quick check format lock bench notebooks clean

help:  ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16
	@echo; echo "For maintainers:"
	@grep -hE '^[a-z-]+:.*##m ' $(MAKEFILE_LIST) | sed -E 's/:.*##m /\t/' | expand -t 16

course: setup  ## From a bare clone to a churn prediction: set up, then run notebooks 01-07
	@$(BIN)/python -m course.run

iris: setup  ## Set up, then run the solution of "Iris: a pipeline in eleven steps"
	@$(BIN)/python -m course.run iris-pipeline $(if $(START_OVER),--start-over)

model-server: setup  ## Set up, then run the solution of "A model server of your own"
	@$(BIN)/python -m course.run model-server $(if $(START_OVER),--start-over)

lab: setup  ## Set up, then open JupyterLab on the first notebook
	@$(BIN)/jupyter lab --ip=127.0.0.1 --ServerApp.root_dir="$(CURDIR)" $(if $(filter 0,$(shell id -u)),--allow-root) \
		notebooks/01_connect.ipynb

setup: cluster  ## Environment, sample data, images, cluster and profile; skips the parts that are up to date
	@echo "Generating the sample data ..."
	@$(BIN)/python sample-data/generate.py
	@$(BIN)/minipdk image pull
	@images="$$($(BIN)/python -m course.labs images)" && echo "$$images" | while read -r folder tag; do \
		echo "Building the image $$tag from $$folder ..."; \
		$(BIN)/minipdk image build "$$folder" -t "$$tag" </dev/null || exit 1; \
	done

cluster: environment
	@echo "Starting the cluster in $(MINIPDK_HOME) ..."
	@$(BIN)/minipdk start --course-git-url "$$($(BIN)/python -c 'from pathlib import Path; print(Path.cwd().as_uri())')" \
		--profile profiles/embedded.env

environment: $(INSTALLED)

$(INSTALLED): requirements/course.lock requirements/test.lock requirements/$(TORCH).lock requirements/overrides.txt \
		requirements/install.py pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not here: install Python 3.11 or run make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making the Python environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.installed-*
	@$(BIN)/python requirements/install.py --torch $(TORCH)
	@# Without this JupyterLab offers to fetch its news, in a pop-up over the first notebook.
	@$(BIN)/jupyter labextension disable "@jupyterlab/apputils-extension:announcements" >/dev/null 2>&1
	@touch $@

test: environment  ##m The whole test suite, notebooks included
	@$(BIN)/python sample-data/generate.py
	@$(BIN)/pytest --numprocesses=$(WORKERS) $(PYTEST_OPTIONS)

test-quick: environment  ##m The tests without notebooks, soaks and image builds, for work in progress
	@$(BIN)/python sample-data/generate.py
	@$(BIN)/pytest --numprocesses=$(WORKERS) -m "not slow" $(PYTEST_OPTIONS)

check: environment  ##m Format, lint, types, layering and plain English
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.repository.language

format: environment  ##m Format the code
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock: environment  ##m Write requirements/*.lock from requirements.txt and requirements/test.txt; `make lock UPGRADE=1` renews versions
	@$(BIN)/python requirements/lock.py $(if $(UPGRADE),--upgrade)

notebooks: setup  ##m Run the notebooks on an empty cluster and store their outputs in them, to be committed
	@$(BIN)/python -m course.run --store
	@$(BIN)/python -m course.run --store $$($(BIN)/python -m course.labs solutions)
	@$(MAKE) --no-print-directory labs

labs: environment  ##m Generate labs/ from solutions/, to be committed; OVERWRITE=1 replaces answers in it
	@$(if $(OVERWRITE),,$(BIN)/python -m course.labs unchanged)
	@$(BIN)/python -m course.model_server sklearn solutions/model-server/packages/sklearn --marked
	@$(BIN)/python -m course.labs $(if $(OVERWRITE),--overwrite)

bench: course  ##m Run the course, then measure; prints medians and ratios
	@for script in $(basename $(notdir $(wildcard tests/benchmarks/[a-z]*.py))); do \
		echo "== $$script"; OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.$$script || exit 1; \
	done

clean:  ## Undo the set-up: stop the cluster; remove it, the environment, the profile and generated files
	@if [ ! -e "$(MINIPDK_HOME)" ]; then :; \
	elif ! grep -qs '"cluster_id"' "$(MINIPDK_HOME)/cluster.json"; then \
		echo "$(MINIPDK_HOME) is not a cluster's folder: nothing was removed. Choose the cluster with MINIPDK_HOME"; exit 1; \
	elif [ -x $(BIN)/minipdk ]; then $(BIN)/minipdk delete --yes; \
	else rm -rf "$(MINIPDK_HOME)"; fi
	@rm -rf $(VENV) build profiles/embedded.env src/*.egg-info sample-data/data_part*.csv .*_cache .hypothesis
	@find src tests containers labs solutions sample-data -name __pycache__ -prune -exec rm -rf {} +
