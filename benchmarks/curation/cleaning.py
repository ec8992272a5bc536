"""Claim: cleaning a shard by all rules costs little beside reading its rows. Prints one line with the ratio.

``TRACEMILL_REAL_DATA=DIR python -m benchmarks.curation.cleaning [--rounds 5]``

The rows are GSM8K, MATH, SVAMP, MBPP and IFEval as the layouts read them, in shards of 1,000. One side reads every
shard from a store and makes its rows, as each stage that works on rows does. The other is the whole clean stage: it
reads the shard's columns, applies labels, choices and every rule, and writes both tables to the store. Rounds
alternate; medians are compared. The same with the default settings (length only) is told beside them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from tasks.clean import clean_shard
from tasks.engine.stage import body_of
from tasks.engine.work import Work
from tracemill.core import Category, Problem, rows_of, table_of
from tracemill.recipe.sections.clean import Clean
from tracemill.sources import Source, raw_tables
from tracemill.sources.collect import collect
from tracemill.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracemill.store import Shard

SOURCES = {
    "gsm8k": "gsm8k_train.jsonl",
    "math": "math_competition.jsonl",
    "svamp": "svamp.jsonl",
    "mbpp": "mbpp.jsonl",
    "ifeval": "ifeval_prompts.jsonl",
}
ALL = tuple(Category)
ASKED = (Category.MATH, Category.CHOICE, Category.OTHER)
REFERENCED = (Category.MATH, Category.CHOICE)
EVERY_RULE = Clean(
    strip_labels=ASKED, incomplete=ALL, garbled=ALL, languages=("en", "zh"), url=ASKED, table=ASKED, figure=ASKED,
    drawing=ASKED, proof=ASKED, multi_part=ASKED, multiple_choice=REFERENCED, fill_in=True,
    unusable_reference=REFERENCED,
)  # fmt: skip


def shards_of(store: Store, data_dir: str, most: int | None = None) -> list[Shard]:
    """Return the real rows, in a store, at most so many of each source."""
    found: list[Shard] = []
    for layout, name in SOURCES.items():
        source = Source.model_validate({"name": layout, "path": f"sources/{name}", "layout": layout})
        raws = raw_tables(source, data_dir, 1000, {}, most)
        found += [store.write_table(table_of(Problem, collect(raw, source)[0])) for raw in raws]
    return found


def read(store: Store, shards: list[Shard]) -> int:
    """Return rows of every shard."""
    return sum(len(list(rows_of(Problem, store.read_table(shard)))) for shard in shards)


def clean(store: Store, shards: list[Shard], settings: Clean) -> int:
    """Return rows that the clean stage keeps, its tables written."""
    n_kept = 0
    for shard in shards:
        produced = body_of(clean_shard).run(Work(store, settings, {"problems": shard}))
        for table in produced.outputs.values():
            store.write_table(table)
        n_kept += produced.rows_kept
    return n_kept


def timed(work: Callable[[], int]) -> float:
    """Return the seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, metavar="N", help="at most N rows of each source (default: all)")
    given = parser.parse_args()
    data_dir = os.environ.get("TRACEMILL_REAL_DATA") or sys.exit("TRACEMILL_REAL_DATA is not set: it names a folder")
    with tempfile.TemporaryDirectory() as directory:
        store = Store(directory)
        shards = shards_of(store, data_dir, given.rows)
        n_rows = sum(shard.rows for shard in shards)
        n_kept = clean(store, shards, EVERY_RULE)  # and the language detector's profiles are loaded
        seconds: dict[str, list[float]] = {"read": [], "every rule": [], "default": []}
        for _ in range(given.rounds):
            seconds["read"].append(timed(lambda: read(store, shards)))
            seconds["every rule"].append(timed(lambda: clean(store, shards, EVERY_RULE)))
            seconds["default"].append(timed(lambda: clean(store, shards, Clean())))
    median = {name: statistics.median(measured) for name, measured in seconds.items()}
    ratios = {name: measured / median["read"] for name, measured in median.items()}
    rates = {name: f"{n_rows / measured:,.0f} rows/s" for name, measured in median.items()}
    print(
        f"{ratios['every rule']:.2f} x reading the rows, {ratios['default']:.2f} x with default rules "
        f"({rates['every rule']}, {rates['default']}; reading {rates['read']}; one process, {n_rows:,} rows of which "
        f"every rule drops {n_rows - n_kept:,})"
    )


if __name__ == "__main__":
    main()
