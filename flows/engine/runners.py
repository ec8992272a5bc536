"""Where tasks run: the run's own in threads of this process; those of shards as the recipe says.

Dask and Ray clusters that are there: how tasks get to them by Prefect's integrations, and what their workers see.

Both packages are optional (``make scale-out``), so they are imported where they are used. Nothing is started here that
outlives the run: a cluster is its owner's.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from tasks.engine.processes import Processes, shared_processes
from tasks.engine.worker_check import WorkerInfo, inspect_worker
from tracemill.core import RunnerError, TracemillError
from tracemill.core.machine import cores
from tracemill.recipe import Recipe
from tracemill.recipe.evaluation import Evaluation
from tracemill.recipe.recipe import Run
from tracemill.recipe.sections.audit import Audit
from tracemill.recipe.sections.run import Runner
from tracemill.recipe.sections.students import Comparison
from tracemill.store import Manifest, Store

Tasks = TaskRunner[PrefectFuture[Any]]

_CONNECT_S = 30  # a scheduler that is there answers at once
_WORKERS_S = 60  # for the first worker of a cluster that is still starting
_LOOK_S = 180  # a fresh process imports Prefect first: 5 to 20 s on a busy machine


class Cluster(Protocol):
    """A cluster by its address."""

    def runner(self) -> Tasks:
        """Prefect's task runner for it."""
        ...

    def inspect_workers(
        self, store_url: str, api_url: str, variables: Sequence[str] = ()
    ) -> Mapping[str, WorkerInfo | BaseException]:
        """Return what its workers see, or what broke when they looked, by a name of the worker (Dask) or machine (Ray).

        Args:
            store_url: of the run's store.
            api_url: of Prefect's server.
            variables: of the environment, which hold secrets of the recipe.

        Raises:
            RunnerError: the cluster does not answer, or has no workers.
        """
        ...


class DaskCluster:
    """A Dask cluster.

    Args:
        address: of its scheduler, as in ``tcp://host:8786``.

    Raises:
        RunnerError: prefect-dask is not installed.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        with _installed("prefect_dask"):
            import prefect_dask  # noqa: F401 - is it there?

    def runner(self) -> Tasks:
        """See :class:`Cluster`."""
        from prefect_dask import DaskTaskRunner

        return cast("Tasks", DaskTaskRunner(address=self._address))

    def inspect_workers(
        self, store_url: str, api_url: str, variables: Sequence[str] = ()
    ) -> Mapping[str, WorkerInfo | BaseException]:
        """See :class:`Cluster`."""
        from distributed import Client

        try:
            with Client(self._address, timeout=_CONNECT_S, set_as_default=False) as client:
                client.wait_for_workers(1, timeout=_WORKERS_S)
                found: dict[str, WorkerInfo | BaseException] = client.run(
                    inspect_worker, store_url, api_url, variables, on_error="return"
                )
                return found | {"scheduler": _scheduler_sees(client, store_url, api_url)}
        except (OSError, ValueError, TimeoutError) as error:
            raise _away("Dask", self._address, error) from error


class RayCluster:
    """A Ray cluster.

    Args:
        address: ``host:6379`` of its head, ``ray://host:10001`` from outside, or ``auto`` on one of its machines.

    Raises:
        RunnerError: prefect-ray is not installed.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        with _installed("prefect_ray"):
            import prefect_ray  # noqa: F401 - is it there?

    def runner(self) -> Tasks:
        """See :class:`Cluster`; it uses this process's connection, so that Ray's workers live as long as the run."""
        from prefect_ray import RayTaskRunner

        self._connect()
        return cast("Tasks", RayTaskRunner(address=self._address))

    def inspect_workers(
        self, store_url: str, api_url: str, variables: Sequence[str] = ()
    ) -> Mapping[str, WorkerInfo | BaseException]:
        """See :class:`Cluster`: one process of each machine that has cores to give."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._connect()
        machines = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        asked = {
            f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})": ray.remote(inspect_worker)
            .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
            .remote(store_url, api_url, variables)
            for node in machines
        }
        if not asked:
            raise _away("Ray", self._address, TimeoutError("none of its machines has cores to give"))
        return {name: _seen(reference) for name, reference in asked.items()}

    def _connect(self) -> None:
        """Connect this process, unless it is; Ray allows one connection a process, and ends it with the process."""
        import ray

        if ray.is_initialized():
            return
        try:
            # Given as a setting and not by prefect-ray: its "auto" starts a cluster of its own where none is found.
            ray.init(address=self._address, namespace="prefect", log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            raise _away("Ray", self._address, error) from error


def cluster(runner: Runner) -> Cluster:
    """Return the cluster that a recipe names.

    Raises:
        RunnerError: its integration is not installed.
    """
    kinds: dict[str, type[DaskCluster | RayCluster]] = {"dask": DaskCluster, "ray": RayCluster}
    return kinds[runner.kind](runner.address or "")


def _scheduler_sees(client: Any, store_url: str, api_url: str) -> WorkerInfo | BaseException:
    """Return the scheduler takes tasks apart before it hands them on, so it needs the code as well."""
    try:
        return cast("WorkerInfo", client.run_on_scheduler(inspect_worker, store_url, api_url))
    except Exception as error:  # noqa: BLE001 - whatever the scheduler's process raised
        return error


def _seen(reference: Any) -> WorkerInfo | BaseException:
    import ray

    try:
        return cast("WorkerInfo", ray.get(reference, timeout=_LOOK_S))
    except (ray.exceptions.RayError, ImportError) as error:
        return error


@contextlib.contextmanager
def _installed(module: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise RunnerError(
            f"the recipe's task runner needs {module.replace('_', '-')}",
            got=str(error),
            expected="it beside Prefect in .venv",
            remedy="make scale-out; or leave run.runner out, and tasks run in threads of this process",
        ) from error


def _away(kind: str, address: str, error: Exception) -> RunnerError:
    return RunnerError(
        f"no {kind} cluster at {address} takes tasks",
        got=f"{type(error).__name__}: {error}",
        expected="a running cluster with at least one worker",
        remedy="start it (docs/scaling.md says how), correct run.runner.address, or leave run.runner out",
    )


Plan = TypeVar("Plan", bound=Recipe | Audit | Evaluation | Comparison)

_FEWEST = 4  # shards at once, on a machine of one core too: a teacher is waited for
# The first process takes three processor seconds to import everything, and a row three milliseconds to go through.
WORTH_PROCESSES = 5_000
_OWN = 8  # few and short: snapshots of sources, clustering, tallies, the export


def local_runner() -> Tasks:
    """Return the runner of a flow's own tasks, wherever its shards run.

    They read the sources and write the run's directory, which are this machine's, and see all shards at once.
    """
    return _threads(_OWN)


def shard_tasks(run: Run) -> Tasks:
    """Return the runner of shard tasks.

    Raises:
        RunnerError: the recipe names a cluster whose integration is not installed, or that does not answer.
    """
    return cluster(run.runner).runner() if run.runner.is_cluster else _threads(shards_at_once(run))


def shards_at_once(run: Run) -> int:
    """Return how many shards are under way at once: some wait for a server while others compute."""
    return run.workers or max(_FEWEST, cores())


def computing(run: Run, n_rows: int) -> Processes | None:
    """Return the worker processes of a run, where it has them: of the kind ``auto`` only for rows enough.

    Args:
        run: says how.
        n_rows: rows that the run reads; those of which everything is finished cost nothing, nor do the processes then.
    """
    wanted = run.runner.kind == "processes" or (run.runner.kind == "auto" and n_rows >= WORTH_PROCESSES)
    n = min(cores(), shards_at_once(run))
    return shared_processes(n) if wanted and (n > 1 or run.runner.kind == "processes") else None


def _threads(n: int) -> Tasks:
    return cast("Tasks", ThreadPoolTaskRunner(max_workers=n))


def everywhere(recipe: Plan) -> Plan:
    """Return the same recipe with places that mean the same in every directory: absolute paths, as URLs are."""
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
    """Look whether a cluster's workers can do the tasks of this run, before they get any.

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
    found = cluster(run.runner).inspect_workers(store.url, str(api_url), sorted(set(variables)))
    faults = mismatches(found, inspect_worker(store.url, str(api_url)))
    if faults:
        raise RunnerError(
            f"{len(faults)} of {len(found)} workers of the {run.runner.kind} cluster cannot do this run's tasks",
            got="\n    ".join(faults[:5]),
            expected="this checkout, the same versions, store and server, and the recipe's secrets on every machine",
            remedy="start the workers in this checkout with its .venv, restart them after an update; docs/scaling.md",
        )
    logger.info("%s: %s", run.runner.kind, _told(found.values()))


def mismatches(found: Mapping[str, WorkerInfo | BaseException], own: WorkerInfo) -> list[str]:
    """Return what keeps workers from doing tasks as this process would: one line a worker that is unfit.

    Args:
        found: what each worker sees, or what broke when it looked.
        own: what this process sees.
    """
    faults = []
    for name, info in found.items():
        if isinstance(info, BaseException):
            faults.append(f"{name}: pre-flight check failed: {type(info).__name__}: {_last_line(info)}")
        elif differences := _differences(info, own):
            faults.append(f"{name}: {info.worker}: " + "; ".join(differences))
    return faults


def _differences(info: WorkerInfo, own: WorkerInfo) -> list[str]:
    compared = {
        "other versions": (info.versions, own.versions),
        "other code of tracemill": (info.code[:12], own.code[:12]),
        "another store": (info.store, own.store),
    }
    found = [f"{what}: {theirs}, here {ours}" for what, (theirs, ours) in compared.items() if theirs != ours]
    found += [f"environment variable {name} is not set" for name in info.unset]
    return found + ([f"no Prefect server: {info.server}"] if info.server else [])


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[-1]


def _told(infos: Iterable[WorkerInfo | BaseException]) -> str:
    workers = sorted(info.worker for info in infos if isinstance(info, WorkerInfo))
    return (
        f"{len(workers)} worker(s) looked at, first {workers[0]}; "
        "max_in_flight, verify.workers and sandbox.containers hold for each worker process"
    )


def result_of(future: PrefectFuture[Manifest]) -> Manifest:
    """Return what a shard task has made.

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
