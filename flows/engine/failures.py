"""A phase some of whose shards could not be finished: its error, and the page that tells of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tracemill.core import TracemillError

SHOWN_FAILURES = 100  # of a phase; the page says how many more there are
NAMED = re.compile(r"(got|expected|remedy|shard|row at hand|alone|next): (.*)")  # a line of an error's text
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
        remedy="mend the cause and run again: finished shards and paid generations are kept",
    )


def not_started(phase: str, n_unstarted: int, n_shards: int) -> ShardsFailedError:
    """The error of a block that is left unfinished for what has happened in another."""
    return ShardsFailedError(
        f"{phase}: {n_unstarted} of {n_shards} shards were not started",
        got="a failure in other shards that would have hit these as well",
        remedy="see the failed shards of this run; mend the cause and run again: what is finished is kept",
    )


def failures_markdown(failures: Sequence[Failure]) -> str:
    """The page of a phase's failed shards.

    Returns:
        Markdown: each cause once, then its shards, each with its row and, as a block to be copied, the command that
        runs it alone. Rows are shown as they are, whatever signs are in them.
    """
    lines = []
    for (stage, cause), alike in _by_cause(failures[:SHOWN_FAILURES]).items():
        lines += [f"### {stage}: {len(alike)} shard(s)", "", *_facts(cause)]
        for failure in alike:
            lines += [f"#### {_inert(failure.label)}", "", *_facts(_task(failure.error))]
    n_more = len(failures) - SHOWN_FAILURES
    return "\n".join(lines + ([f"and {n_more:,} more, not shown here"] if n_more > 0 else []))


def _by_cause(failures: Sequence[Failure]) -> dict[tuple[str, str], list[Failure]]:
    """Failures by stage and cause, in the order in which they came."""
    found: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        found.setdefault((failure.stage, _cause(failure.error)), []).append(failure)
    return found


def _facts(text: str) -> list[str]:
    """Lines of an error's text: a list of what is named, else as they are."""
    lines = []
    for line in text.split("\n"):
        named = NAMED.fullmatch(line.strip())
        if named is None:
            lines += [_inert(line.strip()), ""]
        elif named[1] == "alone":
            lines += ["- **alone**:", "", "  ```bash", f"  {named[2]}", "  ```", ""]
        elif named[1] != "shard":  # is in the heading
            lines.append(f"- **{named[1]}**: {_inert(named[2])}")
    return [*lines, ""]


def _inert(text: str) -> str:
    """Text that Markdown shows as it is."""
    return SPECIAL.sub(r"\\\1", text)


def _cause(error: Exception) -> str:
    return error.cause if isinstance(error, TracemillError) else f"{type(error).__name__}: {error}"


def _task(error: Exception) -> str:
    return f"\n  {error.task}" if isinstance(error, TracemillError) and error.task else ""
