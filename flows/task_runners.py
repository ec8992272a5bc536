"""Where tasks run: the run's own in threads of this process; those of shards as the recipe says."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar, cast

from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import ThreadPoolTaskRunner

from flows.clusters import Tasks, cluster
from tasks.worker_sight import Sight, look
from tracemill.errors import RunnerError, TracemillError
from tracemill.manifest import Manifest
from tracemill.recipe import Recipe, Run
from tracemill.recipe_audit import Audit
from tracemill.store import Store

Plan = TypeVar("Plan", bound=Recipe | Audit)

_OWN = 8  # few and short: snapshots of sources, clustering, tallies, the export


def local_runner() -> Tasks:
    """The runner of a flow's own tasks, wherever its shards run.

    They read the sources and write the run's directory, which are this machine's, and see all shards at once.
    """
    return _threads(_OWN)


def shard_tasks(run: Run) -> Tasks:
    """The runner of shard tasks.

    Raises:
        RunnerError: the recipe names a cluster whose integration is not installed, or that does not answer.
    """
    return cluster(run.runner).runner() if run.runner.is_cluster else _threads(run.workers)


def _threads(n: int) -> Tasks:
    return cast("Tasks", ThreadPoolTaskRunner(max_workers=n))


def everywhere(recipe: Plan) -> Plan:
    """The same recipe with places that mean the same in every directory: absolute paths, as URLs are."""
    run: Run = recipe.run
    places = {name: getattr(run, name) for name in ("store", "ledger", "ledger_cache")}
    absolute = run.model_copy(update={name: _absolute(place) for name, place in places.items() if place})
    return cast("Plan", recipe.model_copy(update={"run": absolute}))


def _absolute(place: str) -> str:
    return place if "://" in place else str(Path(place).absolute())


def check_cluster(
    run: Run,
    store: Store,
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
    variables: Iterable[str] = (),
) -> None:
    """Looks whether a cluster's workers can do the tasks of this run, before they get any.

    Args:
        run: says which cluster.
        store: that they must see.
        logger: told what they see.
        variables: of the environment, which hold secrets that their tasks use.

    Raises:
        RunnerError: the cluster is away, or a worker has other code, or sees another store or no Prefect server.
    """
    if not run.runner.is_cluster:
        return
    api_url = PREFECT_API_URL.value()
    if not api_url:
        raise RunnerError(
            "tasks on a cluster report to Prefect's server, and none is named",
            got="PREFECT_API_URL is not set: the server would be a temporary one of this process",
            expected="a server that every worker reaches",
            remedy="make ui on a machine that they reach, then PREFECT_API_URL=http://host:4200/api",
        )
    found = cluster(run.runner).sights(store.url, str(api_url), sorted(set(variables)))
    faults = unfit(found, look(store.url, str(api_url)))
    if faults:
        raise RunnerError(
            f"{len(faults)} of {len(found)} workers of the {run.runner.kind} cluster cannot do this run's tasks",
            got="\n    ".join(faults[:5]),
            expected="this checkout, the same versions, store and server, and the recipe's secrets on every machine",
            remedy="start the workers in this checkout with its .venv, restart them after an update; docs/scaling.md",
        )
    logger.info("%s: %s", run.runner.kind, _told(found.values()))


def unfit(found: Mapping[str, Sight | BaseException], own: Sight) -> list[str]:
    """What keeps workers from doing tasks as this process would: one line a worker that is unfit.

    Args:
        found: what each worker sees, or what broke when it looked.
        own: what this process sees.
    """
    faults = []
    for name, sight in found.items():
        if isinstance(sight, BaseException):
            faults.append(f"{name}: cannot look around: {type(sight).__name__}: {_last_line(sight)}")
        elif differences := _differences(sight, own):
            faults.append(f"{name}: {sight.worker}: " + "; ".join(differences))
    return faults


def _differences(sight: Sight, own: Sight) -> list[str]:
    compared = {
        "other versions": (sight.versions, own.versions),
        "other code of tracemill": (sight.code[:12], own.code[:12]),
        "another store": (sight.store, own.store),
    }
    found = [f"{what}: {theirs}, here {ours}" for what, (theirs, ours) in compared.items() if theirs != ours]
    found += [f"environment variable {name} is not set" for name in sight.unset]
    return found + ([f"no Prefect server: {sight.server}"] if sight.server else [])


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[-1]


def _told(sights: Iterable[Sight | BaseException]) -> str:
    workers = sorted(sight.worker for sight in sights if isinstance(sight, Sight))
    return (
        f"{len(workers)} worker(s) looked at, first {workers[0]}; "
        "max_in_flight, verify.workers and sandbox.containers hold for each worker process"
    )


def result_of(future: PrefectFuture[Manifest]) -> Manifest:
    """What a shard task has made.

    Raises:
        TracemillError: the task's own failure.
        RunnerError: the cluster lost the task, as when one worker after the other dies of it.
    """
    try:
        return future.result()
    except TracemillError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith(("distributed.", "ray.")):
            raise
        raise RunnerError(
            "the cluster lost a task",
            got=f"{type(error).__name__}: {_first_line(error)}",
            remedy="see the workers' logs (memory?); the next run does the task again, and finds what is finished",
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]
