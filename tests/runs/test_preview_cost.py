"""What a preview says a full run would cost: by source and by teacher, with a range, or that no price is set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tracemill.recipe.sections.distill import Distill
from tracemill.runs.preview_cost import Looked, money_lines
from tracemill.select.records import TRACES


def distill(*teachers: dict[str, Any], **fields: Any) -> Distill:
    """A section of one teacher, or of several."""
    given = {"teacher": teachers[0]} if len(teachers) == 1 else {"teachers": list(teachers)}
    return Distill.model_validate(given | fields)


def run(folder: Path, *traces: tuple[str, str, int]) -> Path:
    """A preview with responses: problem, model, tokens."""
    rows = [
        dict.fromkeys(TRACES.names) | {"problem_id": problem, "model": model, "answer_tokens": n, "origin": "teacher"}
        for problem, model, n in traces
    ]
    (folder / "traces").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=TRACES), folder / "traces/part.parquet")
    return folder


def used(n: int, prompt: int, written: int, cost: float = 0.0) -> dict[str, Any]:
    return {"n": n, "prompt_tokens": prompt, "completion_tokens": written, "cost": cost}


def said(*arguments: Any) -> list[str]:
    return [" ".join(line.split()) for line in money_lines(*arguments)]


PRICE = {"input": 1, "output": 10}


def test_money_is_told_by_source(tmp_path: Path) -> None:
    """In proportion to the rows; rows that were not asked about cost nothing; the range follows from their spread."""
    where = run(tmp_path, ("p", "m", 100), ("q", "m", 300), ("r", "m", 400))
    manifest = {"usage": {"m": used(3, 300_000, 80_000)}}  # 0.3 for prompts, 0.1 each; 0.8 written: 0.1, 0.3, 0.4
    looked = {
        "a": Looked(4, 1_000, frozenset({"p", "q"})),  # 0.2, 0.4, 0, 0: mean 0.15, error 0.0957
        "b": Looked(1, None, frozenset({"r"})),
        "c": Looked(2, 2, frozenset()),
    }
    lines = said(where, manifest, looked, distill({"model": "m", "price": PRICE}))
    assert lines == [
        "what it would cost, by the recipe's prices likely range of 95 %",
        "a 150.00 USD 0 to 454.70 USD",
        "b 500.00 USD not known from one row of every 1,000 rows",
        "c 0 USD",
        "in all 150.00 USD 0 to 454.70 USD",
    ]


def test_several_teachers_are_told_apart(tmp_path: Path) -> None:
    """By what each did cost; whose price is not set, or is one of hours, is named as such."""
    where = run(tmp_path, ("p", "m", 100), ("p", "n", 100), ("q", "m", 100))
    manifest = {"usage": {"m": used(2, 0, 2_000_000), "big": used(1, 0, 5, cost=7), "o": used(1, 0, 1)}}
    section = distill(
        {"model": "m", "name": "m", "price": PRICE},
        {"model": "n", "name": "big", "price": {"reported": True}},
        {"model": "o", "name": "o"},
        {"model": "h", "name": "h", "price": {"gpu_hour": 2, "gpus": 8}},
        currency="EUR",
    )
    lines = said(where, manifest, {"a": Looked(2, 20, frozenset({"p", "q"}))}, section)
    assert [line for line in lines if line.startswith("of it")] == [
        "of it m 200.00 EUR",
        "of it big 70.00 EUR 0 to 959.43 EUR",
    ]
    assert lines[1].startswith("a 270.00 EUR")
    assert any("no price is set for o" in line and "distill.teacher.price" in line for line in lines)
    assert any("h costs by the hour" in line for line in lines)


def test_without_a_price_it_says_so(tmp_path: Path) -> None:
    """And how to set one."""
    where = run(tmp_path, ("p", "m", 100))
    lines = said(where, {"usage": {"m": used(1, 1, 1)}}, {"a": Looked(1, 9, frozenset({"p"}))}, distill({"model": "m"}))
    assert len(lines) == 1
    assert "no price is set for m" in lines[0]


def test_a_limit_bounds_it(tmp_path: Path) -> None:
    """By what one problem that was asked about has cost."""
    where = run(tmp_path, ("p", "m", 100), ("q", "m", 100))
    manifest = {"usage": {"m": used(2, 0, 200_000)}}
    section = distill({"model": "m", "price": PRICE}, limit=30)
    lines = said(where, manifest, {"a": Looked(10, 1_000, frozenset({"p", "q"}))}, section)
    assert lines[-1] == "at most, for distill.limit 30.00 USD"
