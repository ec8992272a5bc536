#!/usr/bin/env bash
# Adds Prefect's integrations to an environment that requirements.lock has made: integrations_env.sh DIR scale-out|work-pools
#
# Optional: Dask and Ray (scale-out) take 240 MB, for run.runner.kind: dask or ray, on every machine of the cluster; the
# workers for Docker and Kubernetes (work-pools) only where such a worker is started.
set -euo pipefail

env_dir=${1:?usage: integrations_env.sh DIR scale-out|work-pools}
name=${2:?usage: integrations_env.sh DIR scale-out|work-pools}
here=$(cd "$(dirname "$0")/.." && pwd)
lock=$here/requirements-$name.lock
marker=$env_dir/.ready-$name

[ "$marker" -nt "$lock" ] && [ "$marker" -nt "$here/requirements.lock" ] && exit 0
echo "Adding $name to $env_dir (once, a minute at most) …"
# Constrained: an integration takes the newest Prefect that it finds otherwise, or an older one.
"$env_dir/bin/python" "$here/deployments/install.py" "$env_dir/bin/python" "$env_dir/install.log" -- \
  --constraint "$here/requirements.lock" --requirement "$lock"
touch "$marker"
