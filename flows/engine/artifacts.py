"""What a run leaves beside its states in Prefect's UI: a table per phase, the failed shards, the funnel with its links.

One artifact per phase or run, never per task: each is a request to the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast
from uuid import UUID

import pyarrow as pa
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.engine.failures import Failure, failures_markdown
from flows.engine.progress import Progress, artifact_key
from tracemill.html.links import rows_link
from tracemill.publish.funnel import totals

Tables = dict[str, UUID]  # artifacts with the tables of phases


class Artifacts(Protocol):
    """Where a run leaves pages and tables for people."""

    def page(self, markdown: str, key: str, description: str) -> None:
        """Leave a page."""

    def table(self, rows: list[dict[str, Any]], key: str, description: str) -> UUID | None:
        """Leave a table; returns its id, if it can be linked to."""


class ServerArtifacts:
    """Artifacts of the flow run that is under way."""

    def page(self, markdown: str, key: str, description: str) -> None:
        """See :class:`Artifacts`."""
        create_markdown_artifact(markdown, key=key, description=description)

    def table(self, rows: list[dict[str, Any]], key: str, description: str) -> UUID | None:
        """See :class:`Artifacts`."""
        return cast("UUID", create_table_artifact(rows, key=key, description=description))


class NoArtifacts:
    """For runs without a server."""

    def page(self, markdown: str, key: str, description: str) -> None:
        """Leave nothing."""

    def table(self, rows: list[dict[str, Any]], key: str, description: str) -> UUID | None:  # noqa: ARG002
        """Leave nothing."""
        return None


def phase_artifact(artifacts: Artifacts, progress: Progress) -> Tables:
    """Leave the table of a phase: what entered each stage, what it kept, what it dropped and why.

    Returns:
        the artifact's id by the phase's name; nothing where no stage was finished.
    """
    rows = phase_rows(progress)
    if not rows:
        return {}
    made = artifacts.table(rows, artifact_key(f"phase-{progress.phase}"), progress.line())
    return {} if made is None else {progress.phase: made}


def phase_rows(progress: Progress) -> list[dict[str, Any]]:
    """Return the table of a phase, in the order in which its stages were first finished."""
    return [
        {
            "stage": stage,
            "shards": progress.finished[stage],
            "in": counts["in"],
            "kept": counts["kept"],
            "dropped": counts["in"] - counts["kept"],
            "by reason": ", ".join(f"{reason} {n:,}" for reason, n in progress.dropped[stage].most_common()),
        }
        for stage, counts in progress.rows.items()
    ]


def failures_artifact(artifacts: Artifacts, phase: str, failures: Sequence[Failure]) -> None:
    """Leave the page of a phase's failed shards, with how to run each alone."""
    artifacts.page(failures_markdown(failures), artifact_key(f"failed-{phase}"), f"{len(failures)} shards failed")


def funnel_artifact(artifacts: Artifacts, funnel: pa.Table, tables: Tables, out: str) -> None:
    """Leave the funnel of a finished run, links to its phases' tables, and where its files are."""
    artifacts.page(funnel_markdown(funnel, tables, out), "funnel", "Where every row went")


def funnel_markdown(funnel: pa.Table, tables: Tables, out: str) -> str:
    """Return the funnel as a table with what is left after each drop; then the links, then the paths."""
    lines, left = ["| stage | reason | rows | left |", "|---|---|---:|---:|"], 0
    for stage, reason, n_rows in totals(funnel):
        if stage == "source":
            left = n_rows
        elif stage != "published":
            left -= n_rows
        lines.append(f"| {stage} | {reason} | {_rows(stage, reason, n_rows)} | {left:,} |")
    paths = _paths(out, ("dataset/README.md", "dataset", "dropped", "verdicts", "report.html"))
    return "\n".join([*lines, "", *_browser(out), *_links(tables), *paths])


def _rows(stage: str, reason: str, n_rows: int) -> str:
    """Return a number that leads to its rows; source rows are all of them, and not in one place."""
    asked = {"stage": stage, "reason": "" if stage == "published" else reason}
    return f"{n_rows:,}" if stage == "source" else f"[{n_rows:,}]({rows_link(**asked)})"


def _browser(out: str) -> list[str]:
    command = f"`python -m tracemill browse {_root(out)}`"
    return [f"The numbers and [this link]({rows_link()}) lead to the rows, while {command} runs on your machine.", ""]


def audit_artifact(artifacts: Artifacts, text: str, tables: Tables, out: str) -> None:
    """Leave the figures of an audit as the terminal shows them, links to its tables, and where its files are."""
    paths = _paths(out, ("summary.json", "dropped", "report.html"))
    lines = ["```", text, "```", "", *_browser(out), *_links(tables), *paths]
    artifacts.page("\n".join(lines), "summary", "What was found")


def scores_artifact(artifacts: Artifacts, text: str, tables: Tables, out: str) -> None:
    """Leave the scores of an evaluation, links to its tables, and where its files are."""
    paths = _paths(out, ("scores.json", "items", "verdicts", "responses", "report.html"))
    artifacts.page("\n".join([text, "", *_links(tables), *paths]), "scores", "Scores with error bars")


def _links(tables: Tables) -> list[str]:
    """Links to tables of phases: relative, since a run does not know under which address its UI is looked at."""
    links = " · ".join(f"[{phase}](../artifact/{table})" for phase, table in tables.items())
    return [f"What each stage kept and dropped: {links}", ""] if links else []


def _paths(out: str, names: Sequence[str]) -> list[str]:
    """Return files of a run's directory; not as links, which browsers do not follow from a server's page to a disk."""
    return [f"- `{_root(out)}/{name}`" for name in names]


def _root(out: str) -> str:
    return out if "://" in out else Path(out).resolve().as_posix()
