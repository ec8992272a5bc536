"""Dask and Ray clusters that are there: how tasks get to them by Prefect's integrations, and what their workers see.

Both packages are optional (``make scale-out``), so they are imported where they are used. Nothing is started here that
outlives the run: a cluster is its owner's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from tasks.worker_sight import Sight, look
from tracemill.errors import RunnerError
from tracemill.recipe_runner import Runner

Tasks = TaskRunner[PrefectFuture[Any]]

_CONNECT_S = 30  # a scheduler that is there answers at once
_WORKERS_S = 60  # for the first worker of a cluster that is still starting
_LOOK_S = 180  # a fresh process imports Prefect first: 5 to 20 s on a busy machine


class Cluster(Protocol):
    """A cluster by its address."""

    def runner(self) -> Tasks:
        """Prefect's task runner for it."""
        ...

    def sights(
        self, store_url: str, api_url: str, variables: Sequence[str] = ()
    ) -> Mapping[str, Sight | BaseException]:
        """What its workers see, or what broke when they looked, by a name of the worker (Dask) or machine (Ray).

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

    def sights(
        self, store_url: str, api_url: str, variables: Sequence[str] = ()
    ) -> Mapping[str, Sight | BaseException]:
        """See :class:`Cluster`."""
        from distributed import Client

        try:
            with Client(self._address, timeout=_CONNECT_S, set_as_default=False) as client:
                client.wait_for_workers(1, timeout=_WORKERS_S)
                found: dict[str, Sight | BaseException] = client.run(
                    look, store_url, api_url, variables, on_error="return"
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

    def sights(
        self, store_url: str, api_url: str, variables: Sequence[str] = ()
    ) -> Mapping[str, Sight | BaseException]:
        """See :class:`Cluster`: one process of each machine that has cores to give."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._connect()
        machines = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        asked = {
            f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})": ray.remote(look)
            .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
            .remote(store_url, api_url, variables)
            for node in machines
        }
        if not asked:
            raise _away("Ray", self._address, TimeoutError("none of its machines has cores to give"))
        return {name: _seen(reference) for name, reference in asked.items()}

    def _connect(self) -> None:
        """Connects this process, unless it is; Ray allows one connection a process, and ends it with the process."""
        import ray

        if ray.is_initialized():
            return
        try:
            # Given as a setting and not by prefect-ray: its "auto" starts a cluster of its own where none is found.
            ray.init(address=self._address, namespace="prefect", log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            raise _away("Ray", self._address, error) from error


def cluster(runner: Runner) -> Cluster:
    """The cluster that a recipe names.

    Raises:
        RunnerError: its integration is not installed.
    """
    kinds: dict[str, type[DaskCluster | RayCluster]] = {"dask": DaskCluster, "ray": RayCluster}
    return kinds[runner.kind](runner.address or "")


def _scheduler_sees(client: Any, store_url: str, api_url: str) -> Sight | BaseException:
    """The scheduler takes tasks apart before it hands them on, so it needs the code as well."""
    try:
        return cast("Sight", client.run_on_scheduler(look, store_url, api_url))
    except Exception as error:  # noqa: BLE001 - whatever the scheduler's process raised
        return error


def _seen(reference: Any) -> Sight | BaseException:
    import ray

    try:
        return cast("Sight", ray.get(reference, timeout=_LOOK_S))
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
        expected="a cluster that is there, with at least one worker",
        remedy="start it (docs/scaling.md says how), correct run.runner.address, or leave run.runner out",
    )
