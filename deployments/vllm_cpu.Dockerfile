# vLLM on the CPU, with the demo teacher: for trying the whole thing where there is no GPU. Build it with any image that
# has Python >= 3.11 and its venv:
#   docker build -f deployments/vllm_cpu.Dockerfile --build-arg BASE=python:3.12-slim -t tracemill-vllm-cpu .
ARG BASE=python:3.12-slim
FROM ${BASE}
WORKDIR /app
RUN useradd --uid 1000 --create-home tracemill
COPY deployments/vllm_cpu_env.sh deployments/install.py deployments/
RUN bash deployments/vllm_cpu_env.sh /opt/vllm && rm -rf /root/.cache
# What its compiled part links to.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends libnuma1 libgomp1 \
 && rm -rf /var/lib/apt/lists/*
COPY demo/teacher/model /models/demo-teacher
ENV PATH=/opt/vllm/bin:$PATH HF_HOME=/home/tracemill/models VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
USER tracemill
RUN mkdir -p "$HF_HOME"
# The module, not the `vllm` script: the script needs a CUDA build.
ENTRYPOINT ["python", "-m", "vllm.entrypoints.openai.api_server", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--model", "/models/demo-teacher", "--served-model-name", "demo-teacher", "--max-model-len", "2048", "--enforce-eager"]
