# A Prefect process worker with tracemill in it. Build with any image that has Python >= 3.11:
#   docker build -f deployments/worker.Dockerfile --build-arg BASE=python:3.12-slim -t tracemill-worker .
ARG BASE=python:3.12-slim
FROM ${BASE}
WORKDIR /app
COPY requirements.lock .
RUN python3 -m pip install --no-cache-dir --requirement requirements.lock
COPY . .
ENV TRACEMILL_HOME=/app PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1
CMD ["prefect", "worker", "start", "--pool", "tracemill", "--type", "process", "--limit", "1"]
