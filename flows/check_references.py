"""Does every reference pass its own verifier? ``python -m flows.check_references RECIPE``: run it before any GPU hour.

Model-free: the gold answer of every row of the recipe's sources is judged as a response would be; and duplicates are
looked for, as a build does by their words, whose references contradict each other. What is collected, cleaned and
signed here is not done again when the dataset is built.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import Any

from prefect import flow, get_run_logger

from flows.command_line import how_to_look, recipe_options, run_command, shown_place, work_done
from flows.engine.artifacts import audit_artifact
from flows.engine.context import RunContext
from flows.engine.plain_run import found_run
from flows.engine.runners import local_runner
from flows.forms import Overrides, RecipePath, Text
from flows.parameters import refuse_secrets, without_secrets
from flows.phases.audit import AuditRun, audit
from flows.phases.conflicts import conflicts_among
from tasks.audit import gold_shard
from tasks.engine.work import NoSettings
from tracemill.audit.publication import CONFLICTS_FILE, REFERENCES, ReferencePublication
from tracemill.audit.references import CHECKED
from tracemill.audit.report import render, report
from tracemill.core import digest, pretty_json
from tracemill.core.secrets import refuse_unset
from tracemill.dedup.conflict_report import FACTS, as_html
from tracemill.recipe import Recipe, load_recipe
from tracemill.store import Store

PUBLICATION_VERSION = 2
_INTRO = "Every reference against its own verifier. A bad one can never be answered right, whatever a teacher is paid."


@without_secrets
@flow(name="check-references", flow_run_name="check {recipe}", task_runner=local_runner())
def check_references(recipe: RecipePath, overrides: Overrides = (), out: Text = "") -> AuditRun:
    """Judges the gold answer of every source row.

    Args:
        recipe: The recipe: one that is shipped, or the path of another YAML file.
        overrides: Settings on top of it as section.key=value, one an item, such as distill.limit=100.
        out: Directory of the finished run; below runs/, as references-NAME by the name of the recipe, if empty.
    """
    loaded = checked_recipe(recipe, list(overrides or ()), are_kept=True)
    return check(RunContext(loaded, Store(loaded.run.store), get_run_logger()), out)


def check(context: RunContext, out: str | None = None) -> AuditRun:
    """Run the method: in the flow run that is under way, or without Prefect (``flows/engine/plain_run.py``).

    Raises:
        TracemillError: what was finished before is kept.
    """
    loaded = context.recipe
    out = out or f"runs/references-{loaded.name}"
    context.prepare(out, REFERENCES)
    found = audit(context, "check", (gold_shard, NoSettings()), CHECKED)
    conflicts = conflicts_among(context)
    summary = {"recipe": loaded.name, **found.summary, **conflicts.report.facts()}
    texts = {
        "summary.json": pretty_json(summary),
        "report.html": report(f"References of {loaded.name}", _INTRO, summary, CHECKED, as_html(conflicts.report)),
    }
    key = digest("references", PUBLICATION_VERSION, found.digests(), texts, conflicts.digests())
    facts = {"recipe": loaded.name, "verify": loaded.verify.content(), "rows": summary["rows"]}
    publication = ReferencePublication(key, found.audited, found.dropped, texts, facts, conflicts=conflicts.rows)
    context.export(publication, found.audited, out)
    audit_artifact(context.artifacts, render(summary, CHECKED), context.tables, out)
    return AuditRun(out, summary, context.n_cached, context.n_executed)


def checked_recipe(path: str, overrides: list[str], *, are_kept: bool = False) -> Recipe:
    """Return the recipe; of its secrets only those of its sources are needed here.

    Raises:
        RecipeError: it is wrong, an override holds a secret, or a secret of a source is not where the recipe says.
    """
    refuse_secrets({"recipe": path, "overrides": overrides}, are_kept=are_kept)
    recipe = load_recipe(path, overrides)
    for number, source in enumerate(recipe.sources):
        refuse_unset(source, f"sources.{number}")
    return recipe


def render_summary(run: AuditRun, seconds: float) -> str:
    """Return what was found and where it is."""
    where = shown_place(run.out)
    return "\n".join(
        [
            "",
            render(run.summary, CHECKED),
            "",
            work_done(run.n_executed, run.n_cached, seconds),
            f"bad       {where}/bad_references.parquet",
            *conflicts_told(run.summary, where),
            f"others    {where}/dropped          (rows without a reference, or that could not be read)",
            f"summary   {where}/summary.json     (by source, category and reason)",
            f"report    {where}/report.html",
            f"the run   {how_to_look()}",
        ]
    )


def conflicts_told(summary: Mapping[str, Any], where: str) -> list[str]:
    """Return lines on references that contradict each other; none where none do."""
    if FACTS not in summary:
        return []
    n_questions = summary[FACTS]["questions"]
    told = f"contradict {where}/{CONFLICTS_FILE}"
    return [f"{told}  ({n_questions:,} questions whose copies have different answers)"]


def main() -> int:
    """Run the command; returns the exit status."""
    options = recipe_options("check_references", __doc__ or "").parse_args()

    @functools.cache
    def load() -> Recipe:
        return checked_recipe(options.recipe, options.overrides)

    return run_command(
        "check_references",
        lambda: check_references(options.recipe, options.overrides, options.out),
        render_summary,
        load,
        lambda: found_run(load(), lambda context: check(context, options.out)),
    )


if __name__ == "__main__":
    sys.exit(main())
