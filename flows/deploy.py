"""Puts every flow on a running Prefect server: ``make deploy``, or ``python -m flows.deploy``.

The server is the one that PREFECT_API_URL names, or the one that ``make ui`` starts. The work pool is made if it is
missing; deployments that are there, and the automation that finds crashed runs, are brought up to date.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.crashed_runs import DEFAULT_API_URL, WORK_POOL, set_up_automation, usual_silence
from flows.engine.notifications import set_up_notifications
from flows.parameters import refuse_secrets
from tracemill.core import ServerError, TracemillError

ROOT = Path(__file__).parent.parent
DEPLOYMENTS = "deployments/prefect.yaml"


def deploy(api_url: str, notify: str | None = None) -> None:
    """Make or updates the work pool, the automation that finds crashed runs, and all deployments.

    Args:
        api_url: of the server.
        notify: TYPE/NAME of the block by which people are called; "": nobody is any more; None: as it stands.

    Raises:
        ServerError: no server answers, or it refuses them.
        RecipeError: a deployment's parameters hold a secret, or there is no such block.
    """
    refuse_kept_secrets()
    with temporary_settings({PREFECT_API_URL: api_url}), get_client(sync_client=True) as client:
        require_server(client, api_url)
        make_work_pool(client)
        set_up_automation(client, usual_silence())
        if notify is not None:
            occasions = set_up_notifications(client, notify)
            print(f"{notify or 'nobody'} is told when {', or '.join(occasions) or 'anything happens'}")
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", DEPLOYMENTS]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PREFECT_API_URL": api_url}, check=False)  # noqa: S603
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


def make_work_pool(client: SyncPrefectClient) -> None:
    """Make the work pool, whose workers run flows as processes, unless it is there."""
    try:
        client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"))
    except ObjectAlreadyExists:
        return
    print(f"made the work pool {WORK_POOL}")


def main() -> int:
    """Run the command; returns the exit status."""
    api_url = PREFECT_API_URL.value() or DEFAULT_API_URL
    try:
        deploy(api_url, os.environ.get("NOTIFY"))
    except TracemillError as error:
        print(f"deploy failed: {error}", file=sys.stderr)
        return 1
    print(f"deployed on {api_url}. `make worker` runs what is started or scheduled at {api_url.removesuffix('/api')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
