"""Sets poison rows aside: a task in which one row crashes does its work on the others, and accounts for that row.

Nothing is tried row by row until a task has failed. A stage that drops rows drops these too. After any other stage they
travel beside its outputs, as table ``set_aside``: later tasks that are given it do not see those rows, nor what belongs
to them, and the next stage that drops rows accounts for them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tasks.engine.failed_task import excerpt
from tasks.engine.poison import POISON, TOLD, allowed, belongs_to_a_row, code_digest, describe_error, guilty, stands
from tasks.engine.work import PerRow, Produced, View, Work
from tracemill.core import Dropped, StageCrashedError, table_of
from tracemill.inference.refusals import was_cached
from tracemill.store import Manifest, Store

SET_ASIDE: Final = "set_aside"
NAMED_IN_ERROR: Final = 5
# The funnel knows the stages that people think in; evidence names the task.
_STAGES: Final = {
    "sign": "deduplicate",
    "drop_duplicates": "deduplicate",
    "embed": "deduplicate",
    "decontaminate_by_meaning": "decontaminate",
    "judge_contamination": "decontaminate",
    "label_by_model": "label",
    "downsample": "label",
    "apply_limit": "distill",
    "reuse": "distill",
    "reward": "verify",
    "rubric": "verify",
    "judge": "verify",
    "vote": "verify",
    "perplexity": "quality",
    "safety": "quality",
    "drop_frequent": "quality",
    "select": "quality",
    "traces": "audit",
    "gold": "audit",
}


def find_finished(store: Store, stage: str, key: str, share: float) -> Manifest | None:
    """The manifest of finished work; None means: do it. Poison rows are tried again when the code has changed."""
    manifest = store.find(stage, key)
    if manifest is None or was_cached(manifest):
        return None
    return manifest if stands(manifest.facts, share) else None


def produce(stage: str, run: Callable[[Work], Produced], work: Work, per_row: PerRow | None, share: float) -> Produced:
    """Do a task's work, if need be without the rows on which it crashes.

    Args:
        stage: name.
        run: the stage.
        work: its inputs.
        per_row: what its rows are, or None if none can be set aside.
        share: of its rows that may be set aside.

    Raises:
        StageCrashedError: there are more of them.
        Exception: whatever the stage raises that is no row's fault.
    """
    earlier = work.all_rows(Dropped, SET_ASIDE)
    rows = _Rows(work, per_row, [row.id for row in earlier])
    try:
        produced, poison = run(rows.seen() if earlier else work), []
    except Exception as error:
        if per_row is None or share <= 0 or not belongs_to_a_row(error):
            raise
        bad = _bad_rows(stage, run, rows, error, share)
        produced = run(rows.seen([position for position in rows.positions if position not in bad]))
        poison = [_dropped(stage, work, rows.record(position), why) for position, why in bad.items()]
    return _accounted(produced, per_row, poison, earlier, rows)


class _Rows:
    """The rows of one task; read only if they are needed.

    Attributes:
        positions: of those that were not set aside before.
    """

    def __init__(self, work: Work, per_row: PerRow | None, gone: Sequence[str]) -> None:
        self._work, self._name = work, per_row.rows if per_row else None
        self._gone = pa.array(gone, pa.string())
        self._cached: pa.Table | None = None

    @property
    def _table(self) -> pa.Table:
        if self._cached is None:
            self._cached = self._work.store.read_table(self._work.inputs[self._name or ""])
        return self._cached

    @property
    def positions(self) -> list[int]:
        if "id" not in self._table.column_names:
            return list(range(self._table.num_rows))
        return pc.indices_nonzero(pc.invert(pc.is_in(self._table["id"], value_set=self._gone))).to_pylist()  # type: ignore[no-any-return]

    def record(self, position: int) -> dict[str, Any]:
        return self._table.slice(position, 1).to_pylist()[0]  # type: ignore[no-any-return]

    def seen(self, positions: Sequence[int] | None = None) -> Work:
        """Return the work on some of the rows; on all that were not set aside before unless given."""
        if self._name is None:
            return replace(self._work, view=View(None, None, self._gone))
        taken = pa.array(self.positions if positions is None else positions, pa.int64())
        hidden = self._gone
        if "id" in self._table.column_names:
            ids = self._table["id"].combine_chunks().cast(pa.string())
            hidden = pc.unique(ids.filter(pc.invert(pc.is_in(ids, value_set=ids.take(taken)))))
        return replace(self._work, view=View(self._name, taken, hidden))


def _bad_rows(
    stage: str, run: Callable[[Work], Produced], rows: _Rows, first: Exception, share: float
) -> dict[int, Exception]:
    def failure(positions: Sequence[int]) -> Exception | None:
        try:
            run(rows.seen(positions))
        except Exception as error:
            if belongs_to_a_row(error):
                return error
            raise
        return None

    n_rows = len(rows.positions)
    most = allowed(n_rows, share)
    bad = guilty(rows.positions, failure, first, most) if n_rows else {}
    if not bad:
        raise first
    if len(bad) > most:
        raise _too_many(stage, rows, bad, most) from first
    return bad


def _too_many(stage: str, rows: _Rows, bad: dict[int, Exception], most: int) -> StageCrashedError:
    error, where = describe_error(next(iter(bad.values()))).values()
    found = StageCrashedError(
        f"stage {stage} crashed on {len(bad)} or more of {len(rows.positions)} rows",
        got=f"{error}, in {where}",
        expected=f"at most {most}, which run.poison_share lets be set aside",
        remedy="this is a bug, or unexpected rows: run the task alone, and fix the stage",
    )
    for position, why in list(bad.items())[:NAMED_IN_ERROR]:
        found.add_note(f"row: {_called(rows.record(position))}; {describe_error(why)['error']}")
    return found


def _called(record: dict[str, Any]) -> str:
    text = excerpt(record["prompt"] if "prompt" in record else record["raw"].decode("utf-8", "backslashreplace"))
    name = f"problem {record['id']}, " if "id" in record else ""
    return f"{name}row {record['row']} of {record.get('source') or record['file']}: {text}"


def _dropped(stage: str, work: Work, record: dict[str, Any], error: Exception) -> Dropped:
    evidence: dict[str, Any] = {"task": stage, **describe_error(error)}
    where = _STAGES.get(stage, stage)
    if "raw" in record:
        text = record["raw"].decode("utf-8", errors="backslashreplace")
        evidence |= {"file": record["file"], "excerpt": excerpt(text)}
        return Dropped("", work.section.name, record["row"], where, POISON, evidence, raw=text)
    evidence |= {"excerpt": excerpt(record["prompt"]), "category": record["category"]} | _named(record["info"])
    return Dropped(record["id"], record["source"], record["row"], where, POISON, evidence, prompt=record["prompt"])


def _named(info: str) -> dict[str, Any]:
    """Return what a row is found by; the row is broken, so that nothing of it is sure."""
    try:
        found = json.loads(info)
        return {name: found[name] for name in ("file", "upstream_source", "former_id") if name in found}
    except (ValueError, TypeError):
        return {}


def _accounted(
    produced: Produced, per_row: PerRow | None, poison: list[Dropped], earlier: list[Dropped], rows: _Rows
) -> Produced:
    """Return the rows that were set aside among what the stage has dropped, or beside its outputs."""
    drops = per_row is not None and per_row.drops
    gone = [*earlier, *poison] if drops else poison
    if not gone:
        return produced
    outputs = dict(produced.outputs)
    if drops:
        tables = [outputs["dropped"]] if "dropped" in outputs else []
        outputs["dropped"] = pa.concat_tables([*tables, table_of(Dropped, gone)])
    else:
        outputs[SET_ASIDE] = table_of(Dropped, gone)
    counts = Counter(produced.dropped) + Counter(f"{row.stage}/{row.reason}" for row in gone)
    facts = dict(produced.facts)
    if poison:
        facts[POISON] = {
            "code": code_digest(),
            "of": len(rows.positions),
            "n": len(poison),
            "rows": [_fact(row) for row in poison[:TOLD]],
        }
    return replace(produced, outputs=outputs, rows_in=produced.rows_in + len(gone), dropped=dict(counts), facts=facts)


def _fact(row: Dropped) -> dict[str, Any]:
    shown = {name: row.evidence[name] for name in ("error", "where", "excerpt")}
    return {"id": row.id, "source": row.source, "row": row.row, **shown}
