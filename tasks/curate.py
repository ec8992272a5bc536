"""Per-shard curation: collect, sign; and after the global decisions: drop duplicates."""

from __future__ import annotations

from collections import Counter

from prefect import task

from tasks.same_answer import VERSION, agreement
from tasks.stage import BY_KEY, RETRIES, STORED, stage
from tasks.work import Produced, Work, split
from tracemill.conflict_report import batch_facts, shard_facts
from tracemill.near_duplicates import Earlier, deduplicate, sign
from tracemill.recipe_section import Section
from tracemill.schema import Dropped, Problem, dropped_problem, table_of


@task(name="sign", task_run_name="sign {label}", version="4", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def sign_shard(work: Work) -> Produced:
    """Signatures for the duplicate step."""
    signatures = sign(work.table("problems"), work.section)
    return Produced({"signatures": signatures}, signatures.num_rows, signatures.num_rows)


@task(name="set_aside", task_run_name="set_aside {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", drops=True)
def set_aside_shard(work: Work) -> Produced:
    """Problems without those that an earlier stage has set aside, which are accounted for here."""
    problems = work.table("problems")
    return Produced({"kept": problems, "dropped": table_of(Dropped, [])}, problems.num_rows, problems.num_rows)


class DeduplicateBatch(Section):
    """The recipe's section and the order of the sources that are in the batch."""

    settings: Section
    priority: tuple[str, ...]


@task(
    name="deduplicate",
    task_run_name="deduplicate {label}",
    version=f"3-{VERSION}",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage()
def deduplicate_batch(work: Work) -> Produced:
    """One clustering over all signatures of a batch and what earlier batches kept."""
    names = work.numbered("signatures")
    earlier = [
        Earlier(work.table(name), work.table(name.replace("signatures", "decisions")))
        for name in work.numbered("earlier-signatures")
    ]
    batch = (work.table(name) for name in names)
    decisions = deduplicate(batch, earlier, work.section.settings, work.section.priority, agreement)
    tables = {name.replace("signatures", "decisions"): table for name, table in zip(names, decisions, strict=True)}
    n_rows = sum(work.inputs[name].rows for name in names)
    reasons = Counter(reason for table in decisions for reason in table["reason"].to_pylist())
    dropped = {f"deduplicate/{reason}": count for reason, count in sorted(reasons.items())}
    return Produced(tables, n_rows, n_rows - reasons.total(), dropped, batch_facts(decisions))


@task(
    name="drop_duplicates",
    task_run_name="drop_duplicates {label}",
    version="3",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage(rows="problems", drops=True)
def drop_duplicates_shard(work: Work) -> Produced:
    """Applies the decisions to one shard; joined by content id, which is unique within a shard."""
    problems = work.rows(Problem, "problems")
    decisions = {
        row.pop("id"): {name: value for name, value in row.items() if value is not None}
        for row in work.table("decisions").to_pylist()
    }
    dropped = [
        dropped_problem(problem, "deduplicate", decisions[problem.id].pop("reason"), decisions[problem.id])
        for problem in problems
        if problem.id in decisions
    ]
    kept = [problem for problem in problems if problem.id not in decisions]
    return split(len(problems), kept, Problem, dropped, **shard_facts(dropped))
