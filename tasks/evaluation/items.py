"""Which rows of a benchmark are its items, before anybody is asked."""

from __future__ import annotations

from prefect import task
from pydantic import Field

from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tasks.verify import unjudgeable
from tracemill.core import Dropped, Problem, Section, table_of
from tracemill.evaluate.items import OUT_OF_WINDOW, STAGE, name_of, picked
from tracemill.recipe.evaluation import Dates
from tracemill.recipe.sections.judges import ModelJudged
from tracemill.recipe.sections.verify import Verify


class Picking(Section):
    """Which items are wanted.

    Attributes:
        dates: the window.
        zeros: references may begin with zeros that say nothing.
        verify: settings of the check that an answer could be judged at all.
        compared: categories in which a judge can, where no rule does.
    """

    dates: Dates | None = None
    zeros: bool = False
    verify: Verify = Field(json_schema_extra={"operational": True})
    compared: tuple[str, ...] = Field(default=(), json_schema_extra={"silent": True})


@task(name="items", task_run_name="items {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", drops=True)
def pick_items_shard(work: Work) -> Produced:
    """The items within the window; of them, those on which no answer could be judged are named."""
    plan: Picking = work.section
    problems = work.rows(Problem, "problems")
    found = picked(problems, plan.dates, zeros=plan.zeros)
    names = {problem.id: name_of(problem.info, problem.row) for problem in found.kept}
    hopeless = unjudgeable(found.kept, plan.verify, ModelJudged(compared=plan.compared))
    facts = {
        "first": found.first,
        "last": found.last,
        "undated": found.undated,
        "unjudgeable": {names[problem_id]: why for problem_id, why in hopeless.items()},
    }
    return Produced(
        outputs={"kept": table_of(Problem, found.kept), "dropped": table_of(Dropped, found.dropped)},
        rows_in=len(problems),
        rows_kept=len(found.kept),
        dropped={f"{STAGE}/{OUT_OF_WINDOW}": len(found.dropped)} if found.dropped else {},
        facts=facts,
    )
