"""A published run to browse: formulas, a program, duplicates, contamination, and rows whose authors meant no good."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from tests.support.runs.published_runs import FUNNEL, sample
from tests.support.runs.samples import problem
from tracemill.core import Dropped, Outcome, Verdict, json_text, table_of
from tracemill.decontaminate.decontaminate import GREY
from tracemill.publish import Publication, publish
from tracemill.select import Sample
from tracemill.select.records import TRACES, Rejected
from tracemill.store import Store

SCRIPT: Final = "<script>document.title='owned'</script>"
EVIL: Final = (
    f"{SCRIPT} <img src=x onerror=alert(1)> [link](javascript:alert(1)) ![p](http://127.0.0.1:9/p.png) "
    r"$\href{javascript:alert(1)}{x}$ $\style{position:fixed}{y}$ $\newcommand{\a}{\b\b}\newcommand{\b}{\a\a}\a$ "
    "\x00\u202e</pre></td><style>body{display:none}</style>"
)
MATHS: Final = (
    "Half of it is $\\frac{1}{2}$, and the *sum* is\n\n\\[ \\sum_{k=1}^{n} k = \\frac{n(n+1)}{2} \\]\n\n"
    "```python\ndef total(n):\n    return n * (n + 1) // 2\n```\n\nIt costs $5 and $6. So \\boxed{\\frac{n(n+1)}{2}}."
)
HUGE: Final = "word " * 400_000  # 2 MB
TESTS: Final = {
    "kind": "stdio",
    "language": "python",
    "cases": [{"stdin": "1 2\n", "stdout": "3\n"}, {"stdin": SCRIPT, "stdout": "9\n"}],
    "time_limit_s": 6,
    "memory_limit_mb": 512,
}
ADDER: Final = "Read two numbers and print their sum."


def samples() -> list[Sample]:
    """Rows of the dataset."""
    maths = sample("What is the sum of the first $n$ numbers?", r"\frac{n(n+1)}{2}", answer=MATHS, think="Add.\nThen.")
    program = sample(
        ADDER,
        "",
        answer="```python\na, b = map(int, input().split())\nprint(a + b)\n```",
        tests=json_text(TESTS),
        category="code",
        source="programs",
        n_correct=1,
        n_judged=2,
        verifier="code@7",
    )
    evil = sample(EVIL, EVIL, answer=EVIL, think=EVIL, model=EVIL, source="a", info=json_text({"file": EVIL}))
    huge = sample("A huge one", answer=HUGE, think=HUGE)
    return [maths, program, evil, huge]


def browsed_run(folder: Path) -> Path:
    """Publishes it; the ids of its rows are digests, as in every run."""
    maths, program, evil, _ = rows = samples()
    store = Store(str(folder.parent / "store"))
    tables: dict[str, pa.Table] = {
        "traces": pa.Table.from_pylist(_traces(rows), schema=TRACES),
        "grey": pa.Table.from_pylist([_near(maths.id, EVIL), _near(maths.id, "The sum of n numbers?")], schema=GREY),
        "rejected": table_of(Rejected, [_rejected(program)]),
    }
    publication = Publication(
        key=folder.name,
        selected=[store.write_table(table_of(Sample, rows))],
        dropped=[store.write_table(table_of(Dropped, _dropped(maths, evil)))],
        verdicts=[store.write_table(table_of(Verdict, _verdicts(rows)))],
        shuffle_seed=1,
        rows_per_file=3,
        texts={"report.html": "page"},
        beside={name: [store.write_table(table)] for name, table in tables.items()},
        facts={"funnel": FUNNEL, "recipe": "small"},
    )
    publish(store, Store(str(folder)), publication)
    return folder


def _dropped(maths: Sample, evil: Sample) -> list[Dropped]:
    copy = problem("What is the sum of the first $m$ numbers?", "2")
    kept = {"kept": maths.id, "method": "minhash", "score": 0.91}
    found = {"benchmark": "holdout", "item": "7", "method": "ngrams", "score": 1.0, "overlap": f"the sum {SCRIPT}"}
    return [
        Dropped(copy.id, "a", 7, "deduplicate", "near_duplicate", kept, copy.prompt),
        Dropped(problem("In a benchmark", "2").id, "a", 8, "decontaminate", "holdout", found, f"In a benchmark {EVIL}"),
        Dropped("", "a", 9, "collect", "malformed_json", {"error": EVIL}, None, f"{{broken {EVIL}"),
        Dropped(evil.id, EVIL, 10, "clean", EVIL, {EVIL: EVIL}, EVIL),
    ]


def _verdicts(rows: list[Sample]) -> list[Verdict]:
    program = rows[1]
    detail = f"1/2 tests passed: AC WA; test 2: expected 9, got {SCRIPT}"
    right = [Verdict(r.response_id, r.id, Outcome.CORRECT, 1.0, r.verifier, "1", EVIL) for r in rows]
    wrong = Verdict("wrong", program.id, Outcome.INCORRECT, 0.5, "code@7", "print(1)", detail)
    return [*right, wrong, dataclasses.replace(right[0], verifier="judge@1", detail="the judge agrees", score=None)]


def _traces(rows: list[Sample]) -> list[dict[str, Any]]:
    empty = dict.fromkeys(TRACES.names) | {"origin": "teacher", "model": EVIL, "sample_index": 0}
    told = [
        empty | {"response_id": r.response_id, "problem_id": r.id, "outcome": "correct", "published": True}
        for r in rows
    ]
    wrong = {"response_id": "wrong", "problem_id": rows[1].id, "outcome": "incorrect", "published": False}
    return [
        {**each, "think_tokens": 3, "answer_tokens": 4}
        for each in [*told, empty | wrong | {"reason": "incorrect", "evidence": json_text({"detail": EVIL})}]
    ]


def _near(problem_id: str, text: str) -> dict[str, Any]:
    told = {"id": problem_id, "benchmark": "bench", "item": "3", "item_text": text, "method": "fuzzy", "score": 0.7}
    return told | {"overlap": text}


def _rejected(row: Sample) -> Rejected:
    return Rejected(
        id=row.id,
        response_id="wrong",
        source=row.source,
        category=row.category,
        prompt=[],
        think="Only one number?",
        answer="```python\nprint(1)\n```",
        model="m",
        origin="teacher",
        reason="incorrect",
        fault=None,
        evidence="{}",
        outcome="incorrect",
        verifier="code@7",
        score=0.5,
        licence="MIT",
        non_commercial=False,
    )
