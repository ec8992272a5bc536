"""Puts every flow on a running Prefect server: ``make deploy``, or ``python -m flows.deploy``.

The server is the one that PREFECT_API_URL names, or the one that ``make ui`` starts. The work pool (POOL: a name or a
file, ``flows/work_pools.py``), deployments, and the automation that finds crashed runs are made or brought up to date.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.crashed_runs import DEFAULT_API_URL, set_up_automation, usual_silence
from flows.engine.notifications import set_up_notifications
from flows.parameters import refuse_secrets
from flows.work_pools import USUAL, make_work_pool, read_pool
from tracemill.core import ServerError, TracemillError

ROOT = Path(__file__).parent.parent
DEPLOYMENTS = "deployments/prefect.yaml"
POOL_VARIABLE = "TRACEMILL_POOL"  # by which that file is told of the pool


def deploy(api_url: str, notify: str | None = None, pool: str = USUAL) -> None:
    """Make or updates the work pool, the automation that finds crashed runs, and all deployments.

    Args:
        api_url: of the server.
        notify: TYPE/NAME of the block by which people are called; "": nobody is any more; None: as it stands.
        pool: where runs are to happen, by name or file (``read_pool``).

    Raises:
        ServerError: no server answers, or it refuses them.
        RecipeError: a deployment's parameters hold a secret, or there is no such block or pool.
    """
    refuse_kept_secrets()
    wanted = read_pool(pool)
    with temporary_settings({PREFECT_API_URL: api_url}), get_client(sync_client=True) as client:
        require_server(client, api_url)
        if told := make_work_pool(client, wanted):
            print(told)
        set_up_automation(client, usual_silence())
        if notify is not None:
            occasions = set_up_notifications(client, notify)
            print(f"{notify or 'nobody'} is told when {', or '.join(occasions) or 'anything happens'}")
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", DEPLOYMENTS]
    settings = {"PREFECT_API_URL": api_url, POOL_VARIABLE: wanted.name}
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, check=False)  # noqa: S603
    if done.returncode != 0:
        raise ServerError(
            "prefect did not take every deployment",
            got=f"exit status {done.returncode}; its own words stand above",
            remedy=f"fix {DEPLOYMENTS} and run again",
        )


def refuse_kept_secrets(path: Path = ROOT / DEPLOYMENTS) -> None:
    """Refuse deployments whose parameters, or those of their schedules, hold a secret: the server would keep it.

    Raises:
        RecipeError: naming it by its key.
    """
    for deployment in yaml.safe_load(path.read_text(encoding="utf-8"))["deployments"]:
        for entry in (deployment, *(deployment.get("schedules") or ())):
            refuse_secrets(entry.get("parameters") or {})


def require_server(client: SyncPrefectClient, api_url: str) -> None:
    """Refuse an address where no Prefect server answers.

    Raises:
        ServerError: saying how to start one.
    """
    error = client.api_healthcheck()
    if error is not None:
        raise ServerError(
            f"no Prefect server answers at {api_url}",
            got=f"{type(error).__name__}: {error}",
            remedy="start one (make ui, or docker compose up), or set PREFECT_API_URL to the one that runs",
        ) from error


def main() -> int:
    """Run the command; returns the exit status."""
    api_url = PREFECT_API_URL.value() or DEFAULT_API_URL
    try:
        pool = os.environ.get("POOL") or USUAL
        deploy(api_url, os.environ.get("NOTIFY"), pool)
    except TracemillError as error:
        print(f"deploy failed: {error}", file=sys.stderr)
        return 1
    worker = "make worker" if pool == USUAL else f"make worker POOL={pool}"
    print(f"deployed on {api_url}. `{worker}` runs what is started or scheduled at {api_url.removesuffix('/api')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
