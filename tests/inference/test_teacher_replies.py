"""teacher_replies and teacher_servers: the decisions behind the client, without a network."""

from __future__ import annotations

import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import TeacherMisconfiguredError
from tracemill.inference import ChatDialect, Refusal, Request
from tracemill.inference.dialects import Trouble, judge_models, read_reply, retry_after
from tracemill.inference.servers import Patience, Server, ServerPool
from tracemill.ledger import Completion
from tracemill.recipe.sections.server import Teacher as TeacherSettings

REQUEST = Request("a" * 64, [{"role": "user", "content": "hi"}], {"temperature": 0.6})
CHAT = ChatDialect(TeacherSettings(model="m"))


words = st.sampled_from(["choices", "message", "content", "usage", "x"])


def _read(status: int, raw: bytes = b"") -> Completion | Refusal | Trouble:
    return read_reply(REQUEST, CHAT, status, {}, raw)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refusal), (413, Refusal), (422, Refusal), (408, Trouble), (429, Trouble), (500, Trouble), (503, Trouble)],
)
def test_a_status_is_a_refusal_or_passes(status: int, kind: type) -> None:
    """Only 400, 413 and 422 speak against the request for good; busy and broken servers are asked again."""
    assert isinstance(_read(status), kind)


@pytest.mark.parametrize("status", [301, 401, 402, 403, 404, 405])
def test_other_statuses_are_a_wrong_set_up(status: int) -> None:
    """A status that no repetition will change for any request is an error."""
    with pytest.raises(TeacherMisconfiguredError, match=str(status)):
        _read(status)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "too long", "code": 400}}', "too long"),
        ('{"object": "error", "message": "too long"}', "too long"),
        ('{"error": "too long"}', "too long"),
        ("<html>too long", "<html>too long"),
        ("[1]", "[1]"),
        ("", "(empty body)"),
    ],
)
def test_the_servers_words_are_found(body: str, words: str) -> None:
    """A refusal carries the server's message, in whatever layout it came."""
    assert _read(400, body.encode()) == Refusal(REQUEST.key, 400, f"HTTP 400: {words}")


leaves = st.none() | st.text() | st.integers()
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(words, inner))


@given(raw=st.binary() | values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read(raw: bytes) -> None:
    """A 200 with any body at all is trouble, not a crash."""
    assert isinstance(_read(200, raw), Trouble)


def test_lone_surrogates_pass_both_ways() -> None:
    """A lone surrogate in a prompt or in an answer stops nothing."""
    request = Request("a" * 64, [{"role": "user", "content": "\udc80"}], {})
    assert json.loads(CHAT.body(request))["messages"][0]["content"] == "\udc80"
    result = _read(200, b'{"choices": [{"message": {"content": "\\ud800"}, "finish_reason": "stop"}]}')
    assert isinstance(result, Completion)
    assert result.content == "\ud800"


def test_retry_after_is_seconds_or_a_date() -> None:
    """Retry-After is read as seconds or as an HTTP date; nonsense and the past are no wait."""
    now = 1_700_000_000.0
    assert retry_after("7", now) == 7
    assert retry_after(formatdate(now + 30, usegmt=True), now) == 30
    for value in (None, "soon", "-3", formatdate(now - 30, usegmt=True)):
        assert retry_after(value, now) == 0


def test_a_list_of_models_without_lengths_is_enough() -> None:
    """A server that does not say its context length is taken as it is."""
    settings = TeacherSettings(model="m")
    assert judge_models("u", 200, b'{"data": [{"id": "m"}]}', settings) is None
    assert judge_models("u", 200, b'{"data": [{"id": "m", "max_model_len": 16384}]}', settings) is None
    assert judge_models("u", 200, b'{"data": [{"id": "m", "max_model_len": 16383}]}', settings) is not None


def test_servers_are_away_only_together() -> None:
    """The teacher is away when every server fails and none works on something older than its failure."""
    pool = ServerPool(("http://a/v1/", "http://b/v1"))
    one, two = pool.servers
    assert one.url == "http://a/v1"
    one.failed(10.0, "x")
    assert pool.away_since() is None
    two.failed(20.0, "x")
    assert pool.away_since() == 20.0
    two.starts[1] = 15.0
    assert pool.away_since() is None
    two.timed_out(15.0, 30.0, "x")
    del two.starts[1]
    assert pool.away_since() == 20.0
    one.answered(40.0)
    assert pool.away_since() is None


def test_a_time_out_counts_from_its_start_if_nothing_was_answered() -> None:
    """A server that answered nothing while a request timed out has been failing since that request began."""
    silent, alive = Server("a"), Server("b")
    alive.answered(15.0)
    silent.timed_out(10.0, 20.0, "x")
    alive.timed_out(10.0, 20.0, "x")
    assert (silent.failing_since, alive.failing_since) == (10.0, 20.0)


@given(loads=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=5))
def test_the_least_loaded_server_awake_is_chosen(loads: list[tuple[int, bool]]) -> None:
    """Chosen is a server with the fewest requests among those that do not rest; none if all rest."""
    pool = ServerPool(tuple(f"http://{number}" for number in range(len(loads))))
    for server, (n_requests, rests) in zip(pool.servers, loads, strict=True):
        server.starts, server.rests = dict.fromkeys(range(n_requests), 0.0), rests
    chosen = pool.choose()
    awake = [n_requests for n_requests, rests in loads if not rests]
    assert chosen is None if not awake else chosen is not None and len(chosen.starts) == min(awake)


@given(n_failures=st.integers(0, 10_000))
def test_delays_are_jittered_and_bounded(n_failures: int) -> None:
    """A delay is between nothing and its bound, which doubles up to the cap."""
    patience = Patience()
    assert 0 <= patience.delay_s(n_failures) <= patience.bound_s(n_failures) <= patience.cap_s
