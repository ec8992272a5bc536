#!/usr/bin/env bash
# Adds Prefect's integrations of Dask and Ray to an environment that requirements.lock has made: scale_out_env.sh DIR
#
# Optional, since Ray takes 240 MB; for run.runner.kind: dask or ray. Every machine of the cluster needs the same.
set -euo pipefail

env_dir=${1:?usage: scale_out_env.sh DIR}
here=$(cd "$(dirname "$0")/.." && pwd)
marker=$env_dir/.ready-scale-out

[ "$marker" -nt "$here/requirements-scale-out.lock" ] && [ "$marker" -nt "$here/requirements.lock" ] && exit 0
echo "Adding Dask and Ray to $env_dir (once, a minute) …"
# Constrained: an integration takes the newest Prefect that it finds otherwise, or an older one.
"$env_dir/bin/python" "$here/deployments/install.py" "$env_dir/bin/python" "$env_dir/install.log" -- \
  --constraint "$here/requirements.lock" --requirement "$here/requirements-scale-out.lock"
touch "$marker"
