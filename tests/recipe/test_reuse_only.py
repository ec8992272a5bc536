"""Section distill with a teacher and without one: what is refused, and which keys stay as they are."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.distill import DistillRound, Reuse, ReuseOnly
from tracemill.core import RecipeError
from tracemill.generate import build_request
from tracemill.recipe import parse_recipe
from tracemill.recipe.sections.distill import Distill
from tracemill.recipe.sections.server import Teacher
from tracemill.recipe.sections.verify import Verify

from tests.support.runs.samples import problem  # isort: skip

RAW: dict[str, Any] = {"name": "r", "sources": [{"name": "s", "path": "s.jsonl"}], "distill": {"teacher": None}}
FULL: dict[str, Any] = {
    "teacher": {
        "model": "m",
        "revision": "r1",
        "temperature": 1,
        "top_p": 0.9,
        "max_tokens": 77,
        "system_prompt": "am",
        "force_think": True,
        "base_urls": ["http://h/v1"],
    },
    "max_rounds": 3,
    "samples_per_round": 2,
    "reuse_models": ["x"],
    "limit": 5,
    "truncation": {"policy": "resample", "max_tokens": 99},
}
# Section, teacher, round and request, as they were before a recipe could go without a teacher.
PINNED = [
    (
        {"teacher": {"model": "m"}},
        "02cc98fd241a28607eb5a758b496012256526061c2563220ee1f94328f289e16",
        "207d30acc7eed591d0a33792365adcf7b38ff6f61bc53b08e3f3df3516942bc4",
        "4a7040a1f06ca26b46006f9d24359d1819a05472843f155c4919ad000961a2c2",
        "78f802f2820bdab721303d06b02d045722106dc70a05b63f7a172b1ab130bfc3",
    ),
    (
        FULL,
        "74a332fc17c4b2a7e135954448864184e59eb449b58a00b4e3364e7e85e5ce6b",
        "e624d74afe194e8648bb1dd7379c0d028d34fe70cbaab59b81f6e09daf4c35ff",
        "aafabb2ab7eca08a1b4b9d795f04acc0e2ad7963371a589fc8cad806f3c90728",
        "167d4a4a5736a61407f232ce2a3b2cdfa1c1b03771c1ab8fe67a7b2526a2af9a",
    ),
]


@pytest.mark.parametrize(("section", "distill", "teacher", "round_", "request_"), PINNED, ids=["least", "full"])
def test_keys_with_a_teacher_stay(
    section: dict[str, Any], distill: str, teacher: str, round_: str, request_: str
) -> None:
    """Digests of a section with a teacher, of the teacher, of a round and of a request are those of earlier code."""
    parsed = parse_recipe(RAW | {"distill": section}).distill
    asked = parsed.teacher
    assert isinstance(asked, Teacher)
    plan = DistillRound(teacher=asked, first_sample=0, samples=1, verify=Verify(), ledger="x")
    key = build_request(problem("What is 1 + 1?"), asked, 1).key
    assert (parsed.digest(), asked.digest(), plan.digest(), key) == (distill, teacher, round_, request_)


def test_traces_are_reused_under_their_old_key() -> None:
    """Stage reuse keeps its key with a teacher, and has another without one."""
    reuse = Reuse(models=("deepseek-r1",))
    assert reuse.digest() == "b84c0bebbcf9885efaa2188ce7d3ecc8288089e943259465c75fdd38df706bb1"
    assert ReuseOnly(models=("deepseek-r1",)).digest() != reuse.digest()


@pytest.mark.parametrize("section", [{}, {"teacher": None}, {"teacher": "none"}, {"teacher": False}, None])
def test_a_recipe_may_go_without_a_teacher(section: Any) -> None:
    """No teacher is what null, none, false and a section without one mean."""
    distill = parse_recipe(RAW | {"distill": section}).distill
    assert distill == Distill()
    assert distill.teacher is None


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("distill.max_rounds=2", r"distill\.max_rounds: got 2; means nothing without distill\.teacher"),
        ("distill.max_rounds=1", r"distill\.max_rounds: got 1; means nothing"),
        ("distill.samples_per_round=4", r"distill\.samples_per_round: got 4; means nothing"),
        ("distill.truncation={policy: continue}", r"distill\.truncation: .*means nothing"),
        ("distill.cost={gpus: 2}", r"distill\.cost: .*means nothing"),
        ("select.pass_rate={min_samples: 4}", r"select\.pass_rate: .*means nothing"),
        ("distill.reuse_traces=false", r"distill: needs a teacher where reuse_traces is false"),
        ("distill.reuse_models=[]", r"distill\.reuse_models"),
    ],
)
def test_what_only_a_teacher_can_do_is_refused(override: str, told: str) -> None:
    """A key that means nothing without a teacher is refused, with the key that would give it a meaning."""
    with pytest.raises(RecipeError, match=told):
        parse_recipe(RAW, [override])


def test_a_teacher_can_be_taken_off_by_an_override() -> None:
    """--set distill.teacher=null filters the traces of a recipe that has a teacher."""
    raw = RAW | {"distill": {"teacher": {"model": "m"}}}
    assert parse_recipe(raw, ["distill.teacher=null"]).distill.teacher is None
