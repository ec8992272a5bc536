"""What a finished run says of itself, for a terminal: funnel and yields of a build, figures of an audit, scores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tracemill.audit import report
from tracemill.audit.references import CHECKED
from tracemill.audit.tally import VERDICTS
from tracemill.core import StoreError
from tracemill.evaluate.baseline import FACT, SCORES
from tracemill.evaluate.report import render as evaluation_told
from tracemill.publish import published
from tracemill.publish.funnel import FUNNEL, render, source_yields
from tracemill.publish.manifest import MANIFEST, n_published
from tracemill.store import Store

if TYPE_CHECKING:
    from pathlib import Path

_NAME_CHARS = 32
PAGE = "report.html"


def finished_run(run: Path) -> dict[str, Any]:
    """Return the manifest of a run's directory.

    Raises:
        StoreError: there is none, or a file that it names is missing or has another size.
    """
    manifest = published(Store(str(run)))
    if manifest is None:
        there = (run / MANIFEST).exists()
        raise StoreError(
            f"no finished run in {run}",
            got=f"{MANIFEST}, and not all files that it names" if there else f"no {MANIFEST}",
            expected="the directory of a run that ended well",
            remedy="name one, or run again: what is finished is kept",
        )
    return manifest


def render_report(run: Path) -> str:
    """Return the figures of a run, whatever flow made it.

    Raises:
        StoreError: it is not a finished run's directory.
    """
    manifest = finished_run(run)
    if "funnel" in manifest:
        return _build_told(manifest)
    if FACT in manifest:
        return evaluation_told(json.loads((run / SCORES).read_bytes()))
    summary = json.loads((run / "summary.json").read_bytes())
    return report.render(summary, CHECKED if CHECKED.share[0] in summary else VERDICTS)


def facts(run: Path) -> dict[str, Any]:
    """Return the same for scripts: of a build its funnel and yields, of an audit its summary, of an evaluation scores.

    Raises:
        StoreError: it is not a finished run's directory.
    """
    manifest = finished_run(run)
    if FACT in manifest:
        return {"run": str(run), "kind": FACT, "scores": json.loads((run / SCORES).read_bytes())}
    if "funnel" not in manifest:
        return {"run": str(run), "kind": "audit", "summary": json.loads((run / "summary.json").read_bytes())}
    yields = source_yields(pa.Table.from_pylist(manifest["funnel"], schema=FUNNEL))
    return {
        "run": str(run),
        "kind": "build",
        "recipe": manifest["recipe"],
        "rows": n_published(manifest),
        "bytes": sum(entry["size"] for name, entry in manifest["files"].items() if name.startswith("dataset/")),
        "funnel": manifest["funnel"],
        "sources": {name: {"rows": n_in, "published": n_kept} for name, (n_in, n_kept) in yields.items()},
    }


def report_html(run: Path) -> Path:
    """Return where the run's page is.

    Raises:
        StoreError: it is not a finished run's directory.
    """
    finished_run(run)
    return run / PAGE


def _build_told(manifest: dict[str, Any]) -> str:
    funnel = pa.Table.from_pylist(manifest["funnel"], schema=FUNNEL)
    size = sum(entry["size"] for name, entry in manifest["files"].items() if name.startswith("dataset/"))
    return "\n".join(
        [
            f"{manifest['recipe']}: {n_published(manifest):,} rows in dataset/, {size / 1e6:,.1f} MB",
            "",
            render(funnel),
            "",
            f"{'source':<{_NAME_CHARS}}{'rows':>12}{'published':>12}{'yield':>9}",
            *(
                f"{name[:_NAME_CHARS]:<{_NAME_CHARS}}{n_in:>12,}{n_kept:>12,}{n_kept / n_in if n_in else 0:>9.1%}"
                for name, (n_in, n_kept) in source_yields(funnel).items()
            ),
        ]
    )
