"""Responses that were cut off: dropped, continued or asked anew, and paid for once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs.samples import problem
from tests.support.runs.small_run import SmallRun, funnel, table
from tests.support.servers.chat_server import ChatServer
from tracemill.core import RecipeError
from tracemill.generate import Completer, build_request
from tracemill.generate.truncation import follow_up, joined
from tracemill.inference import Refusal, Request
from tracemill.ledger import Completion
from tracemill.recipe import parse_section
from tracemill.recipe.sections.distill import Distill, Truncation
from tracemill.recipe.sections.server import Teacher
from tracemill.text.think import split_think

TEACHER = Teacher(model="demo", max_tokens=8)
CONTINUE = Truncation(policy="continue", times=3)
RESAMPLE = Truncation(policy="resample", max_tokens=64)


def piece(content: str, finish_reason: str = "length", reasoning: str | None = None, key: str = "k") -> Completion:
    return Completion(key, content, reasoning, finish_reason, 5, 3, "demo")


def asked(**changes: Any) -> Request:
    return build_request(problem("What is 1 + 1?"), TEACHER.model_copy(update=changes), 2)


def test_a_continuation_goes_on_with_the_partial_turn() -> None:
    """The partial text stands as the assistant's last turn, which the server is told to go on with."""
    found = follow_up(asked(), [piece("<think>one"), piece(" two")], 2, TEACHER, CONTINUE)
    assert found is not None
    assert found.messages[-1] == {"role": "assistant", "content": "<think>one two"}
    assert found.messages[:-1] == asked().messages
    assert found.sampling["continue_final_message"] is True
    assert found.sampling["add_generation_prompt"] is False


def test_a_forced_think_is_continued_in_the_same_turn() -> None:
    """Where the request itself begins the assistant's turn, the text is added to that turn."""
    request = asked(force_think=True)
    found = follow_up(request, [piece("one")], 2, TEACHER, CONTINUE)
    assert request.messages[-1] == {"role": "assistant", "content": "<think>\n"}
    assert found is not None
    assert found.messages == [*request.messages[:-1], {"role": "assistant", "content": "<think>\none"}]


def test_a_think_tag_that_the_template_wrote_is_written_again() -> None:
    """An answer that begins inside its reasoning is continued behind the tag that its chat template opened."""
    found = follow_up(asked(), [piece("one")], 2, TEACHER, CONTINUE)
    assert found is not None
    assert found.messages[-1] == {"role": "assistant", "content": "<think>\none"}


@pytest.mark.parametrize(
    ("pieces", "rules"),
    [
        ([piece("<think>one", "stop")], CONTINUE),
        ([piece("<think>one")], Truncation()),
        ([piece("<think>one")] * 4, CONTINUE),
        ([piece("<think>one</think> two")], CONTINUE),
        ([piece("", reasoning="one")], CONTINUE),
        ([piece("")], CONTINUE),
        ([piece("one"), piece("one two")], RESAMPLE),
    ],
    ids=["complete", "drop", "times spent", "in the answer", "split off by the server", "nothing", "resampled"],
)
def test_what_is_not_followed_up(pieces: list[Completion], rules: Truncation) -> None:
    """Complete responses, spent times, and texts that the model would not see whole are left as they are."""
    assert follow_up(asked(), pieces, 0, TEACHER, rules) is None


def test_samples_are_followed_up_apart() -> None:
    """Two samples that begin alike have follow-ups with keys of their own."""
    keys = {follow_up(asked(), [piece("<think>one")], index, TEACHER, CONTINUE).key for index in range(3)}  # type: ignore[union-attr]
    assert len(keys) == 3


def test_joined_text_and_tokens() -> None:
    """Continued pieces make one text with their tokens added up; a response asked anew replaces the first."""
    pieces = [piece("<think>one"), piece(" two</think>\n\nthree", "stop", key="last")]
    whole = joined(pieces, CONTINUE)
    assert (whole.content, whole.finish_reason, whole.key) == ("<think>one two</think>\n\nthree", "stop", "last")
    assert (whole.prompt_tokens, whole.completion_tokens) == (5, 6)
    assert joined(pieces, RESAMPLE) == pieces[-1]


def test_a_refused_follow_up_changes_nothing() -> None:
    """A continuation that the server refuses leaves the response cut off, and is asked once."""
    n_asked = 0

    def ask(requests: Any) -> list[Completion | Refusal]:
        nonlocal n_asked
        n_asked += len(requests)
        return [
            Refusal(request.key, 400, "too long") if "continue_final_message" in request.sampling else piece("<think>a")
            for request in requests
        ]

    wholes = Completer(TEACHER, CONTINUE, ask)
    assert wholes.complete([asked(), asked()], [0, 1]) == [piece("<think>a")] * 2
    assert n_asked == 4 == 2 + wholes.n_follow_ups


@pytest.mark.parametrize(
    ("truncation", "words"),
    [
        ({"policy": "resample"}, "needs max_tokens"),
        ({"policy": "resample", "max_tokens": 8}, "expected more than teacher.max_tokens, 8"),
        ({"policy": "drop", "times": 2}, "times is of policy continue alone"),
    ],
)
def test_settings_without_sense_are_refused(truncation: dict[str, Any], words: str) -> None:
    """A policy that could do nothing is refused with what is missing."""
    raw = {"teacher": {"model": "m", "max_tokens": 8}, "truncation": truncation}
    with pytest.raises(RecipeError, match=words):
        parse_section(Distill, raw, origin="test")


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer(truncates=True, wrong_percent=0) as server:
        yield server


@pytest.mark.parametrize(
    ("truncation", "n_published", "n_truncated"),
    [
        ({"policy": "drop"}, 1, 59),
        ({"policy": "continue", "max_tokens": 20}, 61, 0),
        ({"policy": "resample", "max_tokens": 60}, 61, 0),
    ],
)
def test_whole_build(
    teacher: ChatServer, tmp_path: Path, truncation: dict[str, Any], n_published: int, n_truncated: int
) -> None:
    """Dropped responses are dropped as truncated; continued ones and those asked anew are whole, and paid for once."""
    run = SmallRun(tmp_path / "run", teacher.url)
    build = partial(_built, run, truncation)
    counts = build()
    published = table(run.out, "dataset").to_pylist()
    assert len(published) == n_published
    assert counts.get("distill/truncated", 0) == n_truncated
    for row in published:
        content = f"<think>{row['think']}</think>\n\n{row['answer']}"
        assert split_think(content).fault is None
        assert f"\\boxed{{{row['reference_answer']}}}" in row["answer"]
    completed = teacher.completed
    run.sections["collect"] = {"shard_rows": 13}
    build()
    assert teacher.completed == completed


def _built(run: SmallRun, truncation: dict[str, Any]) -> dict[str, int]:
    servers = {"model": run.model, "base_urls": [run.teacher_url], "give_up_after_s": 5}
    run.sections["distill"] = {"teacher": servers | {"max_tokens": 3}, "truncation": truncation}
    return funnel(run.build())
