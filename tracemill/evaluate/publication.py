"""What an evaluation publishes: scores, items, responses, verdicts, a page, and files that the Hub reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from tracemill.core import Response
from tracemill.evaluate.baseline import FACT
from tracemill.evaluate.report import ends, scored
from tracemill.evaluate.scores import ItemScore, JudgedSample
from tracemill.publish import Output
from tracemill.publish.export import ROWS_PER_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracemill.publish.directory.run_directory import RunDirectory
    from tracemill.recipe.evaluation import Evaluation
    from tracemill.store import Shard, Store

HUB_FOLDER: Final = ".eval_results"
EVALUATION: Final = Output(
    FACT, frozenset({"scores.json", "items", "responses", "verdicts", "report.html", HUB_FOLDER})
)


@dataclass(frozen=True)
class EvaluationPublication:
    """What ``evaluate_student`` publishes.

    Attributes:
        key: of everything below.
        items, responses, samples: shards of ``ItemScore``, ``Response`` and ``JudgedSample`` rows.
        texts: further files by name.
        facts: what else the manifest says.
        keep: an evaluation has no versions: the newest one tells all.
    """

    key: str
    items: Sequence[Shard]
    responses: Sequence[Shard]
    samples: Sequence[Shard]
    texts: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    keep: int = 1

    def write(self, store: Store, directory: RunDirectory) -> None:
        """Write every file but the manifest."""
        directory.shards("items", ItemScore.arrow, store, self.items, ROWS_PER_FILE)
        directory.shards("responses", Response.arrow, store, self.responses, ROWS_PER_FILE)
        directory.shards("verdicts", JudgedSample.arrow, store, self.samples, ROWS_PER_FILE)
        for name, text in self.texts.items():
            directory.text(name, text)


def hub_results(evaluation: Evaluation, scores: Mapping[str, Any]) -> dict[str, str]:
    """Return ``.eval_results/<benchmark>.yaml`` of each benchmark on the Hub, as the Hub shows them on a model's page.

    Without a date: the Hub takes the commit's, and the same scores are the same bytes. An incomplete score has none.
    """
    found = {}
    for benchmark in evaluation.benchmarks:
        score = scores["benchmarks"][benchmark.name]
        place = benchmark.hub or (_hub_of(benchmark.known) if benchmark.known else None)
        if place is None or score["avg"] is None or not score["complete"]:
            continue
        dataset = {"id": place, "task_id": benchmark.config or benchmark.known or benchmark.name}
        entry = {
            "dataset": dataset | ({"revision": benchmark.revision} if benchmark.revision else {}),
            "value": round(100 * score["avg"], 2),
            "notes": _notes(scores["student"], score),
        }
        text = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True, width=1000)
        found[f"{HUB_FOLDER}/{benchmark.name}.yaml"] = text
    return found


def _hub_of(known: str) -> str | None:
    from tracemill.recipe.evaluation import known_benchmark

    return known_benchmark(known).hub


def _notes(student: Mapping[str, Any], score: Mapping[str, Any]) -> str:
    asked = [
        f"{name} {student[key]}"
        for name, key in (("T", "temperature"), ("top_p", "top_p"), ("max_tokens", "max_tokens"))
        if student.get(key) is not None
    ]
    window = score.get("dates")
    parts = [
        f"avg@{score['samples']} over {score['items']} items: {scored(score)}",
        f"95 % interval {ends(score['interval'])}",
        *asked,
        *([f"prompt {score['template']}, system prompt {student['system_prompt']}"] if "template" in score else []),
        *([f"items of {window['from']} to {window['to']}"] if window else []),
        "tracemill",
    ]
    return "; ".join(parts)
