"""Compares students of one base by what they were trained on: ``python -m flows.compare_students RECIPE [--out DIR]``.

Arms are queries over the responses of a finished run. Every student is trained by the same program, for as many tokens,
with the same seeds; the contrast and the number of seeds are fixed before it is looked at. Each student is a cached
stage: after a kill the same command goes on.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from flows.command_line import how_to_look, recipe_options, run_command, shown_place, work_done
from flows.engine.context import RunContext
from flows.engine.plain_run import found_run
from flows.engine.runners import local_runner
from flows.forms import ComparisonOverrides, ComparisonPath, Text
from flows.parameters import without_secrets
from flows.phases.students import Trained, responses_of, train_all
from tracemill.core import digest, pretty_json
from tracemill.recipe.loading import load_comparison
from tracemill.recipe.sections.students import Comparison
from tracemill.store import Store
from tracemill.training.comparison import compared, render
from tracemill.training.comparison_report import report
from tracemill.training.publication import COMPARISON, ComparisonPublication

PUBLICATION_VERSION = 1


@dataclass(frozen=True)
class Compared:
    """What a comparison has made.

    Attributes:
        out: the run's directory.
        found: ``comparison.json``.
        n_cached: tasks that were found finished.
        n_executed: tasks that were run.
    """

    out: str
    found: dict[str, Any]
    n_cached: int
    n_executed: int


@without_secrets
@flow(name="compare-students", flow_run_name="compare {recipe}", task_runner=local_runner())
def compare_students(recipe: ComparisonPath, overrides: ComparisonOverrides = (), out: Text = "") -> Compared:
    """Trains students on arms of a run's responses, and says by how much they differ.

    Args:
        recipe: The recipe of a comparison: one that is shipped, or the path of another YAML file.
        overrides: Settings on top of it as section.key=value, one an item, such as seeds.most=10.
        out: Directory of the finished run; below runs/, by the name of the recipe, if empty.
    """
    loaded = load_comparison(recipe, list(overrides or ()))
    return compare(RunContext(loaded, Store(loaded.run.store), get_run_logger()), out)


def compare(context: RunContext[Comparison], out: str | None = None) -> Compared:
    """Run the method: in the flow run that is under way, or without Prefect (``flows/engine/plain_run.py``).

    Raises:
        TracemillError: what was finished before is kept.
    """
    recipe = context.recipe
    out = out or f"runs/{recipe.name}"
    context.prepare(out, COMPARISON)
    trained = train_all(context)
    found = _found(recipe, trained)
    texts = {"comparison.json": pretty_json(found), "report.html": report(found)}
    answers = context.store.write_table(responses_of(context, trained))
    key = digest("comparison", PUBLICATION_VERSION, answers.sha256, texts)
    publication = ComparisonPublication(
        key, [answers], texts, {"comparison": recipe.name, "sentence": found["sentence"]}
    )
    context.export(publication, [answers], out)
    context.artifacts.page(f"{found['sentence']}\n\n```\n{render(found)}\n```", "students", "Students compared")
    return Compared(out, found, context.n_cached, context.n_executed)


def _found(recipe: Comparison, trained: Trained) -> dict[str, Any]:
    students = [
        {
            "arm": one.arm,
            "seed": one.seed,
            "scores": None if one.scores is None else one.scores,
            "told": one.told,
            "outcomes": one.outcomes,
        }
        for one in trained.students
    ]
    return compared(recipe, students, trained.arms, trained.held_out, (trained.noise, trained.needed))


def render_summary(made: Compared, seconds: float) -> str:
    """Return what was found and where it is."""
    where = shown_place(made.out)
    return "\n".join(
        [
            "",
            render(made.found),
            "",
            made.found["sentence"],
            "",
            work_done(made.n_executed, made.n_cached, seconds),
            f"figures   {where}/comparison.json",
            f"answers   {where}/answers          (of every student to every held-out problem, judged)",
            f"report    {where}/report.html",
            f"the run   {how_to_look()}",
        ]
    )


def main() -> int:
    """Run the command; returns the exit status."""
    options = recipe_options(Path(__file__).stem, __doc__ or "").parse_args()
    return run_command(
        Path(__file__).stem,
        lambda: compare_students(options.recipe, options.overrides, options.out),
        render_summary,
        lambda: load_comparison(options.recipe, options.overrides),
        lambda: found_run(
            load_comparison(options.recipe, options.overrides), lambda context: compare(context, options.out)
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
