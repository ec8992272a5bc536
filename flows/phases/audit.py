"""The DAG of the audits: per shard collect -> responses to judge -> verify -> rows with verdicts; then the count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from flows.phases.collect import read_through, refuse_lost_sources
from flows.phases.shards import ShardHistory, numbered, set_aside
from tasks.audit import audit_shard, traces_shard
from tasks.engine.work import NoSettings
from tasks.snapshot import collect_shard
from tasks.verify import verify_shard
from tracemill.audit import Tally
from tracemill.audit.tally import Counted

if TYPE_CHECKING:
    from flows.engine.context import RunContext
    from flows.engine.steps import Step
    from tasks.engine.stage import StageTask
    from tracemill.core import Section
    from tracemill.recipe.sections.verify import Verify
    from tracemill.sources import Source
    from tracemill.store import RawShard, Shard


@dataclass(frozen=True)
class AuditRun:
    """What an audit has made.

    Attributes:
        out: the run's directory.
        summary: of :meth:`tracemill.audit.tally.Tally.summary`.
        n_cached: tasks that were found finished.
        n_executed: tasks that were run.
    """

    out: str
    summary: dict[str, Any]
    n_cached: int
    n_executed: int


@dataclass(frozen=True)
class AuditedShards:
    """All shards of an input, audited.

    Attributes:
        audited: shards of :class:`tracemill.audit.rows.AuditedRow`.
        dropped: shards of :class:`tracemill.core.schema.Dropped`.
        summary: the count of all rows.
    """

    audited: list[Shard]
    dropped: list[Shard]
    summary: dict[str, Any]

    def digests(self) -> list[list[str]]:
        """Return what a publication's key depends on."""
        return [[shard.sha256 for shard in shards] for shards in (self.audited, self.dropped)]


def audit(
    context: RunContext[Any],
    name: str,
    responses: tuple[StageTask, Section],
    counted: Counted,
    limit: int | None = None,
) -> AuditedShards:
    """Judge every row of the sources, shard by shard, and counts what was found.

    Args:
        context: of the run.
        name: of the phase, for people.
        responses: the stage that says which responses are judged (those that came along, or gold attempts), and its
            section.
        counted: how rows are counted.
        limit: at most so many rows of each source.

    Raises:
        TracemillError: what was finished before is kept.
    """
    one = partial(audit_one, responses=responses, settings=context.recipe.verify)
    collection, done = read_through(context, name, "audit", one, limit)
    histories = list(done.values())
    refuse_lost_sources(context, histories)
    audited = [history.current for history in histories]
    dropped = [shard for history in histories for shard in history.outputs("dropped")]
    tally = Tally(counted)
    for shard in audited:
        tally.add(context.store.read_table(shard))
    for shard in dropped:
        tally.add_dropped(context.store.read_table(shard, ["source", "reason", "evidence"]))
    n_rows = sum(raw.shard.rows for raw in collection.shards())
    return AuditedShards(audited, dropped, tally.summary(n_rows))


def audit_one(
    step: Step, raw: RawShard, source: Source, responses: tuple[StageTask, Section], settings: Verify
) -> ShardHistory:
    """Raw rows to audited rows.

    Args:
        step: does one step.
        raw: the shard.
        source: what it is a part of.
        responses: see :func:`audit`.
        settings: of the verification.
    """
    collected = step(collect_shard, source, {"raw": raw.shard})
    history = ShardHistory(raw.source, (collected,), collected.outputs["kept"])
    texts = numbered([collected], "texts") if responses[0] is traces_shard else {}
    answered = step(*responses, {"problems": history.current} | texts)
    history = history.then(answered)
    inputs = {"problems": history.current, "responses": answered.outputs["responses"]}
    verified = step(verify_shard, settings, inputs)
    history = replace(history, manifests=(*history.manifests, verified))
    inputs |= {"verdicts": verified.outputs["verdicts"]} | set_aside([verified])
    return history.then(step(audit_shard, NoSettings(), inputs), "audited")
