"""A request that fails for ever, and an account without credit: told apart from servers that are down; over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.servers.chat_server import ChatServer, Fault, _faulty
from tracemill.core import ServerUnavailableError, TeacherMisconfiguredError, TeacherUnpaidError
from tracemill.inference import ModelClient, Refusal, Request
from tracemill.inference.credit import out_of_credit
from tracemill.inference.servers import Patience
from tracemill.ledger import Completion, Ledger
from tracemill.recipe.sections.server import Teacher

QUICK = Patience(base_s=0.005, cap_s=0.02, connect_s=2.0, say_every_s=0.05, probe_s=0.05)
GARBAGE = ["", "<html>", "{}", "[]", "null", '{"choices": []}', '{"choices": [{"finish_reason": "stop"}]}', "\xff"]


class OddServer(ChatServer):
    """A chat server at which one request is met by a fault, every time."""

    def __init__(self, fault: Fault, **options: Any) -> None:
        super().__init__(wrong_percent=0, **options)
        self.fault, self.n_odd = fault, 0

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if "odd" in body["messages"][-1]["content"]:
            self.n_odd += 1
            return await _faulty(request, self.fault)
        return await super()._chat(request)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., ModelClient]]:
    made: list[ModelClient] = []

    def teacher(*servers: ChatServer, **settings: Any) -> ModelClient:
        defaults = {"model": "demo", "max_tokens": 100, "request_timeout_s": 0.2, "give_up_after_s": 2}
        section = Teacher(base_urls=tuple(one.url for one in servers), **{**defaults, **settings})
        made.append(ModelClient(section, Ledger(tmp_path / "ledger"), patience=QUICK))
        return made[-1]

    yield teacher
    for one in made:
        one.close()


def asked(prompt: str) -> Request:
    digit = prompt.encode().hex()[:64]
    return Request(digit.ljust(64, "0"), [{"role": "user", "content": prompt}], {"max_tokens": 50, "temperature": 1})


FAULTS = {
    "500": Fault(500),
    "502 from a gateway": Fault(502, body="<html>Bad Gateway</html>"),
    "504": Fault(504, body=""),
    "529": Fault(529, body='{"error": "overloaded_error"}'),
    "breaks off": Fault(0),
    "hangs": Fault(200, hang_s=30),
    **{f"200 with {body!r}": Fault(200, body=body) for body in GARBAGE},
    "aborted": Fault(200, body='{"choices": [{"message": {"content": "x"}, "finish_reason": "abort"}]}'),
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_request_that_always_fails_is_set_aside_though_alone(make: Any, name: str) -> None:
    """Alone at a server that is well otherwise, it is given up after its tries, with the last failure as evidence."""
    with OddServer(FAULTS[name]) as server:
        teacher = make(server)
        (found,) = teacher.complete([asked("odd")])
        assert isinstance(found, Refusal)
        assert "given up after" in found.message
        assert server.n_odd <= QUICK.n_attempts + 1
        assert server.received <= 3, "what is asked to see whether the server is well costs more than a few tokens"
        assert all(body["max_tokens"] <= 16 for body in server.bodies)
        (answer,) = teacher.complete([asked("What is 1 + 1?")])
        assert isinstance(answer, Completion)
        assert isinstance(teacher.complete([asked("odd")])[0], Refusal), "the failure was recorded as an answer"


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "hangs"])
def test_a_server_that_fails_at_everything_is_no_refusal(make: Any, name: str) -> None:
    """A server that lists its models and fails at every request ends the call; no request is blamed."""
    with ChatServer(wrong_percent=0) as server:
        server.always = FAULTS[name]
        with pytest.raises(ServerUnavailableError):
            make(server, give_up_after_s=0.5).complete([asked("odd"), asked("What is 1 + 1?")])
        server.always = None
        assert isinstance(make(server).complete([asked("odd")])[0], Completion)


def test_a_server_that_hangs_at_everything_is_no_refusal(make: Any) -> None:
    """Time-outs at every request are the server's, however many requests wait."""
    with ChatServer(wrong_percent=0) as server:
        server.always = FAULTS["hangs"]
        with pytest.raises(ServerUnavailableError):
            make(server, give_up_after_s=0.5).complete([asked(f"odd {n}") for n in range(5)])


def test_a_broken_server_beside_a_sound_one_blames_no_request(make: Any) -> None:
    """Of two servers one fails at everything, at once, and so draws requests: the other answers all of them."""
    with ChatServer(wrong_percent=0) as broken, ChatServer(wrong_percent=0, latency_s=0.05) as sound:
        broken.always = Fault(500)
        found = make(broken, sound, max_in_flight=16).complete([asked(f"What is {n} + 1?") for n in range(60)])
        assert all(isinstance(answer, Completion) for answer in found)


def test_failures_of_an_outage_do_not_count(make: Any) -> None:
    """A request that failed often while the server was broken is answered when it is well again."""
    with ChatServer(wrong_percent=0) as server:
        server.faults.extend([Fault(500)] * 40)
        (answer,) = make(server, give_up_after_s=30).complete([asked("What is 1 + 1?")])
        assert isinstance(answer, Completion)


@pytest.mark.parametrize("status", [408, 429, 503])
def test_a_request_for_which_a_server_is_always_busy_is_set_aside(make: Any, status: int) -> None:
    """What is larger than a rate limit gets 429 for ever: alone, it is given up after twice give_up_after_s."""
    with OddServer(Fault(status, body='{"error": {"message": "Request too large"}}')) as server:
        found = make(server, give_up_after_s=0.2).complete([asked("odd"), asked("What is 1 + 1?")])
        assert isinstance(found[0], Refusal)
        assert found[0].message.endswith(f"HTTP {status}: Request too large")
        assert isinstance(found[1], Completion)


@pytest.mark.parametrize("status", [403, 404, 405, 410, 451])
def test_a_status_for_one_request_is_no_wrong_set_up(make: Any, status: int) -> None:
    """A prompt that a provider will not take (moderation, legal reasons) is refused; the others go on."""
    with OddServer(Fault(status, body='{"error": {"message": "your input was flagged"}}')) as server:
        found = make(server).complete([asked("odd"), asked("What is 1 + 1?")])
        assert found[0] == Refusal(asked("odd").key, status, f"HTTP {status}: your input was flagged")
        assert isinstance(found[1], Completion)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 301])
def test_the_same_status_for_everything_is_one(make: Any, status: int) -> None:
    """A key that is revoked in mid-run ends the run, and no request is blamed for it."""
    with ChatServer(wrong_percent=0) as server:
        server.always = Fault(status)
        with pytest.raises(TeacherMisconfiguredError, match=str(status)):
            make(server).complete([asked("odd")])


def _body(message: str, **fields: Any) -> str:
    return json.dumps({"error": {"message": message, **fields}})


OUT_OF_CREDIT = [
    # OpenAI, and whoever speaks like it
    (429, _body("You exceeded your current quota, please check your plan and billing details. For more information on"
     " this error, read the docs.", type="insufficient_quota", param=None, code="insufficient_quota")),
    (429, _body("You exceeded your current quota, please check your plan and billing details.")),
    (400, _body("Billing hard limit has been reached", code="billing_hard_limit_reached")),
    (429, _body("Your account is not active, please check your billing details on our website.",
                code="billing_not_active")),
    (403, _body("You exceeded your current quota", code="insufficient_quota")),
    (401, _body("You exceeded your current quota, please check your plan and billing details", code=401)),
    # DeepSeek
    (402, _body("Insufficient Balance", type="unknown_error", param=None, code="invalid_request_error")),
    # OpenRouter, also in a reply of status 200
    (402, _body("Insufficient credits. Add more using https://openrouter.ai/settings/credits", code=402)),
    (402, _body("This request requires more credits, or fewer max_tokens. You requested up to 16384 tokens", code=402)),
    (403, _body("Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys", code=403)),
    (200, _body("Insufficient credits", code=402)),
    # Anthropic
    (400, json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is"
     " too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}})),
    (400, json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": "You have reached your"
     " specified API usage limits. You will regain access on 2025-08-01 at 00:00 UTC."}})),
    (403, json.dumps({"type": "error", "error": {"type": "billing_error", "message": "There is an issue."}})),
    # Together, Fireworks, Hugging Face, xAI, Moonshot, Zhipu, SiliconFlow, DashScope, LiteLLM, Azure
    (402, _body("Credit limit exceeded, please navigate to https://api.together.xyz/settings/billing",
                type="credit_limit")),
    (412, _body("Account x is suspended, possibly due to reaching the monthly spending limit")),
    (402, '{"error": "You have exceeded your monthly included credits for Inference Providers."}'),
    (429, json.dumps({"code": "Some resource has been exhausted", "error": "Your team has either used all available"
     " credits or reached its monthly spending limit."})),
    (429, _body("You exceeded your current token quota", type="exceeded_current_quota_error")),
    (429, _body("您的账户已欠费，请充值后重试", code="1113")),
    (403, json.dumps({"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None})),
    (400, _body("Access denied, please make sure your account is in good standing.", code="Arrearage")),
    (400, _body("litellm.BadRequestError: Budget has been exceeded! Current cost: 20.1, Max budget: 20.0")),
    (403, _body("Out of call volume quota. Quota will be replenished in 2.13:45:00.", code="403")),
    (402, ""),
]  # fmt: skip
PASSES = [
    (429, _body("Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000."
     " Please try again in 6s. You can increase your rate limit by adding a payment method to your account at"
     " https://platform.openai.com/account/billing.", type="tokens", code="rate_limit_exceeded")),
    (429, _body("You exceeded your current quota, please check your plan and billing details. * Quota exceeded for"
     " metric: generate_content_free_tier_requests, limit: 10\nPlease retry in 42.6s.", status="RESOURCE_EXHAUSTED")),
    (429, _body("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 requests per day", code=429)),
    (429, _body("Requests have exceeded the call rate limit. Please retry after 6 seconds.", code="429")),
    (429, '{"type": "error", "error": {"type": "rate_limit_error", "message": "Number of tokens has exceeded"}}'),
    (429, ""),
    (503, _body("The server is overloaded")),
    (500, _body("internal error")),
    (400, _body("This model's maximum context length is 4096 tokens.", type="BadRequestError", code=400)),
    (422, _body("Input should be a valid string, input: 'A bank refuses a man with insufficient balance. How much …'")),
    (400, _body("prompt too long: 'Bob is out of credits and over budget, his payment is overdue. By how much?'")),
    (401, _body("Incorrect API key provided", code="invalid_api_key")),
    (404, _body("The model `x` does not exist.", code="model_not_found")),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body"), OUT_OF_CREDIT)
def test_an_empty_account_is_known(status: int, body: str) -> None:
    """What providers say of an account without credit, by their public pages, is understood."""
    assert out_of_credit(status, {}, body.encode())


@pytest.mark.parametrize(("status", "body"), PASSES)
def test_a_limit_that_passes_is_none(status: int, body: str) -> None:
    """A rate limit speaks of plans and billing too, and a question of balances: neither is an empty account."""
    assert not out_of_credit(status, {}, body.encode())


def test_retry_after_says_that_it_passes() -> None:
    """Words alone do not end a run where the server says when to come back."""
    said = b'{"error": {"message": "You exceeded your current quota, please check your plan and billing details."}}'
    assert not out_of_credit(429, {"Retry-After": "7"}, said)


@pytest.mark.parametrize(("status", "body"), [OUT_OF_CREDIT[0], OUT_OF_CREDIT[6], OUT_OF_CREDIT[10], OUT_OF_CREDIT[11]])
def test_an_empty_account_ends_the_wait_at_once(make: Any, status: int, body: str) -> None:
    """It ends within moments, naming words and remedy; what was answered is kept, and the next run goes on."""
    requests = [asked(f"What is {n} + 1?") for n in range(9)]
    with ChatServer(wrong_percent=0) as server:
        teacher = make(server, give_up_after_s=600, max_in_flight=1)
        teacher.complete(requests[:3])
        server.always = Fault(status, body=body)
        began = time.monotonic()
        with pytest.raises(TeacherUnpaidError, match=r"(?s)out of credit.*top the account up.*answers had before"):
            teacher.complete(requests)
        assert time.monotonic() - began < 30
        server.always = None
        assert all(isinstance(answer, Completion) for answer in teacher.complete(requests))
        assert server.completed == 9


def test_what_is_under_way_when_the_account_runs_dry_is_kept(make: Any) -> None:
    """Answers that the provider is writing, and will charge for, are waited for: nothing is paid twice."""
    requests = [asked(f"What is {n} + 1?") for n in range(20)]
    with ChatServer(wrong_percent=0, latency_s=0.3) as server:
        server.faults.extend([None] * 5)  # type: ignore[list-item]  # no fault: five are answered
        server.always = Fault(402)
        teacher = make(server, max_in_flight=8, request_timeout_s=5)
        with pytest.raises(TeacherUnpaidError):
            teacher.complete(requests)
        assert server.completed == 5
        server.always = None
        assert all(isinstance(answer, Completion) for answer in teacher.complete(requests))
        assert server.completed == 20


def test_a_rate_limit_is_waited_for(make: Any) -> None:
    """An ordinary 429 is asked again until it is answered, however often it comes."""
    with ChatServer(wrong_percent=0) as server:
        server.faults.extend([Fault(429, body=PASSES[0][1])] * 12)
        assert isinstance(make(server, give_up_after_s=30).complete([asked("What is 1 + 1?")])[0], Completion)
