"""What 1.4M, 40M and 1B rows need, reckoned from the rates in ``scaling_rates``: the tables of docs/scaling.md.

``python -m benchmarks.engine.scaling`` prints them; ``python -m benchmarks.engine.scaling docs/scaling.md`` writes them
there, between their markers. A test says whether the page is up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import scaling_rates as rates
from benchmarks.engine.scaling_rates import Known, Rate
from tracemill.dedup.clusters import lsh_parameters
from tracemill.recipe.sections.deduplicate import Deduplicate

SIZES = {"1.4M": 1.4e6, "40M": 40e6, "1B": 1e9}
SHARD_ROWS = 1000
HOUR_S = 3600.0
MONTH_S = 30 * 24 * HOUR_S
BEGIN, END = "<!-- benchmarks.engine.scaling: {} -->", "<!-- end -->"


@dataclass(frozen=True)
class Need:
    """One line: what a run of so many rows needs of something.

    Attributes:
        what: the stage, and what is counted.
        unit: of the amounts.
        amount: by rows.
        of: the rates that it is reckoned from.
    """

    what: str
    unit: str
    amount: Callable[[float], float]
    of: tuple[Rate, ...]


def _asked(rows: float) -> float:
    return rows * rates.ASKED.value


def _each(share: float, *of: Rate, unit: str = "core hours") -> tuple[str, Callable[[float], float], tuple[Rate, ...]]:
    seconds = sum(rate.value for rate in of)
    return unit, lambda rows: rows * share * seconds / HOUR_S, of


def _tasks(rows: float) -> float:
    return rows / SHARD_ROWS * rates.TASKS.value


BEFORE = (rates.COLLECT, rates.CLEAN, rates.SIGN, rates.DROP, rates.DECONTAMINATE, rates.LABEL)
GPU_S = rates.TOKENS.value / rates.GPU_TOKENS.value

COMPUTE = (
    Need(
        "teacher, at 2,200 tokens/s a GPU",
        "GPU hours",
        lambda rows: _asked(rows) * GPU_S / HOUR_S,
        (rates.ASKED, rates.TOKENS, rates.GPU_TOKENS),
    ),
    Need(
        "the same, in 30 days",
        "GPUs",
        lambda rows: _asked(rows) * GPU_S / MONTH_S,
        (rates.ASKED, rates.TOKENS, rates.GPU_TOKENS),
    ),
    Need(
        "teacher, at 25 answers an hour and GPU",
        "GPU hours",
        lambda rows: _asked(rows) / rates.GPU_ANSWERS.value / HOUR_S,
        (rates.ASKED, rates.GPU_ANSWERS),
    ),
    Need("asking it: our client", *_each(rates.ASKED.value, rates.CLIENT_CPU)),
    Need("collect, clean, sign, drop, decontaminate, label", *_each(1, *BEFORE)),
    Need("verify maths, all by the slow path", *_each(rates.MATHS.value, rates.MATHS_CHECK)),
    Need("verify programs, 15 tests each", *_each(rates.PROGRAMS.value, rates.PROGRAM_CHECK)),
    Need("quality filters on traces", *_each(1, rates.QUALITY)),
    Need("frequent strings, if switched on", *_each(1, rates.FREQUENT)),
    Need("orchestration beside the stages", *_each(1, rates.OVERHEAD_S)),
)

AT_ONCE = (
    Need("duplicates: clustering", "hours", lambda rows: rows * rates.CLUSTER_S.value / HOUR_S, (rates.CLUSTER_S,)),
    Need("duplicates: memory", "GB", lambda rows: rows * rates.CLUSTER_BYTES.value / 1e9, (rates.CLUSTER_BYTES,)),
    Need(
        "by meaning, with the guard",
        "core hours",
        lambda rows: rows * rates.SEMANTIC_GUARDED.value / HOUR_S,
        (rates.SEMANTIC_GUARDED,),
    ),
    Need(
        "by meaning, every pair",
        "core hours",
        lambda rows: rows**2 * rates.SEMANTIC_S.value / HOUR_S,
        (rates.SEMANTIC_S,),
    ),
    Need("by meaning: memory", "GB", lambda rows: rows * rates.SEMANTIC_BYTES.value / 1e9, (rates.SEMANTIC_BYTES,)),
    Need("tally", "core hours", lambda rows: rows * rates.TALLY.value / HOUR_S, (rates.TALLY,)),
    Need("export", "core hours", lambda rows: rows * rates.EXPORT.value / HOUR_S, (rates.EXPORT,)),
)

KEPT = (
    Need(
        "ledger on disk",
        "GB",
        lambda rows: _asked(rows) * rates.RECORD_BYTES.value / 1e9,
        (rates.ASKED, rates.RECORD_BYTES),
    ),
    Need(
        "ledger in memory, each process",
        "GB",
        lambda rows: _asked(rows) * rates.ENTRY_BYTES.value / 1e9,
        (rates.ASKED, rates.ENTRY_BYTES),
    ),
    Need(
        "ledger: opening it, each process",
        "s",
        lambda rows: _asked(rows) * rates.OPEN_S.value,
        (rates.ASKED, rates.OPEN_S),
    ),
    Need("store: responses", "GB", lambda rows: rows * rates.RESPONSE_BYTES.value / 1e9, (rates.RESPONSE_BYTES,)),
    Need("store: selected rows", "GB", lambda rows: rows * rates.SELECTED_BYTES.value / 1e9, (rates.SELECTED_BYTES,)),
    Need("the run's directory", "GB", lambda rows: rows * rates.PUBLISHED_BYTES.value / 1e9, (rates.PUBLISHED_BYTES,)),
    Need("Prefect: shards of 1,000 rows", "thousands", lambda rows: rows / SHARD_ROWS / 1e3, ()),
    Need("Prefect: task runs", "thousands", lambda rows: _tasks(rows) / 1e3, (rates.TASKS,)),
    Need(
        "Prefect: database (Postgres)",
        "GB",
        lambda rows: _tasks(rows) * rates.TASK_BYTES.value / 1e9,
        (rates.TASKS, rates.TASK_BYTES),
    ),
    Need(
        "Prefect: recording them",
        "hours",
        lambda rows: _tasks(rows) * rates.RECORD_S.value / HOUR_S,
        (rates.TASKS, rates.RECORD_S),
    ),
    Need(
        "finding everything finished again",
        "hours",
        lambda rows: _tasks(rows) * rates.FIND_S.value / HOUR_S,
        (rates.TASKS, rates.FIND_S),
    ),
)


def next_design() -> tuple[Need, ...]:
    """Return the duplicate step in partitions: what each of its parts holds."""
    settings = Deduplicate()
    n_values = settings.signature.num_perm
    bands, _ = lsh_parameters(settings.threshold, n_values)
    return (
        Need(f"signatures on disk: {n_values} values of 4 bytes", "GB", lambda rows: rows * 4 * n_values / 1e9, ()),
        Need(f"band entries on disk: {bands} keys and rows of 8 bytes", "GB", lambda rows: rows * bands * 16 / 1e9, ()),
        Need("one of 256 partitions in memory", "GB", lambda rows: rows * bands * 16 / 256 / 1e9, ()),
        Need("union-find in memory: 8 bytes a row", "GB", lambda rows: rows * 8 / 1e9, ()),
    )


def written(amount: float) -> str:
    """Return two digits, which is what the rates are good for."""
    if amount >= 99.5:
        digits = len(f"{amount:.0f}") - 2
        return f"{round(amount, -digits):,.0f}"
    return f"{amount:.2g}"


def needs_table(needs: tuple[Need, ...]) -> str:
    """Needs by size; the last column says what the rates are: every amount is reckoned from them."""
    lines = [f"| | unit | {' | '.join(SIZES)} | from |", "|---|---|" + "---:|" * len(SIZES) + "---|"]
    for need in needs:
        amounts = " | ".join(written(need.amount(rows)) for rows in SIZES.values())
        lines.append(f"| {need.what} | {need.unit} | {amounts} | {_known(need)} |")
    return "\n".join(lines)


def _known(need: Need) -> str:
    kinds = {rate.known for rate in need.of}
    return ", ".join(kind for kind in Known if kind in kinds) or "the code"


def rates_table() -> str:
    """Return every rate, with how it is known."""
    lines = ["| rate | | known | source |", "|---:|---|---|---|"]
    given = [rate for rate in vars(rates).values() if isinstance(rate, Rate)]
    lines += [f"| {_number(rate.value)} | {rate.unit} | {rate.known} | {rate.source} |" for rate in given]
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def tables() -> dict[str, str]:
    """Return all tables, by the name in their markers."""
    return {
        "compute": needs_table(COMPUTE),
        "at once": needs_table(AT_ONCE),
        "kept": needs_table(KEPT),
        "next design": needs_table(next_design()),
        "rates": rates_table(),
    }


def filled(page: str) -> str:
    """Return a page with every table between its markers.

    Raises:
        ValueError: the page lacks a marker.
    """
    for name, table in tables().items():
        begin = BEGIN.format(name)
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(END)
        if not (found and ended):
            raise ValueError(f"the page has no {begin} … {END}")
        page = f"{before}{begin}\n{table}\n{END}{after}"
    return page


def main() -> None:
    """Print the tables, or writes them into the page that is named."""
    if len(sys.argv) == 1:
        print("\n\n".join(tables().values()))
        return
    page = Path(sys.argv[1])
    page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
