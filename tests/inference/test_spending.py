"""What answers cost: read from replies as hosted servers send them, counted, bounded, and told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.judges import JudgeRound
from tests.support.runs.samples import problem
from tests.support.runs.small_run import SmallRun, table
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.hosted_server import HostedServer, Kind
from tests.support.servers.judge_server import JudgeServer, server_of
from tracemill.core import BudgetReachedError, RecipeError, TeacherMisconfiguredError
from tracemill.generate import Estimate, build_request
from tracemill.generate.cost import Measured, Outstanding
from tracemill.inference import ModelClient, Request
from tracemill.inference.chat_reply import completion_from
from tracemill.inference.servers import Patience
from tracemill.inference.spending import Spending
from tracemill.ledger import Completion, Ledger
from tracemill.ledger.record import decode, encode, served_by
from tracemill.recipe import parse_recipe
from tracemill.recipe.sections.distill import Cost
from tracemill.recipe.sections.money import Price, Purse
from tracemill.recipe.sections.server import Teacher
from tracemill.recipe.yaml import parse_yaml

QUICK = Patience(base_s=0.01, cap_s=0.1, connect_s=2.0)
BY_TOKENS = Price(input=1.0, cached_input=0.5, output=2.0)
TEXT = "name: r\nsources: [{name: a, path: a.jsonl}]\ndistill: {teacher: {model: demo}}\n"


def requests(n: int, start: int = 0) -> list[Request]:
    asked = Teacher(model="demo", max_tokens=100)
    return [build_request(problem(f"What is {number} + 1?", "2"), asked, 0) for number in range(start, start + n)]


def teacher(server: HostedServer, price: Price, **settings: Any) -> Teacher:
    bounds = {"max_tokens": 100, "give_up_after_s": 5, "max_in_flight": 4}
    return Teacher(model="demo", base_urls=(server.url,), price=price, **bounds, **settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def spend(server: HostedServer, folder: Path, asked: list[Request], price: Price, budget: float | None) -> Spending:
    """Asks as a new process would: with figures of its own beside those that are there."""
    spending = Spending(folder / "spent" / "r", Purse(name="r", budget=budget))
    settings = teacher(server, price)
    one = ModelClient(settings, Ledger(folder), patience=QUICK, account=spending.account(settings))
    try:
        one.complete(asked)
    finally:
        one.close()
    return spending


@pytest.fixture(params=["openai", "deepseek", "openrouter"])
def server(request: pytest.FixtureRequest) -> Iterator[HostedServer]:
    kind: Kind = request.param
    with HostedServer(kind, wrong_percent=0) as running:
        yield running


# -- what is read and kept ---------------------------------------------------------------------------------------------

MESSAGE = {"choices": [{"message": {"content": "4"}, "finish_reason": "stop"}], "model": "m"}


@pytest.mark.parametrize(
    ("said", "served"),
    [
        ({}, {}),
        ({"system_fingerprint": "fp_1"}, {"system_fingerprint": "fp_1"}),
        ({"provider": "Together", "usage": {"cost": 0.014}}, {"provider": "Together", "cost": 0.014}),
        ({"usage": {"prompt_tokens_details": {"cached_tokens": 8}}}, {"cached_tokens": 8}),
        ({"usage": {"prompt_cache_hit_tokens": 9}}, {"cached_tokens": 9}),
        ({"usage": {"completion_tokens_details": {"reasoning_tokens": 7}}}, {"reasoning_tokens": 7}),
        ({"usage": {"cost": 1, "prompt_tokens_details": None}}, {"cost": 1.0}),
        ({"usage": {"cost": -1, "prompt_tokens_details": [3]}, "provider": {"name": "x"}}, {}),
        ({"usage": {"cost": True, "completion_tokens_details": {"reasoning_tokens": "many"}}}, {}),
        ({"provider": "", "system_fingerprint": None, "usage": None}, {}),
    ],
)
def test_what_a_server_says_of_how_it_answered_is_kept(said: dict[str, Any], served: dict[str, Any]) -> None:
    """Fields of all three manners are read; what is of another type is none, and loses no answer."""
    found = completion_from(MESSAGE | said, "a" * 64, "m")
    assert served_by(found) == served
    assert decode(encode(found)) == found


def test_lines_of_answers_without_the_new_fields_are_those_of_before() -> None:
    """What older versions wrote is read, and is what is written today where a server says nothing more."""
    line = encode(Completion("a" * 64, "4", None, "stop", 3, 5, "m"))
    fields = json.loads(line[74:])
    assert set(fields) == {"content", "reasoning", "finish_reason", "prompt_tokens", "completion_tokens", "model"}
    assert decode(line) == Completion("a" * 64, "4", None, "stop", 3, 5, "m")


# -- what it costs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "tokens", "amount"),
    [
        (BY_TOKENS, (10, 20, 4), (6 * 1.0 + 4 * 0.5 + 20 * 2.0) / 1e6),
        (Price(input=1.0, output=2.0), (10, 20, 4), (10 + 40) / 1e6),
        (Price(gpu_hour=2.0, gpus=8), (10, 20, 4), 0.0),
        (Price(input=0, output=0), (10, 20, 4), 0.0),
        (BY_TOKENS, (2, 0, 9), 2 * 0.5 / 1e6),
    ],
)
def test_tokens_have_their_price(price: Price, tokens: tuple[int, int, int], amount: float) -> None:
    """Cached tokens of a prompt are cheaper where the recipe says so, and never more than the prompt has."""
    assert price.of(*tokens) == pytest.approx(amount)


def test_what_is_counted_is_what_the_server_has_charged(server: HostedServer, folder: Path) -> None:
    """By tokens with those of the cache, or by usage.cost, the sum is the provider's own, also over processes."""
    price = Price(reported=True) if server.kind == "openrouter" else BY_TOKENS
    assert spend(server, folder, requests(12), price, None).amount == pytest.approx(server.spent)
    again = spend(server, folder, requests(20), price, None)
    assert again.amount == pytest.approx(server.spent)
    assert again.by_teacher()["demo"].n == server.completed == 20
    assert again.by_teacher()["demo"].cached_tokens == 20 * 4
    assert again.by_teacher()["demo"].reasoning_tokens == 20 * 4


def test_hours_count_while_something_is_asked(folder: Path) -> None:
    """GPUs are paid for by the time during which at least one request is under way, not once a request."""
    with HostedServer(wrong_percent=0, latency_s=0.1) as server:
        spent = spend(server, folder, requests(4), Price(gpu_hour=3600.0, gpus=2), None)
    assert 0.2 <= spent.amount < 2.0  # 0.1 s of two GPUs at 1 a second, four requests at once


# -- the budget --------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_beyond_the_budget_and_a_larger_one_goes_on(folder: Path) -> None:
    """What is in flight is kept; the next run with the same budget asks nothing, one with more asks what is missing."""
    with HostedServer(wrong_percent=0, latency_s=0.005) as server:
        asked = requests(60)
        with pytest.raises(BudgetReachedError, match=r"distill\.budget = 0\.0006") as error:
            spend(server, folder, asked, BY_TOKENS, 0.0006)
        assert "raise distill.budget" in error.value.remedy
        first = server.completed
        assert 0 < first < 60
        assert server.spent <= 0.0006
        assert len(Ledger(folder)) == first == server.received
        with pytest.raises(BudgetReachedError):
            spend(server, folder, asked, BY_TOKENS, 0.0006)
        assert server.received == first
        spend(server, folder, asked, BY_TOKENS, 1.0)
        assert server.completed == server.received == 60


def test_an_answer_that_hides_its_cost_is_kept_and_ends_a_run_with_a_budget(folder: Path) -> None:
    """Nobody can keep to a budget whose spending is not told; without a budget it is no fault."""
    with HostedServer("openai", wrong_percent=0) as server:
        with pytest.raises(TeacherMisconfiguredError, match="does not say what its answers cost"):
            spend(server, folder, requests(40), Price(reported=True), 1.0)
        assert 0 < len(Ledger(folder)) == server.completed < 40
        assert spend(server, folder, requests(40), Price(reported=True), None).amount == 0.0


def test_figures_that_cannot_be_read_are_told(folder: Path) -> None:
    """A budget is not kept by guessing what was spent."""
    (folder / "spent" / "r").mkdir(parents=True)
    (folder / "spent" / "r" / "x.json").write_text("{")
    with pytest.raises(Exception, match=r"what was spent cannot be read.*x\.json"):
        Spending(folder / "spent" / "r", Purse(name="r", budget=1.0))


# -- the recipe --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("distill.budget=5", r"budget needs the price of every teacher \(teacher.price\)"),
        ("distill.budget=0", "distill.budget"),
        ("distill.teacher.price={input: 1}", "needs input and output"),
        ("distill.teacher.price={gpu_hour: 1}", "needs gpu_hour and gpus"),
        ("distill.teacher.price={input: 1, output: 2, reported: true}", "needs one of"),
        ("distill.teacher.price={}", "needs one of"),
        ("distill.teacher.price={input: -1, output: 2}", "greater than or equal to 0"),
        ("distill.teacher.price={in: 1}", "input"),
    ],
)
def test_prices_that_say_too_little_are_refused(given: str, told: str) -> None:
    """Before anything runs, by key; a budget without a price is no budget."""
    with pytest.raises(RecipeError, match=told):
        parse_recipe(parse_yaml(TEXT, "it"), [given])


def test_a_budget_is_for_one_process_and_one_currency() -> None:
    """A cluster's processes cannot keep to one, and two currencies cannot be added."""
    priced = ["distill.teacher.price={input: 1, output: 2}", "distill.budget=5"]
    with pytest.raises(RecipeError, match="of a cluster"):
        parse_recipe(parse_yaml(TEXT, "it"), [*priced, "run.runner={kind: ray, address: auto}"])
    with pytest.raises(RecipeError, match="name one"):
        parse_recipe(parse_yaml(TEXT, "it"), ["distill.cost={currency: EUR}", "distill.currency=USD"])
    assert parse_recipe(parse_yaml(TEXT, "it"), ["distill.cost={currency: EUR}"]).distill.money == "EUR"


def test_prices_and_budgets_are_in_no_key() -> None:
    """Another price computes nothing anew."""
    plain = parse_recipe(parse_yaml(TEXT, "it"), [])
    priced = parse_recipe(
        parse_yaml(TEXT, "it"),
        ["distill.teacher.price={input: 1, output: 2}", "distill.budget=5", "distill.currency=EUR"],
    )
    assert priced.digest() == plain.digest()


def test_an_estimate_names_the_price_of_tokens() -> None:
    """From the least to the most that can be asked, by the sample's means."""
    measured = Measured(10, 0, 1000.0, 10_000.0, None)
    left = Outstanding(1000, 0, 1000, 0)
    lines = dict(Estimate(left, measured, Cost(), price=Price(input=1.0, output=2.0), currency="EUR").lines())
    assert lines["price of tokens"] == "21.0 to 42.0 EUR"
    hourly = Measured(10, 0, 1000.0, 1000.0, 1000.0)
    lines = dict(Estimate(Outstanding(3600, 0, 0, 0), hourly, Cost(), price=Price(gpu_hour=2.0, gpus=4)).lines())
    assert (lines["GPU-hours"], lines["price"]) == ("4.0", "8.0 USD")


# -- a build -----------------------------------------------------------------------------------------------------------


def test_a_build_stops_at_its_budget_goes_on_with_more_and_tells_what_it_took(tmp_path: Path) -> None:
    """Shards that the budget does not pay for are no failures; card, report and rows say who answered at what price."""
    with HostedServer("openrouter", wrong_percent=0, latency_s=0.002) as server:
        run = SmallRun(tmp_path, server.url)
        distill = run.recipe()["distill"]
        distill["teacher"]["price"] = {"reported": True}
        run.sections["distill"] = distill | {"budget": 0.0004}
        with pytest.raises(BudgetReachedError) as error:
            run.build()
        assert error.value.task is None
        assert server.spent <= 0.0004
        paid = server.completed
        run.sections["distill"] = distill | {"budget": 5}
        built = run.build()
        assert 0 < paid < server.completed == server.received
        assert built.spent.startswith("spent 0.00")
        assert built.spent.endswith("of 5.00 USD")
        rows = table(run.out, "dataset").to_pylist()
    asked = [row for row in rows if row["origin"] == "teacher"]
    served = [json.loads(row["info"])["served"] for row in asked]
    assert {one["provider"] for one in served} == {"DeepInfra"}
    assert all(one["cost"] > 0 and one["cached_tokens"] == 4 for one in served)
    assert all("served" not in json.loads(row["info"]) for row in rows if row["origin"] == "source")
    card = (run.out / "dataset" / "README.md").read_text()
    assert f"| demo | {server.completed} |" in card
    assert "What the answers cost" in (run.out / "report.html").read_text()


def test_a_judge_with_a_price_is_counted_and_kept_to_the_budget(tmp_path: Path) -> None:
    """What judges cost is spent beside what teachers cost; the budget ends their asking, and a larger one goes on."""
    with ChatServer(wrong_percent=60) as teacher, JudgeServer(says=lambda _: "incorrect") as judge:
        run = SmallRun(tmp_path, teacher.url)
        distill = run.recipe()["distill"]
        distill["teacher"]["price"] = {"input": 0, "output": 0}
        run.sections["judge"] = server_of(judge, price={"input": 0, "output": 1_000_000}, max_in_flight=1)
        run.sections["distill"] = distill | {"budget": 3}
        with pytest.raises(BudgetReachedError, match="the budget is spent"):
            run.build()
        assert judge.completed == 3  # a token each
        run.sections["distill"] = distill | {"budget": 1000}
        built = run.build()
        assert judge.completed > 3
        assert built.spent == f"spent {judge.completed}.00 of 1,000.00 USD"


def test_the_price_of_a_judge_is_in_no_key() -> None:
    """It changes nothing in what the judge says; where nobody has a price, nothing is counted."""
    raw = {"name": "r", "sources": [{"name": "s", "path": "s"}], "distill": {"teacher": {"model": "m"}}}
    plain = parse_recipe(raw | {"judge": {"model": "j"}})
    priced = parse_recipe(raw | {"judge": {"model": "j", "price": {"input": 1, "output": 2}}})
    assert plain.digest() == priced.digest()
    assert plain.purse is None
    assert priced.purse is not None
    rounds = [JudgeRound(judge=one.judge, ledger="l", purse=one.purse) for one in (plain, priced) if one.judge]
    assert rounds[0].digest() == rounds[1].digest()
