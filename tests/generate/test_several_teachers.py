"""Several teachers in one run: who is asked for what, whose response is published, and how they compare."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.phases.shards import start_order
from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.hosted_server import HostedServer
from tracemill.core import RecipeError
from tracemill.generate import Estimate
from tracemill.generate.cost import Measured, Other, Outstanding
from tracemill.inference.usage import Usage, lines
from tracemill.recipe import parse_recipe
from tracemill.recipe.sections.distill import Cost, Distill
from tracemill.recipe.sections.money import Price
from tracemill.recipe.sections.server import Teacher
from tracemill.recipe.yaml import parse_yaml

SOURCES = "name: r\nsources: [{name: a, path: a.jsonl}]\n"
CHEAP, DEAR = "{input: 1, output: 2}", "{input: 5, output: 9}"
TWO = f"distill: {{teachers: [{{model: dear, price: {DEAR}}}, {{model: cheap, price: {CHEAP}, samples: 4}}]}}\n"
N_ROWS = 24
N = N_ROWS + 2 - 1  # problems: two more bring traces, which are not reused; one is a benchmark's


def distill(text: str, *overrides: str) -> Distill:
    return parse_recipe(parse_yaml(SOURCES + text, "it"), list(overrides)).distill


@pytest.fixture
def servers() -> Iterator[tuple[HostedServer, HostedServer]]:
    """One that is wrong half of the time, and one that is always right."""
    with (
        HostedServer("openrouter", models=("weak",), wrong_percent=50) as weak,
        HostedServer("deepseek", models=("strong",), wrong_percent=0) as strong,
    ):
        yield weak, strong


def run_of(folder: Path, servers: tuple[HostedServer, HostedServer], **changes: Any) -> SmallRun:
    weak, strong = servers
    one: dict[str, Any] = {"max_tokens": 64, "give_up_after_s": 5, "max_in_flight": 8}
    teachers = [
        one | {"model": "weak", "base_urls": [weak.url], "price": {"reported": True}},
        one | {"model": "strong", "base_urls": [strong.url], "price": {"input": 1, "cached_input": 0.5, "output": 2}},
    ]
    run = SmallRun(folder, weak.url, rows=[question(n) for n in range(N_ROWS)])
    run.sections["distill"] = {"teacher": None, "teachers": teachers, "reuse_traces": False} | changes
    return run


# -- the recipe --------------------------------------------------------------------------------------------------------


def test_teachers_are_asked_in_the_order_of_the_recipe_or_of_price() -> None:
    """in_turn keeps to the list; cheapest_first goes by the price of output."""
    assert [turn.name for turn in distill(TWO).turns] == ["dear", "cheap"]
    turns = distill(TWO, "distill.ask=cheapest_first").turns
    assert [(turn.name, turn.samples) for turn in turns] == [("cheap", 4), ("dear", 1)]


def test_one_of_several_is_the_same_teacher_as_alone() -> None:
    """What it is asked, and so its keys and what the ledger holds, does not depend on the others."""
    alone = distill("distill: {teacher: {model: cheap, max_tokens: 99}}\n").turns[0]
    several = distill("distill: {teachers: [{model: cheap, max_tokens: 99, samples: 3, name: c}, {model: b}]}\n").turns[
        0
    ]
    assert several.teacher.content() == alone.teacher.content()
    assert isinstance(several.teacher, Teacher)
    assert several.teacher.place == "distill.teachers"


def test_a_recipe_with_one_teacher_has_the_digest_of_before() -> None:
    """New keys at their defaults are no part of it."""
    content = distill("distill: {teacher: {model: m}}\n").content()
    assert not {"teachers", "ask"} & set(content)
    assert not {"name", "price"} & set(content["teacher"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("distill: {teacher: {model: a}, teachers: [{model: b}]}", "names teacher and teachers"),
        ("distill: {teachers: [{model: a}, {model: a, revision: x, name: a}]}", "twice: a"),
        ("distill: {teachers: [{model: a, name: x}, {model: a, name: y}]}", "x and y ask for the same"),
        ("distill: {teachers: [{model: a}, {model: b}], samples_per_round: 2}", "of several each has its own samples"),
        ("distill: {teacher: {model: a}, ask: all}", "ask is of several teachers"),
        ("distill: {teachers: [{model: a}, {model: b}], ask: cheapest_first}", "every teacher's price of tokens"),
        (f"distill: {{teachers: [{{model: a, price: {CHEAP}}}, {{model: b}}], budget: 5}}", "price of every teacher"),
        ("distill: {teachers: [{model: a, samples: 0}]}", "samples"),
        ("distill: {teachers: [{model: a}, {model: b, samples: 2, extra_body: {seed: 1}}]}", "the same one"),
        ("distill: {teachers: [{model: a}, {model: b}]}\nselect: {teachers: [c]}", "select.teachers names c"),
        ("distill: {teachers: []}", "nobody answers|no trace|teacher"),
    ],
)
def test_teachers_that_contradict_each_other_are_refused(text: str, told: str) -> None:
    """Before anything runs, saying which."""
    given = text if "[]" not in text else text.replace("[]", "[], reuse_traces: false")
    with pytest.raises(RecipeError, match=told):
        distill(given + "\n")


def test_shards_start_by_the_first_teachers_order() -> None:
    """Nothing is read of a teacher that is not there."""
    recipe = parse_recipe(parse_yaml(SOURCES + TWO, "it"), [])
    assert start_order(recipe, {}) == []


# -- builds ------------------------------------------------------------------------------------------------------------


def test_the_second_teacher_is_asked_for_what_the_first_has_left(
    tmp_path: Path, servers: tuple[HostedServer, HostedServer]
) -> None:
    """Rows say who answered; card and report compare pass rates, tokens and cost; a second build asks nobody."""
    weak, strong = servers
    run = run_of(tmp_path, servers)
    built = run.build()
    assert weak.completed == N
    rows = table(run.out, "dataset").to_pylist()
    by_teacher = Counter(json.loads(row["info"])["served"]["teacher"] for row in rows)
    assert by_teacher["weak"] + by_teacher["strong"] == funnel(built)["published/rows"] == N
    assert 0 < strong.completed == by_teacher["strong"] == N - by_teacher["weak"]
    card = (run.out / "dataset" / "README.md").read_text()
    assert f"| weak | {N} | {by_teacher['weak']} | {by_teacher['weak'] / N:.1%} | {by_teacher['weak']} |" in card
    assert f"| strong | {by_teacher['strong']} | {by_teacher['strong']} | 100.0% |" in card
    assert "Teachers compared" in (run.out / "report.html").read_text()
    before = run.digests()
    assert run.build().n_executed == 0
    assert (weak.received, run.digests()) == (N, before)


def test_all_teachers_answer_every_problem_and_the_recipe_says_whose_is_published(
    tmp_path: Path, servers: tuple[HostedServer, HostedServer]
) -> None:
    """Samples are each teacher's own; of passing responses those of the preferred teacher stand, else the other's."""
    weak, strong = servers
    run = run_of(tmp_path, servers, ask="all")
    run.sections["distill"]["teachers"][0]["samples"] = 2
    run.sections["select"] = {"teachers": ["strong"]}
    run.build()
    assert (weak.completed, strong.completed) == (2 * N, N)
    rows = table(run.out, "dataset").to_pylist()
    assert {json.loads(row["info"])["served"]["teacher"] for row in rows} == {"strong"}
    run.sections["select"] = {"teachers": ["weak", "strong"]}
    run.build()
    assert (weak.received, strong.received) == (2 * N, N)
    by_teacher = Counter(json.loads(row["info"])["served"]["teacher"] for row in table(run.out, "dataset").to_pylist())
    assert by_teacher["weak"] > 0 < by_teacher["strong"]  # what the preferred one has not solved


def test_what_one_teacher_refuses_another_is_asked(tmp_path: Path) -> None:
    """A refusal is the server's, not the problem's."""
    with (
        ChatServer(models=("short",), max_model_len=10, wrong_percent=0) as short,
        ChatServer(models=("long",), wrong_percent=0) as long,
    ):
        run = SmallRun(tmp_path, short.url, rows=[question(n) for n in range(4)])
        one = {"max_tokens": 8, "give_up_after_s": 5, "refused_share": 1}
        teachers = [
            one | {"model": "short", "base_urls": [short.url]},
            one | {"model": "long", "base_urls": [long.url]},
        ]
        run.sections["distill"] = {"teacher": None, "teachers": teachers, "reuse_traces": False, "max_rounds": 2}
        built = run.build()
    assert funnel(built)["published/rows"] == 5
    assert (short.completed, short.received, long.completed) == (0, 5, 5)


# -- figures -----------------------------------------------------------------------------------------------------------


def test_an_estimate_names_the_teachers_after_the_first() -> None:
    """They may not be needed at all; at most they cost what so many answers as long as the first one's cost."""
    left, seen = Outstanding(100, 0, 0, 0), Measured(10, 0, 1000.0, 10_000.0, None)
    others = (Other("dear", 200, Price(input=5, output=10)), Other("own", 7, None))
    told = dict(Estimate(left, seen, Cost(), others=others).lines())
    assert told["then dear"] == "0 to 200 requests; at most 21.0 USD, were its answers as long as these"
    assert told["then own"] == "0 to 7 requests"


def test_one_teacher_without_a_price_is_not_compared() -> None:
    """Cards and reports of such recipes stay as they were."""
    assert lines({"m": Usage(1)}, {}, [Teacher(model="m")]) == []
    [line] = lines({"m": Usage(1, 10, 0, 20)}, {}, [Teacher(model="m", price=Price(input=1e6, output=1e6))])
    assert (line.amount, line.pass_rate) == (30.0, None)
