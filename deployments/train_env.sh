#!/usr/bin/env bash
# Makes an environment that trains students with TRL: train_env.sh DIR [cpu]
#
# An environment of its own, as vLLM's is: the comparison of students starts its Python as a process (recipes/compare-*.yaml).
# With `cpu` torch is the build without CUDA, which saves several GB.
set -euo pipefail

env_dir=${1:?usage: train_env.sh DIR [cpu]}
kind=${2:-cuda}
torch_version=2.13.0
trl_version=1.16.0
marker=$env_dir/.ready-trl-$trl_version-torch-$torch_version-$kind
# The public CPU index of PyTorch itself, for machines whose package index carries only the CUDA build.
torch_cpu_index=https://download.pytorch.org/whl/cpu

[ -e "$marker" ] && exit 0
echo "Setting up TRL in $env_dir (once, a few minutes) …"
"${PYTHON:-python3}" -m venv --clear "$env_dir"
pip=("$env_dir/bin/python" -m pip --disable-pip-version-check --quiet)

if [ "$kind" = cpu ]; then
  "${pip[@]}" install "torch==$torch_version+cpu" 2>/dev/null ||
    "${pip[@]}" install "torch==$torch_version" --index-url "$torch_cpu_index"
else
  "${pip[@]}" install "torch==$torch_version"
fi
# Seen to work together: transformers 5.19.0, accelerate 1.15.0, datasets 5.2.0.
"${pip[@]}" install "trl==$trl_version" "transformers>=5.19,<6" "accelerate>=1.15" "datasets>=5.2"
touch "$marker"
