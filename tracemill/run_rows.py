"""The rows of a published dataset as digests, so that two of 1.4 million rows each are compared in little memory.

A row is 64 bytes of id and 8 for each group of columns; texts are not read, since ``response_id`` stands for them.
1.4 million rows of short texts against as many: 1.1 GB at most, 15 times as long as reading one of them whole
(``benchmarks/diff_runs.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

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
    """The rows of ``dataset/``; columns that an older version did not write are as if they were empty."""
    names = ["id", *(name for columns in GROUPS.values() for name in columns)]
    ids: list[NDArray[np.bytes_]] = [np.empty(0, "S64")]
    digests: list[NDArray[np.uint64]] = [np.empty((0, len(GROUPS)), np.uint64)]
    for batch in batches(folder, names):
        ids.append(np.array(batch["id"].to_pylist(), "S64"))
        digests.append(np.column_stack([_digests(batch, columns) for columns in GROUPS.values()]))
    found = np.concatenate(ids)
    order = np.argsort(found, kind="stable")
    return Rows(found[order], np.concatenate(digests)[order])


def batches(folder: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Those of the columns that a folder of Parquet has, in pieces that are read one after the other."""
    dataset = _parquet(folder)
    names = [name for name in columns if name in dataset.schema.names]
    for batch in dataset.scanner(columns=names, batch_readahead=2, fragment_readahead=1).to_batches():
        if batch.num_rows:
            yield pa.Table.from_batches([batch])


def chosen_rows(folder: Path, ids: Iterable[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a few ids, with id and those of the columns that the folder has."""
    dataset = _parquet(folder)
    names = [name for name in ("id", *columns) if name in dataset.schema.names]
    wanted = ds.field("id").isin(pa.array(sorted(ids), pa.string()))
    found: list[dict[str, Any]] = dataset.to_table(columns=names, filter=wanted).to_pylist()
    return found


def _parquet(folder: Path) -> ds.Dataset:
    return ds.dataset(folder, format="parquet", exclude_invalid_files=True)


def _digests(table: pa.Table, columns: Sequence[str]) -> NDArray[np.uint64]:
    """One digest a row, of the values as text: null counts as no text."""
    texts = [table[name].cast(pa.string()) for name in columns if name in table.column_names]
    joined = pc.binary_join_element_wise(*texts, _BETWEEN, null_handling="replace", null_replacement="")
    hashed: NDArray[np.uint64] = pd.util.hash_array(joined.to_numpy(), categorize=False)
    return hashed
