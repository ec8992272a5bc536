"""Audits a published dataset: ``python -m flows.verify_dataset INPUT [--layout NAME]``.

A verdict on every response of every row, by the verifiers that build datasets; nothing is generated. Finished shards
are found when the command is run again, however it ended.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
from collections.abc import Mapping
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from flows.command_line import add_overrides, how_to_look, run_command, shown_place, work_done
from flows.engine.artifacts import audit_artifact
from flows.engine.context import RunContext
from flows.engine.events import tell_evaluated
from flows.engine.plain_run import found_run
from flows.engine.runners import local_runner
from flows.forms import NOWHERE, AuditOverrides, Columns, HubPlace, Limit, OnTheHub, Text
from flows.parameters import refuse_secrets, without_secrets
from flows.phases.audit import AuditRun, audit
from flows.phases.audited_layout import PLAIN_FIELDS, laid_out
from tasks.audit import Given, traces_shard
from tracemill.audit.publication import AUDIT, AuditPublication
from tracemill.audit.report import render, report
from tracemill.audit.tally import VERDICTS, nothing_judged
from tracemill.core import SourceError, digest, pretty_json
from tracemill.recipe import parse_section
from tracemill.recipe.loading import is_commit
from tracemill.recipe.pinning import commit_of
from tracemill.recipe.sections.audit import Audit
from tracemill.sources.formats import FORMATS
from tracemill.sources.layouts.registry import LAYOUTS
from tracemill.sources.readers import files_of
from tracemill.store import Store

PUBLICATION_VERSION = 3
NOTHING_JUDGED = 3  # exit status of an audit that could tell of no response whether it is right
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SUFFIXES = tuple(sorted(FORMATS, key=len, reverse=True))


@without_secrets
@flow(name="verify-dataset", flow_run_name="verify {dataset}", task_runner=local_runner())
def verify_dataset(
    dataset: str,
    hub: OnTheHub = NOWHERE,
    limit: Limit = 0,
    overrides: AuditOverrides = (),
    out: Text = "",
    layout: Text = "",
    columns: Columns = (),
) -> AuditRun:
    """Audits a published dataset.

    Args:
        dataset: A file, a folder or glob of files, or a Hub id such as org/name.
        hub: Of a Hub dataset: which commit, split and configuration.
        limit: At most so many rows, from the beginning; 0: all.
        overrides: Settings as section.key=value, one an item, such as verify.workers=8.
        out: Directory of the finished run; below runs/, as audit-NAME by the name of the dataset, if empty.
        layout: How the rows are laid out, as in docs/sources.md; empty: found out by their columns.
        columns: Of layout plain, field=column, one an item, such as response=output.
    """
    refuse_secrets({"dataset": dataset, "overrides": overrides, "out": out}, are_kept=True)
    recipe = audit_recipe(dataset, hub.given() if hub else {}, list(overrides or ()))
    recipe = laid_out(recipe, layout or "", list(columns or ()), limit or None)
    context = RunContext(recipe, Store(recipe.run.store), get_run_logger())
    return verify(context, dataset, limit or None, out)


def verify(context: RunContext[Audit], dataset: str, limit: int | None = None, out: str | None = None) -> AuditRun:
    """Run the method: in the flow run that is under way, or without Prefect (``flows/engine/plain_run.py``).

    Args:
        context: of the run; its recipe says how the rows are laid out.
        dataset: what is audited, for people.
        limit: at most so many rows, from the beginning.
        out: directory of the finished run; below runs/, as audit-NAME by the name of the dataset, if empty.

    Raises:
        TracemillError: what was finished before is kept.
    """
    recipe = context.recipe
    out = out or f"runs/audit-{recipe.name}"
    context.prepare(out, AUDIT)
    given = Given(last_only=recipe.sources[0].layout == "am")
    found = audit(context, "verify", (traces_shard, given), VERDICTS, limit)
    rows = "All rows" if limit is None else f"The first {limit:,} rows"
    revision = {"revision": recipe.sources[0].revision} if recipe.sources[0].hub else {}
    laid = {"layout": recipe.sources[0].layout, "columns": dict(recipe.sources[0].columns)}
    summary = {"input": dataset, **revision, **laid, "limit": limit, **found.summary}
    texts = {
        "summary.json": pretty_json(summary),
        "report.html": report(f"Audit of {recipe.name}", f"{rows} of {dataset}.", summary, VERDICTS),
    }
    key = digest("audit", PUBLICATION_VERSION, found.digests(), texts)
    facts = {"audit": recipe.name, "verify": recipe.verify.content(), "rows": summary["rows"]}
    n_before = context.n_executed
    context.export(AuditPublication(key, found.audited, found.dropped, texts, facts), found.audited, out)
    if context.n_executed > n_before:
        tell_evaluated(recipe.name, out, key, summary["rows"], summary[VERDICTS.share[0]])
    audit_artifact(context.artifacts, render(summary, VERDICTS), context.tables, out)
    return AuditRun(out, summary, context.n_cached, context.n_executed)


def audit_recipe(dataset: str, hub: dict[str, str], overrides: list[str]) -> Audit:
    """Return the recipe of an audit.

    Args:
        dataset: a file, a folder or glob of files, or a Hub id.
        hub: revision, split and config of a Hub dataset.
        overrides: ``section.key=value`` settings.

    Raises:
        SourceError: there is no such file, and it is no Hub id with a revision, or the Hub has no such revision; or a
            file is given with what only a Hub dataset has.
        RecipeError: a setting is wrong.
    """
    name = _name_of(dataset)
    place: dict[str, Any] = {"path": dataset}
    if _is_hub_id(dataset):
        place = {"hub": dataset, **hub, "revision": _commit(dataset, hub.get("revision"))}
    elif hub:
        raise SourceError(
            f"{dataset} is on this machine, where {' and '.join(hub)} say nothing",
            got=", ".join(f"{name} {value}" for name, value in hub.items()),
            expected="a Hub id, or a file alone",
            remedy="leave them out, and name the file of the split that is meant",
        )
    source = {"name": name, "layout": "am", **place}
    audited = parse_section(Audit, {"name": name, "sources": [source]}, overrides, origin=f"the audit of {dataset}")
    if "path" in place:
        files_of(audited.sources[0], audited.data_dir)  # a folder without data is refused before anything runs
    return audited


def _commit(dataset: str, revision: str | None) -> str:
    """Return the commit to audit; a branch or tag is taken for where it is now, so that rows cannot move meanwhile."""
    if revision is None:
        raise SourceError(
            f"{dataset} is no file here, and a Hub dataset needs its revision",
            remedy="name its commit, or main for the newest one, with --revision; or correct the path",
        )
    return revision if is_commit(revision) else commit_of(dataset, revision)


def _is_hub_id(dataset: str) -> bool:
    """Tell whether it names a Hub dataset, as there is no such file and it does not look like one.

    Raises:
        SourceError: it looks like a file, and there is none.
    """
    if Path(dataset).exists() or glob(dataset, recursive=True):  # noqa: PTH207 - the pattern may be absolute
        return False
    if has_magic(dataset) or dataset.endswith(_SUFFIXES) or not _HUB_ID.fullmatch(dataset):
        raise SourceError(
            f"there is no file {dataset}",
            got=f"nothing at {Path(dataset).absolute()}",
            expected=f"a file of {', '.join(FORMATS)}; a folder or glob of some; or a Hub id such as org/name",
            remedy="correct the path",
        )
    return True


def _name_of(dataset: str) -> str:
    """Return a name for folders and labels: the file's without suffix, or its folder's, or the Hub id with a dash."""
    path = Path(dataset)
    is_hub_id = not path.exists() and _HUB_ID.fullmatch(dataset) is not None
    candidates = (_slug(text) for text in ((dataset,) if is_hub_id else (path.name, path.parent.name)))
    return next((name for name in candidates if name), "input")


def _slug(text: str) -> str:
    for suffix in _SUFFIXES:
        text = text.removesuffix(suffix)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:80]


def render_summary(run: AuditRun, seconds: float) -> str:
    """Return what was found and where it is."""
    where = shown_place(run.out)
    return "\n".join(
        [
            "",
            render(run.summary, VERDICTS),
            "",
            work_done(run.n_executed, run.n_cached, seconds),
            f"layout    {_told_layout(run.summary)}",
            f"verdicts  {where}/verdicts         (one row for each response of the input)",
            f"dropped   {where}/dropped          (rows that could not be read, or bring no response)",
            f"summary   {where}/summary.json     (by source, category and reason)",
            f"report    {where}/report.html",
            f"the run   {how_to_look()}",
        ]
    )


def _told_layout(summary: Mapping[str, Any]) -> str:
    columns = ", ".join(f"{field} in {column}" for field, column in summary["columns"].items())
    n_rows = summary["input_rows"]
    return f"{summary['layout']}{f' ({columns})' if columns else ''}; {n_rows:,} rows of the input"


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m flows.verify_dataset", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", metavar="INPUT", help="file, folder, quoted glob, or Hub id")
    parser.add_argument("--out", metavar="DIR", help="directory of the finished run (default: runs/audit-<name>)")
    parser.add_argument(
        "--layout",
        metavar="NAME",
        default="",
        help=f"of the rows, if it is not plain by their columns: {', '.join(LAYOUTS)}",
    )
    parser.add_argument(
        "--column",
        dest="columns",
        action="append",
        default=[],
        metavar="FIELD=NAME",
        help=f"of layout plain: where a field stands, as in response=output; fields: {', '.join(PLAIN_FIELDS)}",
    )
    parser.add_argument("--limit", type=_positive, metavar="N", help="only the first N rows")
    parser.add_argument("--store", metavar="DIR", help="where finished shards are kept (default: .tracemill/store)")
    for name, what in (
        ("revision", "commit, branch or tag of a Hub dataset (required)"),
        ("split", "train unless given"),
    ):
        parser.add_argument(f"--{name}", help=what)
    parser.add_argument("--config", help="configuration of a Hub dataset")
    add_overrides(parser)
    options = parser.parse_args()
    overrides = options.overrides + ([f"run.store={options.store}"] if options.store else [])
    hub = HubPlace(revision=options.revision, split=options.split, config=options.config)
    audited: list[AuditRun] = []

    @functools.cache
    def load() -> Audit:
        recipe = audit_recipe(options.dataset, hub.model_dump(exclude_none=True), overrides)
        return laid_out(recipe, options.layout, options.columns, options.limit)

    def tell(run: AuditRun, seconds: float) -> str:
        audited.append(run)
        return render_summary(run, seconds)

    status = run_command(
        "verify_dataset",
        lambda: verify_dataset(
            options.dataset, hub, options.limit, overrides, options.out, options.layout, options.columns
        ),
        tell,
        load,
        lambda: found_run(load(), lambda context: verify(context, options.dataset, options.limit, options.out)),
    )
    return NOTHING_JUDGED if audited and status == 0 and nothing_judged(audited[0].summary) else status


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is no number of rows")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
