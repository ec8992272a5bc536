"""Fields and headers of a recipe's own: what is sent, what is in the key, and what is refused before the run pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.engine.failed_task import without_secrets
from tests.support.runs.samples import problem
from tests.support.servers.chat_server import ChatServer, Fault
from tracemill.core import RecipeError, TeacherMisconfiguredError, TeacherUnpaidError
from tracemill.generate import build_request
from tracemill.generate.truncation import follow_up
from tracemill.inference import ModelClient, Request, shared_client
from tracemill.inference.servers import Patience
from tracemill.ledger import Completion, Ledger
from tracemill.recipe import parse_recipe, parse_section
from tracemill.recipe.sections.distill import Truncation
from tracemill.recipe.sections.judges import Judge
from tracemill.recipe.sections.server import Teacher
from tracemill.recipe.yaml import parse_yaml

TEXT = "name: r\nsources: [{name: a, path: a.jsonl}]\ndistill: {teacher: {model: demo}}\n"
QUICK = Patience(base_s=0.01, cap_s=0.1, connect_s=2.0)
SUM = problem("What is 1 + 1?", "2")


def teacher(*overrides: str) -> Teacher:
    found = parse_recipe(parse_yaml(TEXT, "it"), list(overrides)).distill.teacher
    assert isinstance(found, Teacher)
    return found


def request(settings: Teacher, index: int = 0) -> Request:
    return build_request(SUM, settings, index)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(wrong_percent=0) as running:
        yield running


@pytest.fixture
def ask(server: ChatServer, tmp_path: Path) -> Iterator[Callable[..., list[Any]]]:
    """Asks the server a sum by a teacher of these settings, twice in one process."""
    made: list[ModelClient] = []

    def asked(*overrides: str, n: int = 2) -> list[Any]:
        settings = teacher(f"distill.teacher.base_urls={server.url}", *overrides)
        made.append(ModelClient(settings, Ledger(tmp_path / "ledger"), patience=QUICK))
        return [answer for index in range(n) for answer in made[-1].complete([request(settings, index)])]

    yield asked
    for one in made:
        one.close()


FIELDS = (
    "distill.teacher.extra_body={top_k: 20, chat_template_kwargs: {enable_thinking: true}, stop: ['</s>'], y: '20'}"
)


def test_fields_are_sent_as_they_are_written(server: ChatServer, ask: Callable[..., list[Any]]) -> None:
    """Values are JSON's, nested or not; all other fields stay."""
    assert all(isinstance(answer, Completion) for answer in ask(FIELDS))
    body = server.bodies[-1]
    own = {"top_k": 20, "chat_template_kwargs": {"enable_thinking": True}, "stop": ["</s>"], "y": "20"}
    assert {name: body[name] for name in own} == own
    assert set(body) - set(own) == {"model", "messages", "temperature", "top_p", "max_tokens", "stream"}


def test_fields_are_in_the_key_only_where_they_are_given() -> None:
    """An empty mapping is no other request; a field, its value and its depth are."""
    plain = request(teacher()).key
    assert request(teacher("distill.teacher.extra_body={}")).key == plain
    assert teacher("distill.teacher.extra_body={}").digest() == teacher().digest()
    others = ["{top_k: 20}", "{top_k: 21}", "{a: {top_k: 20}}", "{top_k: '20'}"]
    keys = {request(teacher(f"distill.teacher.extra_body={other}")).key for other in others}
    assert len(keys | {plain}) == 5
    assert (
        request(teacher("distill.teacher.extra_body={a: 1, b: 2}")).key
        == request(teacher("distill.teacher.extra_body={b: 2, a: 1}")).key
    )


def test_follow_ups_have_the_fields_too() -> None:
    """A response that was cut off is asked for again with the same fields."""
    settings = teacher("distill.teacher.extra_body={top_k: 20}", "distill.teacher.max_tokens=8")
    first = request(settings)
    cut = Completion(first.key, "<think>so", None, "length", 1, 8, "demo")
    for rules in (Truncation(policy="resample", max_tokens=64), Truncation(policy="continue")):
        again = follow_up(first, [cut], 0, settings, rules)
        assert again is not None
        assert again.sampling["top_k"] == 20


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("{n: 4}", r"n is not for extra_body: set distill\.samples_per_round"),
        ("{model: x}", r"set distill\.teacher\.model"),
        ("{messages: []}", r"system_prompt or \.prompt_template"),
        ("{stream: true}", "recorded whole"),
        ("{max_completion_tokens: 9}", "max_tokens_field: max_completion_tokens"),
        ("{temperature: 1}", r"set distill\.teacher\.temperature"),
        ("{tools: []}", "no answer"),
        ("{api_key: x}", r"api_key would hold a secret.*set api_key or headers"),
        ("{provider: {token: x}}", r"provider\.token would hold a secret"),
        ("{site: 'http://u:p@h/'}", "password"),
        ("{a: yes}", r"\.a: got 'yes'; write true or false"),
        ("[1]", "should be a mapping"),
        ("high", "should be a mapping"),
    ],
)
def test_fields_that_are_set_elsewhere_are_refused(override: str, told: str) -> None:
    """Each names the setting to use; a secret would be in keys and in the card."""
    with pytest.raises(RecipeError, match=f"(?s)extra_body.*{told}"):
        teacher(f"distill.teacher.extra_body={override}")


def test_a_seed_is_for_one_sample() -> None:
    """With several samples of a problem all would be the same; with one it is a field like any other."""
    assert teacher("distill.teacher.extra_body={seed: 3}").extra_body == {"seed": 3}
    with pytest.raises(RecipeError, match="all samples of a problem the same one"):
        teacher("distill.teacher.extra_body={seed: 3}", "distill.max_rounds=2")


def test_the_limit_goes_by_the_name_that_the_server_wants(server: ChatServer, ask: Callable[..., list[Any]]) -> None:
    """max_completion_tokens is sent instead of max_tokens, and the key stays: what is asked for is the same."""
    server.refused_fields = ("max_tokens", "temperature", "top_p")
    named = ("distill.teacher.max_tokens_field=max_completion_tokens", "distill.teacher.max_tokens=77")
    ask(*named, "distill.teacher.temperature=null", "distill.teacher.top_p=null")
    assert server.bodies[-1]["max_completion_tokens"] == 77
    assert not {"max_tokens", "temperature", "top_p"} & set(server.bodies[-1])
    assert request(teacher(*named)).key == request(teacher(named[1])).key
    assert request(teacher("distill.teacher.temperature=null")).key != request(teacher()).key


def test_an_unknown_field_is_said_before_the_run_pays(server: ChatServer, ask: Callable[..., list[Any]]) -> None:
    """One small request is tried; the server's words and the settings are named, and nothing else is asked."""
    server.refused_fields = ("reasoning_effort",)
    with pytest.raises(TeacherMisconfiguredError, match=r"(?s)nothing else was asked.*reasoning_effort.*extra_body"):
        ask("distill.teacher.extra_body={reasoning_effort: high}")
    assert server.received == 1
    assert server.bodies[0]["max_tokens"] <= 1024
    assert server.completed == 0


def test_known_fields_are_tried_once(server: ChatServer, ask: Callable[..., list[Any]]) -> None:
    """A process tries them once, however often it asks; a recipe without fields of its own tries nothing."""
    ask("distill.teacher.extra_body={top_k: 20}", n=3)
    assert server.received == 4
    ask(n=3)
    assert server.received == 7


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=0), Fault(status=500)])
def test_trouble_at_the_first_try_says_nothing_of_fields(
    server: ChatServer, ask: Callable[..., list[Any]], fault: Fault
) -> None:
    """A server that is busy or breaks down at the small request is asked the real ones all the same."""
    server.faults.append(fault)
    assert isinstance(ask("distill.teacher.extra_body={top_k: 20}", n=1)[0], Completion)


def test_an_empty_account_at_the_first_try_ends_the_run(server: ChatServer, ask: Callable[..., list[Any]]) -> None:
    """402 is told as what it is."""
    server.faults.append(Fault(status=402, body='{"error": {"message": "Insufficient Balance"}}'))
    with pytest.raises(TeacherUnpaidError):
        ask("distill.teacher.extra_body={top_k: 20}")


def test_own_headers_are_sent_and_are_in_no_key(
    server: ChatServer, ask: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also to the list of models; values are the recipe's, or an environment variable's, blanks and all."""
    monkeypatch.setenv("OWN", "Basic abc def")
    own = "distill.teacher.headers={X-Title: a run, Authorization: env:OWN}"
    ask(own)
    assert (server.headers[-1]["X-Title"], server.headers[-1]["Authorization"]) == ("a run", "Basic abc def")
    assert teacher(own).digest() == teacher().digest()
    assert "a run" not in f"{teacher(own)!r}"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("headers={'X Title': planted}", "no name of an HTTP header"),
        ("headers={Content-Type: planted}", "set by tracemill itself"),
        ("headers={X-A: planted, x-a: planted}", "case does not count"),
        ("headers={X-A: [planted]}", r"headers\.X-A: .*should be text"),
        ("headers={X-A: ''}", "should be text"),
        ("headers={X-A: vault:planted}", "a place that is not known"),
        ('headers={X-A: "planted\\nX-B: more"}', "no HTTP header can carry"),
        ("headers=planted", "should be a mapping"),
        ("headers={Authorization: env:A}", r"needs one of headers\.Authorization, api_key"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(override: str, told: str) -> None:
    """Names and values as HTTP has them, one authorization, and no value is ever shown."""
    with pytest.raises(RecipeError, match=told) as refused:
        teacher(f"distill.teacher.{override}", "distill.teacher.api_key=env:B")
    assert "planted" not in str(refused.value)


def test_own_headers_do_not_follow_a_server_elsewhere(server: ChatServer, ask: Callable[..., list[Any]]) -> None:
    """A redirection is not followed with headers that may hold secrets; the run ends with what the server said."""
    server.always = Fault(status=307, headers={"Location": "http://127.0.0.1:9/v1/chat/completions"})
    with pytest.raises(TeacherMisconfiguredError, match="HTTP 307"):
        ask("distill.teacher.headers={X-Key: planted-secret}")


def test_servers_with_fields_and_headers_can_be_shared(server: ChatServer, tmp_path: Path) -> None:
    """Equal settings share a client and others do not, mappings or not; a failed task's record can be read again."""
    first, same, other = (
        teacher(
            f"distill.teacher.base_urls={server.url}",
            f"distill.teacher.extra_body={{top_k: {k}}}",
            "distill.teacher.headers={X-A: b c}",
        )
        for k in (1, 1, 2)
    )
    assert shared_client(first, tmp_path) is shared_client(same, tmp_path)
    assert shared_client(first, tmp_path) is not shared_client(other, tmp_path)
    kept = without_secrets(first)
    assert kept["headers"] == {}
    again = parse_section(Teacher, kept, origin="it")
    assert again.digest() == first.digest()


def test_a_judge_s_limit_has_the_server_s_name_too() -> None:
    """Every chat model can be one that takes max_completion_tokens alone; its key stays as well."""
    usual, renamed = Judge(model="m"), Judge(model="m", max_tokens_field="max_completion_tokens")
    assert usual.digest() == renamed.digest()
    assert renamed.adds_fields
    assert not usual.adds_fields
