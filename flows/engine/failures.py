"""A phase some of whose shards could not be finished: its error, and the page that tells of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracemill.core import BudgetReachedError, TracemillError

SHOWN_FAILURES = 100  # of a phase; the page says how many more there are
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~&$])")  # to Markdown


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
    found = "".join(
        f"\n  {len(alike)} shard(s), first {alike[0].label}: {stage}: {cause}{_task(alike[0].error)}"
        for (stage, cause), alike in list(_by_cause(failures).items())[:5]
    )
    return ShardsFailedError(
        f"{phase}: {len(failures)} of {n_shards} shards failed{found}",
        remedy="fix the cause and run again: finished shards and paid generations are kept",
    )


def raise_paused(failures: Sequence[Failure]) -> None:
    """Raise the error that the budget is spent, where nothing else has kept shards from being finished.

    Raises:
        BudgetReachedError: as it came, without the task that met it first.
    """
    errors = [failure.error for failure in failures]
    first = errors[0]
    if isinstance(first, BudgetReachedError) and all(isinstance(error, BudgetReachedError) for error in errors):
        raise BudgetReachedError(first.what, got=first.got, expected=first.expected, remedy=first.remedy) from first


def not_started(phase: str, n_unstarted: int, n_shards: int) -> ShardsFailedError:
    """Return the error of a block that is left unfinished for what has happened in another."""
    return ShardsFailedError(
        f"{phase}: {n_unstarted} of {n_shards} shards were not started",
        got="a failure in other shards that would have hit these as well",
        remedy="see the failed shards of this run; fix the cause and run again: what is finished is kept",
    )


def failures_markdown(failures: Sequence[Failure]) -> str:
    """Return the page of a phase's failed shards.

    Returns:
        Markdown: each cause once, then its shards, each with its row and, as a block to be copied, the command that
        runs it alone. Rows are shown as they are, whatever signs are in them.
    """
    lines = []
    for (stage, _), alike in _by_cause(failures[:SHOWN_FAILURES]).items():
        lines += [f"### {stage}: {len(alike)} shard(s)", "", *_cause_lines(alike[0].error)]
        for failure in alike:
            lines += [f"#### {_inert(failure.label)}", "", *_task_lines(failure.error)]
    n_more = len(failures) - SHOWN_FAILURES
    return "\n".join(lines + ([f"and {n_more:,} more, not shown here"] if n_more > 0 else []))


def _by_cause(failures: Sequence[Failure]) -> dict[tuple[str, str], list[Failure]]:
    """Failures by stage and cause, in the order in which they came."""
    found: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        found.setdefault((failure.stage, _cause(failure.error)), []).append(failure)
    return found


def _cause_lines(error: Exception) -> list[str]:
    """Return what failed and why."""
    if not isinstance(error, TracemillError):
        return _paragraphs(_cause(error))
    facts = (("got", error.got), ("expected", error.expected), ("remedy", error.remedy))
    return [*_paragraphs(error.what), *_items(facts), ""]


def _task_lines(error: Exception) -> list[str]:
    """In which run of its task; the shard is in the heading."""
    task = error.task if isinstance(error, TracemillError) else None
    if task is None:
        return [""]
    command = ["- **alone**:", "", "  ```bash", f"  {task.alone}", "  ```", ""] if task.alone else []
    return [
        *_items((("row at hand", task.row),)),
        *[f"- {_broken(note)}" for note in task.notes],
        *command,
        *_items((("next", task.next_step),)),
        "",
    ]


def _items(facts: Iterable[tuple[str, str]]) -> list[str]:
    """Return a list of what is known; a fact of several lines stays one item with as many lines."""
    return [f"- **{name}**: {_broken(fact)}" for name, fact in facts if fact]


def _paragraphs(text: str) -> list[str]:
    """Return each line by itself."""
    return [line for each in text.split("\n") for line in (_inert(each.strip()), "")]


def _broken(text: str) -> str:
    """Return text within an item: its lines stay lines."""
    return "\\\n  ".join(_inert(line.strip()) for line in text.strip().split("\n"))


def _inert(text: str) -> str:
    """Return the text that Markdown shows as it is."""
    return SPECIAL.sub(r"\\\1", text)


def _cause(error: Exception) -> str:
    return error.cause if isinstance(error, TracemillError) else f"{type(error).__name__}: {error}"


def _task(error: Exception) -> str:
    return "" if not isinstance(error, TracemillError) or error.task is None else f"\n  {error.task}"
