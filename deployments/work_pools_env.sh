#!/usr/bin/env bash
# Adds Prefect's workers for Docker and Kubernetes to an environment that requirements.lock has made: work_pools_env.sh DIR
#
# Optional: only who starts such a worker needs them; the runs that it starts have their own image.
set -euo pipefail

env_dir=${1:?usage: work_pools_env.sh DIR}
here=$(cd "$(dirname "$0")/.." && pwd)
marker=$env_dir/.ready-work-pools

[ "$marker" -nt "$here/requirements-work-pools.lock" ] && [ "$marker" -nt "$here/requirements.lock" ] && exit 0
echo "Adding workers for Docker and Kubernetes to $env_dir (once, seconds) …"
# Constrained: an integration takes the newest Prefect that it finds otherwise, or an older one.
"$env_dir/bin/python" "$here/deployments/install.py" "$env_dir/bin/python" "$env_dir/install.log" -- \
  --constraint "$here/requirements.lock" --requirement "$here/requirements-work-pools.lock"
touch "$marker"
