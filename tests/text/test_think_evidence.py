"""What shows that a response breaks the think template."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.distill import response_of
from tests.support.runs.samples import problem
from tracemill.core import Response, rows_of, table_of
from tracemill.ledger import Completion
from tracemill.quality.filters import Examined, fault_of
from tracemill.quality.measures import measure_responses
from tracemill.recipe.sections.quality import Quality
from tracemill.select import source_traces
from tracemill.sources.layouts.traces import parted_trace, tagged_trace
from tracemill.text.think import FAULTS, fault_evidence, split_think

LONG = "so we add three and five and see what comes of it, " * 40


@pytest.mark.parametrize(
    ("content", "reasoning", "fault", "tag", "at"),
    [
        ("<think>a<think>b</think>A", None, "nested_think", "<think>", 8),
        ("<think>a</think>b</think>A", None, "nested_think", "</think>", 17),
        ("<think>a</think>b<think>c", None, "nested_think", "<think>", 17),
        ("a</think>b<think>c", None, "nested_think", "<think>", 10),
        ("a</think>b</think>c", None, "nested_think", "</think>", 10),
        (f"<think>{LONG}<think>{LONG}</think>A", None, "nested_think", "<think>", 7 + len(LONG)),
        ("A <think> again", "thoughts", "nested_think", "<think>", 2),
        ("A</think>", "thoughts", "nested_think", "</think>", 1),
        ("<|begin_of_thought|>a<|end_of_thought|>b<|end_of_thought|>c", None, "nested_think", "<|end_of_thought|>", 40),
        ("<think>a", None, "unclosed_think", "<think>", 0),
        ("Well. <think>a</think>A", None, "text_before_think", None, 0),
        ("no tags at all", None, "no_think", None, 0),
        ("<think> </think>A", None, "empty_think", "</think>", 8),
        ("<think>a</think> ", None, "empty_answer", None, 17),
        ("<think>a</think><answer>A", None, "unclosed_answer", "<answer>", 16),
        ("<think>a</think>A</answer>", None, "unbalanced_answer", "</answer>", 17),
        ("<think>a</think><answer>A</answer>B</answer>", None, "unbalanced_answer", "</answer>", 35),
        ("<think>a</think>so <answer>A</answer>", None, "text_outside_answer", None, 16),
        ("<think>a</think><answer>A</answer> and", None, "text_outside_answer", None, 34),
    ],
)
def test_the_tag_at_fault_is_shown(content: str, reasoning: str | None, fault: str, tag: str | None, at: int) -> None:
    """The evidence names the first tag that has no place, and where it, or the text at fault, stands."""
    assert split_think(content, reasoning).fault == fault
    shown = fault_evidence(content, reasoning, fault)
    assert shown is not None
    assert (shown.get("tag"), shown["at"]) == (tag, at)
    assert tag is None or tag in shown["around"]
    assert len(shown["around"]) <= 200


@given(st.lists(st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "a ", " "])).map("".join))
def test_every_fault_has_evidence(content: str) -> None:
    """Whatever is wrong with a text, what shows it is part of it; of a sound one there is nothing."""
    fault = split_think(content).fault
    shown = fault_evidence(content, None, fault)
    assert (shown is None) == (fault is None)
    assert fault is None or fault in FAULTS
    if shown is not None and "tag" in shown:
        assert content[shown["at"] :].startswith(shown["tag"])


def dropped(told: Response) -> dict[str, object]:
    measures = measure_responses([told], {told.problem_id: "?"}, Quality().repetition)[0]
    found = fault_of(Examined(told, "?", measures), Quality())
    assert found is not None
    assert found.reason == "nested_think"
    return found.evidence


def test_a_dropped_response_shows_its_second_tag() -> None:
    """Of a teacher's response, of a source's trace and of split reasoning, the drop shows the tag and its place."""
    text = f"<think>{LONG}<think>more</think>\n\nIt is 8."
    asked = problem("?", traces=[tagged_trace("r1", text)])
    taught = response_of(asked, 0, Completion("k", text, None, "stop", 1, 1, "m"))
    for one in (taught, *source_traces(asked)):
        stored = next(iter(rows_of(Response, table_of(Response, [one]))))
        shown = dropped(stored)
        assert (shown["tag"], shown["at"]) == ("<think>", 7 + len(LONG))
    split = response_of(asked, 0, Completion("k", "It is 8.", f"{LONG}<think> more", "stop", 1, 1, "m"))
    assert dropped(split)["tag"] == "<think>"
    parted = parted_trace("r1", "hm", "It is <think> 8.")
    assert parted is not None
    assert parted["fault_evidence"]["tag"] == "<think>"


def test_responses_from_before_are_read() -> None:
    """A table of responses without the column is read, and its evidence is what there is."""
    told = response_of(problem("?"), 0, Completion("k", "<think>a</think>b</think>A", None, "stop", 1, 1, "m"))
    [old] = rows_of(Response, table_of(Response, [told]).drop_columns(["fault_evidence"]))
    assert old.fault_evidence is None
    assert dropped(old)["ends"] == "A"
