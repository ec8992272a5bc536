"""The cost gate: what generation will cost is said before it begins, and where the recipe asks for it, agreed to.

With ``distill.cost.approval: required`` the flow run pauses. Prefect's UI shows the figures in the artifact
``cost-estimate`` and beside the Resume button; resuming goes on, and the store remembers it: the same problems and the
same settings are not asked about again, however often the run is killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.settings import PREFECT_API_URL

from flows.phases.shards import ShardHistory, judged_by_models
from tasks.cost import CostPlan, ModelsPlan, estimate_cost
from tasks.quality import QualityPlan
from tracemill.core import CostNotApprovedError
from tracemill.store import Manifest, Shard, stage_key

if TYPE_CHECKING:
    from flows.engine.context import RunContext
    from tasks.label import Measure
    from tracemill.generate import Estimate
    from tracemill.recipe import Recipe
    from tracemill.recipe.sections.distill import Cost

STAGE, VERSION = "approval", "1"
POLL_S = 5


class Approval(RunInput):
    """What the person who resumes the run says."""

    go_on: bool = True


def pass_cost_gate(
    context: RunContext, prepared: dict[str, ShardHistory], over: dict[str, Shard], counting: Measure
) -> None:
    """Say what generation will cost, and waits for approval if the recipe wants it.

    Raises:
        CostNotApprovedError: nobody agreed in time, somebody declined, or there is no UI to agree in.
        TeacherError: the sample cannot be answered.
    """
    recipe = context.recipe
    cost = recipe.distill.cost
    if cost is None or context.only_finds:
        return
    plan = cost_plan(recipe, counting, context.ledger)
    problems = {label: history.current for label, history in prepared.items()}
    estimate: Estimate = context.run_task(
        estimate_cost, context.store.url, problems, over, plan, cost, after=problems.values()
    )
    for name, value in estimate.lines():
        context.logger.info("before generation: %s: %s", name, value)
    context.artifacts.page(estimate.markdown(), "cost-estimate", "What generation will cost")
    if cost.approval == "required" and estimate.outstanding.most > 0:
        _have_approved(context, estimate, problems | {f"over-{label}": shard for label, shard in over.items()}, plan)


def cost_plan(recipe: Recipe, counting: Measure, ledger: str) -> CostPlan:
    """Whom a recipe asks, and what it asks them about."""
    asked = ModelsPlan(
        verify=recipe.verify,
        reward=recipe.reward,
        rubric=recipe.rubric,
        judge=recipe.judge,
        quality=QualityPlan(rules=recipe.quality, counting=counting),
        perplexity=recipe.perplexity,
        safety=recipe.safety,
    )
    return CostPlan(
        distill=recipe.distill,
        models=judged_by_models(recipe),
        verify=recipe.verify,
        asked=asked,
        labellers=tuple(labeller.model for labeller in recipe.label.labellers),
        vote_samples=recipe.vote_samples,
        ledger=ledger,
        purse=recipe.purse,
    )


def _have_approved(context: RunContext, estimate: Estimate, inputs: dict[str, Shard], plan: CostPlan) -> None:
    digests = {name: shard.sha256 for name, shard in inputs.items()}
    key = stage_key(STAGE, VERSION, plan.digest(), digests)
    if context.store.find(STAGE, key) is not None:
        context.logger.info("before generation: approved earlier")
        return
    if not PREFECT_API_URL.value():
        raise CostNotApprovedError(
            "the recipe wants a person to approve the cost, and there is no UI to do it in",
            got=f"a temporary server, and this estimate:\n{_listed(estimate)}",
            expected="PREFECT_API_URL of a running Prefect server",
            remedy="start one (make ui), set PREFECT_API_URL=http://127.0.0.1:4200/api, and run again; "
            "or set distill.cost.approval=none",
        )
    _wait_for_person(context, estimate, estimate.settings)
    approved = Manifest(
        stage=STAGE, version=VERSION, key=key, inputs=digests, outputs={}, rows_in=0, rows_kept=0, dropped={},
        facts=dict(estimate.lines()),
    )  # fmt: skip
    context.store.commit(approved)


def _wait_for_person(context: RunContext, estimate: Estimate, cost: Cost) -> None:
    context.logger.warning("before generation: paused until somebody resumes this run in Prefect's UI")
    form = Approval.with_initial_data(description=estimate.markdown(), go_on=True)
    try:
        answer = pause_flow_run(wait_for_input=form, timeout=round(cost.wait_s), poll_interval=POLL_S)
    except FlowPauseTimeout as error:
        raise CostNotApprovedError(
            "nobody has approved the cost",
            got=f"no answer for {cost.wait_s:g} s",
            expected="a person who resumes the run in Prefect's UI",
            remedy="run again; nothing but the sample was paid for, and it will not be asked again",
        ) from error
    if answer is None or not answer.go_on:
        raise CostNotApprovedError(
            "the cost was declined",
            got=_listed(estimate),
            remedy="lower distill.limit, samples_per_round or max_rounds, and run again; what is finished is kept",
        )


def _listed(estimate: Estimate) -> str:
    return "\n".join(f"    {name}: {value}" for name, value in estimate.lines())
