"""Arms differ in what they are about, and in nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from tests.support.needs import ROOT
from tracemill.core import RecipeError
from tracemill.recipe.sections.students import Arm
from tracemill.text.tokens import count_tokens
from tracemill.training.arms import Candidate, draw_arms, wrong_share

VERIFIED, ALL, WRONG = (
    Arm(name="verified", traces="correct"),
    Arm(name="all", traces="all"),
    Arm(name="wrong", traces="wrong"),
)
FOUND = Arm(name="found", traces="all", wrong_share="found")


def pool(n_problems: int = 200, seed: int = 0) -> list[Candidate]:
    """Four responses a problem; wrong ones are longer, and a third of all."""
    rng, found = Random(seed), []  # noqa: S311 - no secrets
    for number in range(n_problems):
        for sample in range(4):
            outcome = rng.choices(["correct", "incorrect", "no_answer"], [0.6, 0.3, 0.1])[0]
            n_tokens = rng.randint(60, 160) + 20 * (outcome != "correct")
            found.append(Candidate(f"p{number}", f"p{number}-{sample}", n_tokens, outcome, outcome == "correct"))
    return found


def tokens(traces: list[Candidate]) -> int:
    return sum(one.n_tokens for one in traces)


@pytest.mark.parametrize("seed", range(3))
def test_matched_arms_have_as_many_tokens(seed: int) -> None:
    """To half a per cent; nearly the same problems, one trace each; each of the kind that its arm asks for."""
    drawn = draw_arms(pool(), [VERIFIED, ALL, WRONG, FOUND], seed)
    sums = [tokens(traces) for traces in drawn.values()]
    assert max(sums) <= 1.005 * min(sums)
    for traces in drawn.values():
        assert len({one.id for one in traces}) == len(traces)
    problems = [{one.id for one in traces} for traces in drawn.values()]
    assert len(set.intersection(*problems)) > 0.8 * max(map(len, problems))
    assert {one.outcome for one in drawn["verified"]} == {"correct"}
    assert {one.outcome for one in drawn["wrong"]} == {"incorrect"}
    assert abs(wrong_share(drawn["found"]) - wrong_share(pool())) < 0.03


def test_a_draw_depends_on_its_seed_alone() -> None:
    """The same seed draws the same rows from responses in any order, another seed others."""
    candidates = pool()
    shuffled = Random(7).sample(candidates, len(candidates))  # noqa: S311 - likewise
    assert draw_arms(candidates, [VERIFIED, WRONG], 1) == draw_arms(shuffled, [VERIFIED, WRONG], 1)
    assert draw_arms(candidates, [VERIFIED, WRONG], 1) != draw_arms(candidates, [VERIFIED, WRONG], 2)


def test_an_arm_that_is_not_matched_takes_everything() -> None:
    """It holds every response of its query, whatever the others have."""
    everything = Arm(name="everything", traces="all", matched=False)
    drawn = draw_arms(pool(), [VERIFIED, everything], 0)
    assert len(drawn["everything"]) == len(pool())


def test_a_lower_size_is_reached() -> None:
    """With a number of tokens all matched arms have that many."""
    drawn = draw_arms(pool(), [VERIFIED, WRONG], 0, tokens=10_000)
    assert all(abs(tokens(traces) - 10_000) <= 50 for traces in drawn.values())


@pytest.mark.parametrize(
    ("candidates", "size", "told"),
    [
        ([one for one in pool() if one.outcome != "incorrect"], None, "arm .* is too small"),
        (pool(30), None, "at least 50"),
        (pool(), 10**6, "cannot have so many tokens"),
    ],
)
def test_arms_that_cannot_be_are_refused(candidates: list[Candidate], size: int | None, told: str) -> None:
    """An empty arm, one of a few rows, and a size above what there is."""
    with pytest.raises(RecipeError, match=told):
        draw_arms(candidates, [VERIFIED, WRONG], 0, size)


def test_padding_is_no_token(tmp_path: Path) -> None:
    """A tokenizer.json that pads batches, or cuts texts, counts a text as long as it is."""
    plain = ROOT / "demo/teacher/model/tokenizer.json"
    settings = json.loads(plain.read_text())
    settings["padding"] = {
        "strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "<|endoftext|>",
    }  # fmt: skip
    settings["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    (tmp_path / "tokenizer.json").write_text(json.dumps(settings))
    texts = ["What is 1 + 1?", "a longer text, with twelve words or so, to be told apart"]
    assert count_tokens(texts, str(tmp_path / "tokenizer.json")) == count_tokens(texts, str(plain))
