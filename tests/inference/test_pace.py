"""How fast a server is asked: its window, what it says of limits, and what a refusal changes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import SecretStr

from tests.support.runs.samples import problem
from tests.support.servers.chat_server import ChatServer, Fault
from tests.support.servers.hosted_server import HostedServer, Kind, Limits
from tests.support.servers.paced_clock import Manner, reckon
from tracemill.core import TeacherUnpaidError
from tracemill.generate import build_request
from tracemill.inference import ModelClient, Request
from tracemill.inference.pace import Pace, Slot
from tracemill.inference.servers import Patience
from tracemill.ledger import Ledger
from tracemill.recipe.sections.server import Teacher

QUICK = Patience(base_s=0.01, cap_s=0.05, connect_s=2.0)


def requests(n: int) -> list[Request]:
    asked = Teacher(model="demo", max_tokens=100)
    return [build_request(problem(f"What is {number} + 1?", "2"), asked, 0) for number in range(n)]


def ask(server: ChatServer, folder: Path, n: int, **settings: Any) -> float:
    """Asks so much, and returns the seconds that it took."""
    bounds = {"max_tokens": 100, "give_up_after_s": 10, "max_in_flight": 64}
    one = Teacher(model="demo", base_urls=(server.url,), **{**bounds, **settings})
    teacher = ModelClient(one, Ledger(folder), patience=QUICK)
    try:
        teacher.check()
        began = time.monotonic()
        teacher.complete(requests(n))
        return time.monotonic() - began
    finally:
        teacher.close()


def sent(pace: Pace, now: float) -> Slot:
    return pace._send(now)


def round_of(pace: Pace, now: float, status: int = 200, headers: dict[str, str] | None = None) -> None:
    """As many as the window holds, all of which hear the same a second later."""
    slots = [sent(pace, now) for _ in range(int(pace.window))]
    for slot in slots:
        pace.heard(slot, status, headers or {}, now + 1)
        pace.n_in_flight -= 1


# -- the window --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({}, 256),
        ({"api_key": SecretStr("a-key")}, 8),
        ({"headers": {"api-key": SecretStr("a-key")}}, 8),
        ({"base_urls": ("https://api.example.org/v1",)}, 8),
        ({"api_key": SecretStr("a-key"), "start_in_flight": 100}, 100),
        ({"api_key": SecretStr("a-key"), "max_in_flight": 4}, 4),
    ],
)
def test_servers_that_are_likely_to_limit_are_asked_little_at_first(settings: dict[str, Any], first: int) -> None:
    """A server without key, headers and https is asked for all at once, as ever."""
    assert Teacher(model="m", **settings).first_in_flight == first


def test_the_window_grows_until_a_refusal_and_is_cut_once_for_a_round() -> None:
    """It grows by half with each round of answers; many refusals of one round are one; then it grows by one a round."""
    pace = Pace(100, 8)
    round_of(pace, 0.0)
    assert pace.window == pytest.approx(12, abs=1)
    round_of(pace, 2.0, 429)
    cut = pace.window
    assert 6 <= cut <= 9
    assert pace.n_refused == 12
    round_of(pace, 5.0)
    assert pace.window == pytest.approx(cut + 1, abs=0.2)


def test_a_time_out_cuts_the_window_deeper_than_a_refusal() -> None:
    """A generation of a whole request_timeout_s is lost by it."""
    refused, timed_out = Pace(64, 64), Pace(64, 64)
    for pace in (refused, timed_out):
        slots = [sent(pace, 0.0) for _ in range(64)]
        if pace is refused:
            pace.heard(slots[0], 429, {}, 1.0)
        else:
            pace.timed_out(slots[0], 1.0)
    assert timed_out.window < refused.window < 64


def test_a_server_that_refuses_nothing_is_not_held_back() -> None:
    """Without limits nobody waits, and the window is max_in_flight."""
    pace = Pace(16, 16)
    round_of(pace, 0.0)
    assert not pace.is_bounded
    assert pace.wait_s(5.0) == 0


# -- what a server says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_refusal_holds_everybody_for_as_long_as_it_asks(headers: dict[str, str], wait_s: float) -> None:
    """Not only the request that was refused."""
    pace = Pace(64, 64)
    slot = sent(pace, 0.0)
    pace.heard(slot, 429, headers, 10.0)
    pace.n_in_flight -= 1
    assert pace.wait_s(10.0) == pytest.approx(wait_s)


@pytest.mark.parametrize(
    ("remaining", "reset", "wait_s"),
    [
        ("0", "1s", 0.2),  # ten come back in a second; one is spared
        ("0", "1000ms", 0.2),
        ("5", "500ms", 0.0),
        ("0", "10m0s", 120.0),
        ("0", "never", 0.0),
        ("many", "1s", 0.0),
    ],
)
def test_what_is_left_of_a_limit_bounds_the_next_request(remaining: str, reset: str, wait_s: float) -> None:
    """A remainder that refills, as OpenAI tells it; headers that nobody understands bound nothing."""
    pace = Pace(64, 64)
    slot = sent(pace, 0.0)
    told = {"limit": "10", "remaining": remaining, "reset": reset}
    pace.heard(slot, 200, {f"x-ratelimit-{name}-requests": value for name, value in told.items()}, 0.0)
    pace.n_in_flight -= 1
    pace._n_sent = 1 if slot.number == 0 and remaining == "5" else 0
    assert pace.wait_s(0.0) == pytest.approx(wait_s, rel=0.1)


def test_a_window_that_is_used_up_is_waited_for() -> None:
    """OpenRouter tells when it begins anew, in milliseconds since 1970."""
    pace = Pace(64, 64)
    slot = sent(pace, 0.0)
    reset = str(int(1000 * (time.time() + 2)))
    told = {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    pace.heard(slot, 429, told, 100.0)
    pace.n_in_flight -= 1
    assert pace.wait_s(100.0) == pytest.approx(2.0, abs=0.1)
    assert pace.wait_s(102.2) == 0.0


@pytest.mark.parametrize("lag_s", [0.002, 0.05])
@pytest.mark.parametrize("manner", get_args(Manner))
def test_nine_tenths_of_what_is_granted_are_had_and_less_than_a_hundredth_is_refused(
    manner: Manner, lag_s: float
) -> None:
    """However the limit is told or not, from the first request on, also on a machine that is late by a twentieth."""
    granted, refused = reckon(Pace(256, 8), manner, rate=60, latency_s=0.2, lag_s=lag_s, n=1800)
    on_the_way = (0.2 + lag_s) / 0.2 if manner == "at once" else 1.0  # requests that are late are under way for longer
    assert granted * on_the_way >= 0.9
    assert refused < 0.01


# -- with servers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "limits"),
    [
        ("openai", Limits(per_s=100, burst=10)),
        ("openrouter", Limits(per_s=100)),
        ("deepseek", Limits(at_once=6)),
    ],
)
def test_what_is_granted_is_found_with_few_refusals(kind: Kind, limits: Limits, tmp_path: Path) -> None:
    """No request is lost, and those that are refused are few; benchmarks.teacher.rate_limits has the figures."""
    with HostedServer(kind, limits=limits, wrong_percent=0, latency_s=0.02) as server:
        ask(server, tmp_path, 150, api_key=SecretStr("a-key-of-mine"))
        assert server.completed == 150
        assert server.n_refused <= 25
        assert limits.at_once is None or server.peak <= limits.at_once


def test_retry_after_holds_all_workers(tmp_path: Path) -> None:
    """While a server asks for a second, nobody sends."""
    with ChatServer(wrong_percent=0, latency_s=0.01) as server:
        server.faults.append(Fault(429, {"Retry-After": "1"}))
        assert ask(server, tmp_path, 30, max_in_flight=2) >= 1.0
        assert server.received == 31


@pytest.mark.parametrize(
    ("kind", "words"),
    [("deepseek", "Insufficient Balance"), ("openai", "exceeded your current quota"), ("openrouter", "credits")],
)
def test_an_account_without_credit_ends_the_run_at_once(kind: Kind, words: str, tmp_path: Path) -> None:
    """402 and insufficient_quota are no rate limit: the provider's words are told, and what was answered is kept."""
    with HostedServer(kind, balance=0.0002, wrong_percent=0, latency_s=0.01) as server:
        with pytest.raises(TeacherUnpaidError, match=words) as error:
            ask(server, tmp_path, 60, max_in_flight=4)
        assert "top the account up" in error.value.remedy
        assert len(Ledger(tmp_path)) == server.completed
        assert server.received - server.completed <= 4
