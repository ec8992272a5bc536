"""Bounds of a recipe's keys: beyond them a value is refused, and at them a whole small run is right.

The keys are those of the recipe's classes, so that a new one is tried as well. Keys of one section are at their bounds
together, since a run costs most of a second.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest
from aiohttp import web
from pydantic.fields import FieldInfo

from flows.build_dataset import build
from flows.engine.plain_run import plain_run
from tests.support.runs.small_run import SmallRun, funnel, question
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.fake_embedder import FakeEmbedder
from tests.support.servers.judge_server import JudgeServer
from tracemill.cli.recipe_reference import places
from tracemill.core import Category, RecipeError
from tracemill.dedup.clusters import cluster
from tracemill.recipe import parse_recipe
from tracemill.recipe.values import bounds

# Times and shares of them that nothing can be done in, what needs another setting beside it, and what stands in place
# of another (a price by hours of one by tokens): see ALONE.
TOO_MUCH = ("samples_per_round", "max_rounds", "majority.samples", "majority.votes")  # a thousand of one is a large run
NOT_AT_ONCE = (
    "_s",
    "quantile",
    "calibration",
    "model_gpus",
    "max_tokens",
    "teacher.temperature",
    "pass_rate.above",
    "gpu_hour",
    "price.gpus",
    "budget",
    "batch.most",
    "batch.discount",
)


class Bounded(NamedTuple):
    """A key with bounds.

    Attributes:
        key: dotted; elements of lists by position.
        low: the least value that is right, and high: the greatest; None where there is none, or none that can be named.
        beyond: values just outside.
    """

    key: str
    operational: bool
    low: float | None
    high: float | None
    beyond: tuple[float, ...]


def all_bounds(annotation: Any, metadata: Any) -> dict[str, float]:
    """The bounds of a field, also those inside an optional type or a list."""
    found = bounds(metadata)
    for inner in get_args(annotation):
        found |= all_bounds(inner, getattr(inner, "__metadata__", ())) if not isinstance(inner, str) else {}
    return found


def bounded() -> Iterator[Bounded]:
    """Every key of a recipe that has bounds, but those of a list of teachers: they are the one teacher's."""
    for place in places():
        if place.path.startswith("distill.teachers"):
            continue
        for name, field in place.section.model_fields.items():
            limits = all_bounds(field.annotation, field.metadata)
            one = ".math" if Category in get_args(field.annotation) else ""  # its values are bounded, by category
            if limits:
                yield _bounded(f"{place.path}.{name}{one}".replace("[]", ".0"), field, limits)


def _bounded(key: str, field: FieldInfo, limits: dict[str, float]) -> Bounded:
    step = 1 if "int" in str(field.annotation).replace("Point", "") else 1e-6
    low = limits["ge"] if "ge" in limits else limits["gt"] + step
    high = limits["le"] if "le" in limits else limits["lt"] - step if "lt" in limits else None
    beyond = [limits["gt"] if "gt" in limits else low - step]
    beyond += [limits["lt"] if "lt" in limits else high + step] if high is not None else []
    extra = field.json_schema_extra
    return Bounded(key, isinstance(extra, dict) and bool(extra.get("operational")), low, high, tuple(beyond))


KEYS = list(bounded())
SECTIONS = sorted({found.key.split(".")[0] for found in KEYS})


class Models(JudgeServer):
    """Every model but the teacher."""

    def _route(self, router: web.UrlDispatcher) -> None:
        super()._route(router)
        router.add_post("/v1/embeddings", self._embed)

    async def _embed(self, request: web.Request) -> web.Response:
        vectors = FakeEmbedder().embed((await request.json())["input"])
        encoded = [base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in vectors]
        data = [{"index": place, "embedding": text} for place, text in enumerate(encoded)]
        return web.json_response({"model": "judge", "data": data, "usage": {"prompt_tokens": 3}})


def said(prompt: str) -> str:
    """What guard and judge say."""
    return "safe" if "Reply safe" in prompt else "incorrect"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRun]:
    """A recipe with every section, over rows that are duplicates, contaminated, malformed, open and right."""
    with (
        ChatServer(wrong_percent=30) as teacher,
        Models(says=said, scores=lambda _: [1.0] * 5) as models,
    ):
        rows = [*(question(n) for n in range(6)), question(2), {"question": "What is 3 + 4?", "answer": "#### 7"}]
        rows += [{"question": "Tell me what you know of the river and its boats.", "answer": "none"}]
        run = SmallRun(tmp_path_factory.mktemp("bounds"), teacher.url, rows=rows)
        run.sections = every_section(models.url)
        run.sections["distill"] = {"teacher": run.recipe()["distill"]["teacher"]} | run.sections["distill"]
        run.write()
        yield run


def every_section(url: str) -> dict[str, Any]:
    model = {"model": "judge", "base_urls": [url], "give_up_after_s": 5, "max_in_flight": 4}
    vectors = model | {"engine": "server"}
    weights = [{"name": "a", "weight": 1}, *({"name": name} for name in "bcde")]
    return {
        "deduplicate": {"semantic": vectors},
        "decontaminate": {
            "benchmarks": [{"name": "bench", "path": "bench.jsonl"}],
            "ngrams": {},
            "embeddings": vectors,
            "judge": model,
        },
        "label": {
            "labellers": [model],
            "downsample": [{"label": "difficulty", "value": "easy", "keep": 0.5}],
            "drop": [{"label": "n_prompt_tokens", "above": 4000}],
        },
        "majority": {"votes": 2, "samples": 4},
        "distill": {
            "max_rounds": 2,
            "truncation": {"policy": "continue"},
            "cost": {"sample": 2, "gpus": 1, "price_per_gpu_hour": 1},
        },
        "reward": model | {"profile": "decision-tree-reward", "threshold": 0.1},
        "rubric": model | {"threshold": 0.1},
        "judge": model,
        "perplexity": model,
        "safety": {"guard": model, "classifier": model | {"attributes": weights, "threshold": 5}},
        "frequent_strings": {"sketch_mib": 1},
        "select": {"preferences": 1, "rejected": True},
    }


def check(run: SmallRun, overrides: list[str], out: Path) -> dict[str, int]:
    """Builds, and looks whether every row is accounted for; the funnel."""
    counts = funnel(build(plain_run(parse_recipe(run.recipe(), overrides)), str(out)))
    gone = sum(n for key, n in counts.items() if key != "source/rows")
    assert counts["source/rows"] == gone == len(run.rows) + 2
    return counts


def together(section: str, bound: str, *, operational: bool) -> list[str]:
    """Overrides that set every key of a section to one of its bounds; with ``section`` empty, of all sections."""
    found = []
    for each in KEYS:
        value = each.low if bound == "low" else each.high
        skipped = NOT_AT_ONCE if bound == "low" else NOT_AT_ONCE + TOO_MUCH
        is_of_it = not section or each.key.split(".")[0] == section
        if is_of_it and value is not None and each.operational == operational and not each.key.endswith(skipped):
            found.append(f"{each.key}={json.dumps(value)}")
    return found


@pytest.mark.parametrize("bound", ["low", "high"])
@pytest.mark.parametrize("section", SECTIONS)
def test_a_run_at_the_bounds_is_right(small: SmallRun, section: str, bound: str, tmp_path: Path) -> None:
    """With all keys of a section at the least, or at the most, that they may be, nothing breaks off or is lost."""
    check(small, together(section, bound, operational=False), tmp_path / "out")


@pytest.mark.parametrize("bound", ["low", "high"])
def test_how_to_run_changes_nothing_at_the_bounds(small: SmallRun, bound: str, tmp_path: Path) -> None:
    """The same rows come out with every operational setting at its bound, in a store of its own."""
    usual = check(small, [], tmp_path / "usual")
    overrides = [*together("", bound, operational=True), f"run.store={tmp_path / 'store'}"]
    assert check(small, overrides, tmp_path / "out") == usual


ALONE = [
    ["reward.threshold=null", "reward.quantile=0.000001"],
    ["reward.threshold=null", "reward.quantile=0.999999", "reward.calibration=1"],
    ["distill.teacher.max_tokens=1"],
    ["distill.teacher.temperature=0", "majority.make=false"],
    ["distill.teacher.price={gpu_hour: 0, gpus: 1}", "distill.budget=0.000001"],
    ["distill.teacher.price={input: 1e9, output: 1e9}", "distill.budget=1e9"],
    ["select.pass_rate.above=[1, 0.6, 0.3, 0]"],
    ["deduplicate.threshold=1"],
    ["deduplicate.threshold=0.999999999"],
    ["deduplicate.threshold=0.000000001"],
    ["deduplicate.signature.num_perm=1"],
    ["deduplicate.signature.num_perm=2"],
    ["decontaminate.embeddings.min_similarity=1"],
    ["decontaminate.ngrams.min_containment=0"],
    ["distill.cost.model_gpus={judge: 1}"],
    ["verify.wall_s=0.000001"],
]


@pytest.mark.parametrize("overrides", ALONE, ids=" ".join)
def test_a_run_at_one_bound_is_right(small: SmallRun, overrides: list[str], tmp_path: Path) -> None:
    """So it is with one key at its bound, where others would hide what it does."""
    check(small, overrides, tmp_path / "out")


@pytest.mark.parametrize("found", KEYS, ids=lambda found: found.key)
def test_beyond_its_bounds_a_key_is_refused(small: SmallRun, found: Bounded) -> None:
    """The key is named, and what it got."""
    name = "0" if found.key.endswith("above") else "judge" if found.key.endswith("model_gpus") else ""
    for value in found.beyond:
        given = json.dumps({"judge": value} if name == "judge" else [value] * 4 if name else value)
        with pytest.raises(RecipeError, match=rf"{found.key}{'[.]' if name else ''}{name}: got ") as refused:
            parse_recipe(small.recipe(), [f"{found.key}={given}"])
        assert "should be" in str(refused.value)


def test_threshold_1_is_exact_copies_only() -> None:
    """Rows with the same words in another order have the same values, and are no copies; just below 1 they are."""
    same, other = np.arange(128, dtype=np.uint32), np.arange(1000, 1128, dtype=np.uint32)
    nearly = same.copy()
    nearly[5] = 7777
    sketches = np.stack([same, same, same, nearly, other])
    texts = np.array([0, 1, 0, 3, 4])  # the third row is a copy of the first
    assert cluster(sketches, texts, 1.0).roots.tolist() == [0, 1, 0, 3, 4]
    assert cluster(sketches, texts, 0.999).roots.tolist() == [0, 0, 0, 3, 4]
    assert cluster(sketches, texts, 0.99).roots.tolist() == [0, 0, 0, 0, 4]
