"""Where a run lost rows: what its ``dropped/`` says of ids, also of those that a row had before it was rewritten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tracemill.funnel import DROP_STAGES
from tracemill.run_rows import batches, chosen_rows

if TYPE_CHECKING:
    from pathlib import Path

NOT_THERE: Final = "not in its sources"
# Canonical JSON has no blanks and escapes quotes in texts, so that this is a key and its value.
_FORMER_ID: Final = r'"former_id":"(?P<former>[^"]+)"'


class Fate(NamedTuple):
    """Where a row was lost.

    Attributes:
        name: stage and reason, as in ``verify/incorrect``.
        id: of the row when it was dropped.
        evidence: as ``dropped/`` has it, for the first few rows only.
    """

    name: str
    id: str
    evidence: Any = None


def fates(run: Path, ids: set[str], n_evidence: int = 20) -> dict[str, Fate]:
    """Where a run dropped rows, by the id that was asked for; ids that it never met are missing.

    Copies of one row have its id and are dropped early, as duplicates of it: what was dropped last tells of the row.

    Args:
        run: a finished run's directory.
        ids: of problems.
        n_evidence: evidence is read for so many of them, those of the smallest ids.
    """
    if not ids:
        return {}
    dropped = run / "dropped"
    found = _dropped(dropped, ids)
    now_called = former_ids(dropped, "evidence", ids - set(found))
    renamed = _dropped(dropped, set(now_called.values()))
    found |= {asked: renamed[now] for asked, now in now_called.items() if now in renamed}
    shown = sorted(found)[:n_evidence]
    evidence = _evidence(dropped, {found[asked] for asked in shown})
    return found | {asked: found[asked]._replace(evidence=evidence.get(found[asked])) for asked in shown}


def former_ids(folder: Path, column: str, ids: set[str]) -> dict[str, str]:
    """Id before cleaning rewrote the row -> id now.

    Args:
        folder: ``dataset/`` or ``dropped/`` of a run.
        column: the JSON column that names the former id.
        ids: the former ids that are wanted.
    """
    found: dict[str, str] = {}
    wanted = pa.array(sorted(ids), pa.string())
    for table in batches(folder, ["id", column]) if ids else ():
        former = pc.struct_field(pc.extract_regex(table[column], _FORMER_ID), "former").cast(pa.string())
        named = table.append_column("former", former).filter(pc.is_in(former, value_set=wanted))
        found |= dict(zip(named["former"].to_pylist(), named["id"].to_pylist(), strict=True))
    return found


def _dropped(folder: Path, ids: set[str]) -> dict[str, Fate]:
    found: dict[str, Fate] = {}
    wanted = pa.array(sorted(ids), pa.string())
    for table in batches(folder, ["id", "stage", "reason"]) if ids else ():
        for row in table.filter(pc.is_in(table["id"], value_set=wanted)).to_pylist():
            fate = _fate(row)
            if row["id"] not in found or _place(fate) >= _place(found[row["id"]]):
                found[row["id"]] = fate
    return found


def _fate(row: dict[str, Any]) -> Fate:
    return Fate(f"{row['stage']}/{row['reason']}", row["id"])


def _place(fate: Fate) -> int:
    """Of its stage in the pipeline."""
    stage = fate.name.partition("/")[0]
    return DROP_STAGES.index(stage) if stage in DROP_STAGES else len(DROP_STAGES)


def _evidence(folder: Path, wanted: set[Fate]) -> dict[Fate, Any]:
    rows = chosen_rows(folder, {fate.id for fate in wanted}, ("stage", "reason", "evidence"))
    return {_fate(row): json.loads(row["evidence"]) for row in rows}
