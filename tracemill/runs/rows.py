"""The rows of a published dataset as digests, so that two of 1.4 million rows each are compared in little memory.

A row is 64 bytes of id and 8 for each group of columns; texts are not read, since ``response_id`` stands for them.
1.4 million rows of short texts against as many: 1.1 GB at most, 15 times as long as reading one of them whole
(``benchmarks/storage/diff_runs.py``).

Where a run lost rows: what its ``dropped/`` says of ids, also of those that a row had before it was rewritten.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.publish.funnel import DROP_STAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pyarrow.dataset import Dataset

# What can differ between two rows of one id -> the columns that say so. Prompt, history, reference, tests and
# constraints are not among them: the id is made of those.
GROUPS: Final = {
    "response": ("response_id",),
    "verdict": ("outcome", "score", "verifier", "n_correct", "n_judged", "pass_rate"),
    "labels": (
        "category",
        "category_label",
        "difficulty",
        "difficulty_by_pass_rate",
        "quality",
        "language",
        "n_prompt_tokens",
    ),
    "source": ("source", "licence", "non_commercial"),
}
_BETWEEN: Final = "\x1f"


class Rows(NamedTuple):
    """The rows of one dataset, by rising id.

    Attributes:
        ids: n, bytes.
        digests: n × len(GROUPS), of the columns of each group.
    """

    ids: NDArray[np.bytes_]
    digests: NDArray[np.uint64]


def read_rows(folder: Path) -> Rows:
    """Return the rows of ``dataset/``; columns that an older version did not write are as if they were empty."""
    names = ["id", *(name for columns in GROUPS.values() for name in columns)]
    ids: list[NDArray[np.bytes_]] = [np.empty(0, "S64")]
    digests: list[NDArray[np.uint64]] = [np.empty((0, len(GROUPS)), np.uint64)]
    for batch in batches(folder, names):
        ids.append(np.array(batch["id"].to_pylist(), "S64"))
        digests.append(np.column_stack([_digests(batch, columns) for columns in GROUPS.values()]))
    found = np.concatenate(ids)
    order = np.argsort(found, kind="stable")
    return _by_problem(found[order], np.concatenate(digests)[order])


def _by_problem(ids: NDArray[np.bytes_], digests: NDArray[np.uint64]) -> Rows:
    """Rows of one id, where a problem has several, as one: what they agree in as it is, else summed in any order."""
    names, starts = np.unique(ids, return_index=True)
    if len(names) == len(ids):
        return Rows(ids, digests)
    low, high = (extreme.reduceat(digests, starts, axis=0) for extreme in (np.minimum, np.maximum))
    return Rows(names, np.where(low == high, low, np.add.reduceat(digests, starts, axis=0)))


def batches(folder: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Those of the columns that a folder of Parquet has, in pieces that are read one after the other."""
    dataset = parquet_in(folder)
    names = [name for name in columns if name in dataset.schema.names]
    for batch in dataset.scanner(columns=names, batch_readahead=2, fragment_readahead=1).to_batches():
        if batch.num_rows:
            yield pa.Table.from_batches([batch])


def chosen_rows(folder: Path, ids: Iterable[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a few ids, with id and those of the columns that the folder has."""
    dataset = parquet_in(folder)
    names = [name for name in ("id", *columns) if name in dataset.schema.names]
    wanted = pc.field("id").isin(pa.array(sorted(ids), pa.string()))
    found: list[dict[str, Any]] = dataset.to_table(columns=names, filter=wanted).to_pylist()
    return found


def parquet_in(folder: Path) -> Dataset:
    """Return all Parquet files of a folder; others are passed over."""
    from pyarrow.dataset import dataset  # imports pandas, half a second that no build should pay

    return dataset(folder, format="parquet", exclude_invalid_files=True)


def _digests(table: pa.Table, columns: Sequence[str]) -> NDArray[np.uint64]:
    """Return one digest a row, of the values as text: null counts as no text."""
    texts = [table[name].cast(pa.string()) for name in columns if name in table.column_names]
    joined = pc.binary_join_element_wise(*texts, _BETWEEN, null_handling="replace", null_replacement="")
    from pandas.util import hash_array

    hashed: NDArray[np.uint64] = hash_array(joined.to_numpy(), categorize=False)
    return hashed


NOT_THERE: Final = "not in its sources"
# Canonical JSON has no blanks and escapes quotes in texts, so that this is a key and its value.
_FORMER_ID: Final = r'"former_id":"(?P<former>[^"]+)"'


class DropReason(NamedTuple):
    """Where a row was lost.

    Attributes:
        name: stage and reason, as in ``verify/incorrect``.
        id: of the row when it was dropped.
        evidence: as ``dropped/`` has it, for the first few rows only.
    """

    name: str
    id: str
    evidence: Any = None


def drop_reasons(run: Path, ids: set[str], n_evidence: int = 20) -> dict[str, DropReason]:
    """Return where a run dropped rows, by the id that was asked for; ids that it never met are missing.

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


def _dropped(folder: Path, ids: set[str]) -> dict[str, DropReason]:
    found: dict[str, DropReason] = {}
    wanted = pa.array(sorted(ids), pa.string())
    for table in batches(folder, ["id", "stage", "reason"]) if ids else ():
        for row in table.filter(pc.is_in(table["id"], value_set=wanted)).to_pylist():
            fate = _fate(row)
            if row["id"] not in found or _place(fate) >= _place(found[row["id"]]):
                found[row["id"]] = fate
    return found


def _fate(row: dict[str, Any]) -> DropReason:
    return DropReason(f"{row['stage']}/{row['reason']}", row["id"])


def _place(fate: DropReason) -> int:
    """Of its stage in the pipeline."""
    stage = fate.name.partition("/")[0]
    return DROP_STAGES.index(stage) if stage in DROP_STAGES else len(DROP_STAGES)


def _evidence(folder: Path, wanted: set[DropReason]) -> dict[DropReason, Any]:
    rows = chosen_rows(folder, {fate.id for fate in wanted}, ("stage", "reason", "evidence"))
    return {_fate(row): json.loads(row["evidence"]) for row in rows}
