"""A small comparison of students for tests: its run, its recipe, without Prefect and with a fake trainer."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.needs import ROOT
from tests.support.runs.published_runs import FUNNEL
from tests.support.runs.samples import problem, response, verdict
from tracemill.core import Dropped, Outcome, Verdict, table_of
from tracemill.publish import Publication, publish
from tracemill.recipe.sections.select import Select
from tracemill.select import rejected_traces, sample_kind, select
from tracemill.select.records import Judged, Rejected
from tracemill.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from flows.compare_students import Compared

FAKE = ROOT / "tests/support/training/fake_trainer.py"


def run_of_pairs(folder: Path, n_problems: int = 200, start: int = 0) -> Path:
    """A finished build: problems with two right responses and one wrong one of other lengths each."""
    rules = Select.model_validate({"keep": "all", "rejected": True})
    problems = [problem(f"What is {number} + 1?", str(number + 1)) for number in range(start, start + n_problems)]
    samples, rejected = [], []
    for number, asked in enumerate(problems):
        answers = [
            response(
                asked, f"{asked.id}-{n}", sample_index=n, think=f"{kind} " + "step " * (number % 7 + n), answer="x"
            )
            for n, kind in enumerate(("RIGHT", "RIGHT", "WRONG"))
        ]
        outcomes = [Outcome.CORRECT, Outcome.CORRECT, Outcome.INCORRECT]
        verdicts = {given.id: verdict(given, outcome) for given, outcome in zip(answers, outcomes, strict=True)}
        chosen, _ = select([asked], answers, verdicts, {}, {}, rules)
        samples += chosen
        kept = frozenset(sample.response_id for sample in chosen)
        rejected += list(rejected_traces([asked], Judged(answers, verdicts, {}, kept)))
    store = Store(str(folder.parent / "runs-store"))
    kind = sample_kind(rules)
    publication = Publication(
        key=folder.name,
        selected=[store.write_table(table_of(kind, samples))],
        dropped=[store.write_table(table_of(Dropped, []))],
        verdicts=[store.write_table(table_of(Verdict, []))],
        shuffle_seed=1,
        rows_per_file=1000,
        texts={"report.html": "page"},
        beside={"rejected": [store.write_table(table_of(Rejected, rejected))]},
        facts={"funnel": FUNNEL, "recipe": "pairs"},
        kind=kind,
    )
    publish(store, Store(str(folder)), publication)
    return folder


ARMS: list[dict[str, Any]] = [
    {"name": "verified", "traces": "correct"},
    {"name": "mixed", "traces": "all", "wrong_share": "found"},
    {"name": "wrong", "traces": "wrong"},
]


@dataclass
class SmallComparison:
    """Change its parts between runs.

    Attributes:
        settings: of the fake trainer.
        sections: merged over the defaults here.
    """

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    sections: dict[str, Any] = field(default_factory=dict)

    def recipe(self) -> dict[str, Any]:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "run").exists():
            run_of_pairs(self.folder / "run")
            items = [{"question": f"What is {n} + 2?", "answer": str(n + 2)} for n in range(5000, 5060)]
            (self.folder / "held_out.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
            (self.folder / "base").mkdir()
        return {
            "name": "small",
            "traces": str(self.folder / "run"),
            "held_out": {"path": str(self.folder / "held_out.jsonl")},
            "arms": ARMS,
            "contrast": {"ahead": "verified", "behind": "mixed"},
            "trainer": {
                "python": sys.executable,
                "program": str(FAKE),
                "base": str(self.folder / "base"),
                "settings": self.settings,
            },
            "seeds": {"least": 2, "most": 2},
            "verify": {"workers": 1},
            "run": {"store": str(self.folder / "store")},
        } | self.sections

    def run(self) -> Compared:
        """Compares in this process."""
        from flows.compare_students import compare
        from flows.engine.plain_run import plain_run
        from tracemill.recipe.loading import load_comparison

        path = self.folder / "comparison.yaml"
        text = yaml.safe_dump(self.recipe())
        path.write_text(text, encoding="utf-8")
        return compare(plain_run(load_comparison(path)), str(self.folder / "out"))
