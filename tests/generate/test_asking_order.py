"""The order of requests: what is expected to be long goes first, and no result knows of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.runs.samples import problem
from tests.support.runs.small_run import SmallRun
from tests.support.servers.chat_server import ChatServer
from tracemill.generate import asking_order
from tracemill.generate.order import Expected, expected
from tracemill.recipe.sections.server import Teacher

UNKNOWN = Expected(None, 2, 50)


def order(*lengths: Expected, how: str = "longest_first") -> list[int]:
    return asking_order([f"key {n}" for n in range(len(lengths))], lengths, how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lengths", "found"),
    [
        pytest.param([Expected(10, 2, 9), Expected(900, 2, 9), Expected(300, 2, 9)], [1, 2, 0], id="known lengths"),
        pytest.param([UNKNOWN, Expected(900, 2, 9), Expected(300, 2, 9)], [1, 0, 2], id="unknown is the middle"),
        pytest.param([Expected(None, 1, 900), Expected(None, 4, 9)], [1, 0], id="difficulty before the prompt"),
        pytest.param(
            [Expected(None, 2, 9), Expected(None, 2, 90)], [1, 0], id="the prompt where nothing else is known"
        ),
        pytest.param([UNKNOWN, UNKNOWN, UNKNOWN], [0, 1, 2], id="as given among equals"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_longest_first(lengths: list[Expected], found: list[int]) -> None:
    """What is expected to be longest is sent first."""
    assert order(*lengths) == found


def test_shuffled_and_as_given() -> None:
    """Shuffled is some other order, the same every time; as given is as given."""
    many = [UNKNOWN] * 50
    assert order(*many, how="as_given") == list(range(50))
    assert order(*many, how="shuffled") == order(*many, how="shuffled") != list(range(50))
    assert sorted(order(*many, how="shuffled")) == list(range(50))


def test_what_is_known_of_a_length() -> None:
    """Earlier answers count before the row's own trace, that before the label and the prompt."""
    asked = problem("What is 1 + 1?")
    assert expected(asked, ()) == Expected(None, 2, 14)
    asked.info["labels"] = {"difficulty": "very hard"}
    asked.traces.append({"model": "x", "think": "word " * 100, "answer": "2"})
    assert expected(asked, ()).difficulty == 4
    assert expected(asked, ()).tokens == pytest.approx(100, rel=0.5)
    assert expected(asked, (10, 30)).tokens == 20


def test_the_order_is_in_no_key() -> None:
    """Another order is the same section: nothing is done again."""
    orders = [Teacher(model="m", order=how) for how in ("longest_first", "shuffled", "as_given")]
    assert len({one.digest() for one in orders}) == 1


def test_results_do_not_depend_on_the_order(tmp_path: Path) -> None:
    """Every order publishes the same bytes; in the second round what took long in the first is asked first."""
    found = []
    for how in ("as_given", "longest_first"):
        with ChatServer(wrong_percent=50) as server:
            run = SmallRun(tmp_path / how, server.url)
            teacher = run.recipe()["distill"]["teacher"] | {"order": how, "max_in_flight": 1}
            run.sections |= {"distill": {"teacher": teacher, "max_rounds": 2}, "run": {"workers": 1}}
            run.build()
            prompts = [body["messages"][-1]["content"] for body in server.bodies]
        published = {name: one for name, one in run.digests().items() if name.endswith((".parquet", ".zst"))}
        found.append((published, prompts))
    assert found[0][0] == found[1][0]
    assert sorted(found[0][1]) == sorted(found[1][1])
    assert found[0][1] != found[1][1]
