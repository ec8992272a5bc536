#!/usr/bin/env bash
# Writes .env, the settings of docker-compose.yml: a new password, the group of this machine's engine; never over an old one.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -e .env ] && { echo ".env is there, and stays as it is"; exit 0; }
socket=${SANDBOX_SOCKET:-/var/run/docker.sock}
[ -S "$socket" ] || {
  echo "no Docker engine's socket at $socket: start one, or SANDBOX_SOCKET=/path/of/docker.sock make env" >&2
  exit 1
}
password=$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')
umask 077
sed -e "s|^POSTGRES_PASSWORD=.*|POSTGRES_PASSWORD=$password|" \
    -e "s|^SANDBOX_SOCKET_GID=.*|SANDBOX_SOCKET_GID=$(stat -L -c %g "$socket")|" \
    -e "${SANDBOX_SOCKET:+s|^#SANDBOX_SOCKET=.*|SANDBOX_SOCKET=$socket|}" deployments/compose.env.example > .env.new
mv .env.new .env
mkdir -p data
echo "wrote .env, for docker compose; keep it: the password is the database's"
