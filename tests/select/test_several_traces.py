"""Several published responses to a problem, and problems that are dropped because its samples are alike."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.support.runs.cards import TALLY, text
from tests.support.runs.samples import problem, response, verdict
from tracemill.core import Dropped, Outcome, Response
from tracemill.recipe.sections.select import Select
from tracemill.select import Sample, sample_kind, select

ASKED = problem("What is one plus one?")


def chosen(
    responses: list[Response], outcomes: list[Outcome] | None = None, **rules: Any
) -> tuple[list[Sample], list[Dropped]]:
    found = outcomes or [Outcome.CORRECT] * len(responses)
    verdicts = {given.id: verdict(given, outcome) for given, outcome in zip(responses, found, strict=True)}
    return select([ASKED], responses, verdicts, {}, {}, Select.model_validate(rules))


def sampled(*answers: str) -> list[Response]:
    return [response(ASKED, f"r{n}", sample_index=n, answer=answer) for n, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, ["r0"]),
        ({"keep": 2}, ["r0", "r1"]),
        ({"keep": 9}, ["r0", "r1", "r3"]),
        ({"keep": "all"}, ["r0", "r1", "r3"]),
        ({"keep": 2, "prefer": "shortest"}, ["r3", "r0"]),
    ],
)
def test_so_many_passing_responses_are_kept(rules: dict[str, Any], expected: list[str]) -> None:
    """The preferred ones come first, those of equal text count once, and one without a number is one."""
    responses = sampled("four", "fourteen", "four", "4")
    assert [sample.response_id for sample in chosen(responses, **rules)[0]] == expected


def test_a_problem_has_one_id_whatever_is_sampled_later() -> None:
    """Rows share the problem's id; more samples add rows, and neither move nor rename those that were there."""
    early = chosen(sampled("a", "b"), keep="all")[0]
    later = chosen(sampled("a", "b", "c"), keep="all")[0]
    assert {sample.id for sample in later} == {ASKED.id}
    assert [sample.response_id for sample in later][:2] == [sample.response_id for sample in early]
    assert [sample.as_record()["sample_index"] for sample in later] == [0, 1, 2]


def test_one_response_per_problem_is_what_it_was() -> None:
    """Without the setting rows have the columns that they had, and the section has the digest that it had."""
    assert sample_kind(Select()) is Sample
    assert not {"keep", "spread"} & Select().content().keys()
    assert {"keep", "spread"} <= Select.model_validate({"keep": "all", "spread": {"math": 0.1}}).content().keys()


RIGHT, WRONG = Outcome.CORRECT, Outcome.INCORRECT


@pytest.mark.parametrize(
    ("outcomes", "least", "kept"),
    [
        ([RIGHT] * 4, 0.1, False),
        ([RIGHT, RIGHT, RIGHT, WRONG], 0.1, True),
        ([RIGHT, RIGHT, RIGHT, WRONG], 0.6, False),
        ([RIGHT, WRONG, WRONG, WRONG], math.sqrt(3) - 1e-9, True),
        ([RIGHT] * 3, 0.1, True),
    ],
)
def test_problems_whose_samples_are_alike_are_dropped(outcomes: list[Outcome], least: float, kept: bool) -> None:
    """The coefficient of variation of the scores decides, where there are samples enough; the drop says both."""
    responses = sampled(*map(str, range(len(outcomes))))
    samples, dropped = chosen(responses, outcomes, spread={"math": least})
    assert bool(samples) == kept
    assert [(row.stage, row.reason) for row in dropped] == ([] if kept else [("quality", "low_spread")])
    assert all(row.evidence["spread"] < row.evidence["min"] == least for row in dropped)
    assert chosen(responses, outcomes, spread={"code": 9.0})[0], "of another category"


def test_the_card_tells_rows_from_problems() -> None:
    """Where a problem may have several rows the card says how many rows answer how many problems."""
    tally = TALLY.model_copy(update={"problems": {"math": 3}})
    told = text(tally, select={"keep": "all"})
    assert "**5 rows answer 3 problems.**" in told
    assert "| math | 6 | 3 | 5 |\n| code | 1 | 0 | 0 |\n" in told
    assert "- name: sample_index" in told
    assert "sample_index" not in text(TALLY)
    assert "| math | 6 | 5 |\n| code | 1 | 0 |\n" in text(TALLY)
