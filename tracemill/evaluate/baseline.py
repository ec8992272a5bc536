"""A finished evaluation, read back: a baseline, or one side of ``tracemill diff``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq

from tracemill.core import StoreError, rows_of
from tracemill.evaluate.scores import ItemScore
from tracemill.evaluate.summary import by_benchmark
from tracemill.publish import published
from tracemill.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FACT: Final = "evaluation"  # in the manifest of one, and of nothing else
SCORES: Final = "scores.json"


@dataclass(frozen=True)
class Baseline:
    """A finished evaluation.

    Attributes:
        name: of its recipe.
        key: of its publication.
        scores: its ``scores.json``.
        items: by benchmark.
    """

    name: str
    key: str
    scores: Mapping[str, Any]
    items: Mapping[str, Sequence[ItemScore]]

    @property
    def student(self) -> dict[str, Any]:
        """Who was asked, and how."""
        return dict(self.scores["student"])


def read_evaluation(run: str | Path) -> Baseline:
    """Return the evaluation in a run's directory.

    Raises:
        StoreError: it is not the directory of a finished evaluation.
    """
    manifest = published(Store(str(run)))
    if manifest is None or FACT not in manifest:
        raise StoreError(
            f"{run} is no finished evaluation",
            got="a run of another kind" if manifest else "no manifest.json whose files are all there",
            expected="the directory of a run of flows.evaluate_student that ended well",
            remedy="name one such as runs/eval-demo, or evaluate that student first",
        )
    root = Path(run)
    tables = [pq.read_table(path) for path in sorted((root / "items").glob("*.parquet"))]
    items = [item for table in tables for item in rows_of(ItemScore, table)]
    scores = json.loads((root / SCORES).read_bytes())
    return Baseline(str(manifest[FACT]), str(manifest["key"]), scores, by_benchmark(items))
