# tracemill in an image: Prefect's server and a process worker, so that the two are never of different versions. Build it
# with any image that has Python >= 3.11 and its venv:
#   docker build -f deployments/worker.Dockerfile --build-arg BASE=python:3.12-slim -t tracemill .
ARG BASE=python:3.12-slim
FROM ${BASE}
WORKDIR /app
ENV PATH=/opt/tracemill/bin:$PATH
RUN python3 -m venv /opt/tracemill \
 && useradd --uid 1000 --create-home tracemill \
 && install -d -o tracemill /app/.tracemill /app/runs
COPY pyproject.toml requirements.lock requirements-work-pools.lock deployments/requirements-server.lock ./
# Of the image of a worker that starts jobs of Kubernetes: requirements-work-pools.lock.
ARG ALSO=
# What runs need, of the lock's versions: not what tests and checks of the code want beside it. No package's own tests are
# made into bytecode either: they are a quarter of what pip would compile, and nobody imports them. What is no Python of
# this version stays as it is, as with pip.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
      > /tmp/needed.txt \
 && python -m pip install --no-cache-dir --no-compile --constraint requirements.lock --requirement /tmp/needed.txt \
      --requirement requirements-server.lock ${ALSO:+--requirement "$ALSO"} \
 && (python -m compileall -qq -j 0 -x '/tests/' /opt/tracemill/lib || true)
COPY . .
# Nobody but root may change the code; compiled loops and downloads go where the user may write, and last.
RUN python -m compileall -q .
ENV TRACEMILL_HOME=/app PREFECT_HOME=/app/.tracemill/prefect HF_HOME=/app/.tracemill/huggingface \
    NUMBA_CACHE_DIR=/app/.tracemill/numba PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1 PYTHONUNBUFFERED=1
USER tracemill
# What `make worker` does: first, runs that died with this container are marked as such.
CMD ["sh", "-c", "python -m flows.crashed_runs; exec prefect worker start --pool tracemill --type process --limit ${WORKER_LIMIT:-1} --with-healthcheck"]
