"""The error of a phase some of whose shards could not be finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracemill.errors import TracemillError


class ShardsFailedError(TracemillError):
    """Some shards could not be finished; everything that was finished is kept."""


@dataclass(frozen=True)
class Failure:
    """A chain that did not finish."""

    label: str
    stage: str
    error: Exception


def failed(phase: str, failures: Sequence[Failure], n_shards: int) -> ShardsFailedError:
    """The error of a phase: each kind of failure once, with how many shards it hit and the first task of them."""
    by_cause: dict[str, list[Failure]] = {}
    for failure in failures:
        by_cause.setdefault(f"{failure.stage}: {_cause(failure.error)}", []).append(failure)
    found = "".join(
        f"\n  {len(alike)} shard(s), first {alike[0].label}: {cause}{_task(alike[0].error)}"
        for cause, alike in list(by_cause.items())[:5]
    )
    return ShardsFailedError(
        f"{phase}: {len(failures)} of {n_shards} shards failed{found}",
        remedy="mend the cause and run again: finished shards and paid generations are kept",
    )


def not_started(phase: str, n_unstarted: int, n_shards: int) -> ShardsFailedError:
    """The error of a block that is left unfinished for what has happened in another."""
    return ShardsFailedError(
        f"{phase}: {n_unstarted} of {n_shards} shards were not started",
        got="a failure in other shards that would have hit these as well",
        remedy="see the failed shards of this run; mend the cause and run again: what is finished is kept",
    )


def _cause(error: Exception) -> str:
    return error.cause if isinstance(error, TracemillError) else f"{type(error).__name__}: {error}"


def _task(error: Exception) -> str:
    return f"\n  {error.task}" if isinstance(error, TracemillError) and error.task else ""
