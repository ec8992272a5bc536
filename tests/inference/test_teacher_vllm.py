"""The teacher against real vLLM servers: one that is killed and comes back, and answers in pieces."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from demo.free_port import is_free
from demo.teacher.serve import DemoServer, serving
from tests.support.runs.samples import problem
from tests.support.warm.start import vllm_python
from tracemill.core import TeacherMisconfiguredError
from tracemill.generate import Completer, build_request
from tracemill.inference import ChatDialect, ModelClient, Refusal, Request
from tracemill.inference.dialects import judge_template
from tracemill.inference.servers import small
from tracemill.ledger import Completion, Ledger
from tracemill.recipe.sections.distill import Truncation
from tracemill.recipe.sections.server import Teacher

pytestmark = pytest.mark.needs_vllm

N_REQUESTS = 160


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """The demo teacher; the last test kills it."""
    with serving(vllm_python(), log=tmp_path_factory.mktemp("vllm") / "server.log") as running:
        yield running


def settings(server: DemoServer, **changes: Any) -> Teacher:
    given = {"temperature": 0.8, "max_tokens": 300, "max_in_flight": 32, "give_up_after_s": 300}
    return Teacher(model=server.model, base_urls=(server.base_url,), **(given | changes))


def complete(asked: Teacher, folder: Path, prompts: list[str]) -> list[Completion]:
    """Whole answers, continued where they were cut off."""
    requests = [build_request(problem(prompt), asked, 0) for prompt in prompts]
    with contextlib.closing(ModelClient(asked, Ledger(folder))) as teacher:
        wholes = Completer(asked, Truncation(policy="continue", max_tokens=25, times=9), teacher.complete)
        answers = wholes.complete(requests, [0] * len(requests))
    assert wholes.n_follow_ups > len(requests) or asked.max_tokens > 25
    return [answer for answer in answers if isinstance(answer, Completion)]


def test_the_chat_template_is_looked_at_without_generating(server: DemoServer) -> None:
    """A real server renders a chat at /tokenize beside /v1; a template that it does not use is known by its words."""
    asked = settings(server)
    url = server.base_url.removesuffix("/v1") + "/tokenize"
    body = {"model": server.model, "messages": [{"role": "user", "content": "Hello"}]}
    assert _posted(url, body)[0] == 200
    status, raw = _posted(url, {**body, "chat_template": "{{ raise_exception('this template is broken') }}"})
    assert judge_template(url, status, raw, asked) is not None


def _posted(url: str, body: dict[str, Any]) -> tuple[int, bytes]:
    async def post() -> tuple[int, bytes]:
        async with aiohttp.request("POST", url, json=body) as reply:
            return reply.status, await reply.read()

    return asyncio.run(post())


def test_a_prompt_beyond_the_context_is_refused_and_small_requests_are_answered(
    server: DemoServer, tmp_path: Path
) -> None:
    """It says 400, every time in the same words; what is asked in doubt it answers, in the form of any request."""
    asked = settings(server)
    requests = [build_request(problem(prompt), asked, 0) for prompt in ("What is 1 + 2? " * 5000, "What is 1 + 2?")]
    found = []
    for _ in range(2):
        with contextlib.closing(ModelClient(asked, Ledger(tmp_path))) as teacher:
            found.append(teacher.complete(requests))
    refused, answer = found[0]
    assert isinstance(refused, Refusal)
    assert isinstance(answer, Completion)
    assert (refused.status, "maximum context length" in refused.message) == (400, True)
    assert found[1] == found[0]
    forms = [
        requests[0].sampling,
        build_request(problem("x"), settings(server, force_think=True), 0).sampling,
        {"temperature": 0.0, "max_tokens": 16, "structured_outputs": {"choice": ["safe", "unsafe: hate"]}},
    ]
    dialect = ChatDialect(asked)
    for sampling in forms:
        request = small(Request("a" * 64, requests[0].messages, sampling))
        status, raw = _posted(dialect.url(server.base_url), orjson.loads(dialect.body(request)))
        assert (status, type(dialect.read(request, raw))) == (200, Completion)


def test_pieces_make_what_one_answer_would_have_been(server: DemoServer, tmp_path: Path) -> None:
    """At temperature 0, a continued answer is the text that the model gives when it has room for all of it."""
    prompts = [f"What is {n} + {3 * n}?" for n in range(100, 110)]
    expected = complete(settings(server, temperature=0), tmp_path / "whole", prompts)
    found = complete(settings(server, temperature=0, max_tokens=12), tmp_path / "pieces", prompts)
    pairs = [(one.content, other.content) for one, other in zip(expected, found, strict=True)]
    finished = [pair for pair, answer in zip(pairs, found, strict=True) if answer.finish_reason == "stop"]
    assert finished
    assert all(one == other for one, other in finished)
    assert all(one.startswith(other) for one, other in pairs)


def test_a_forced_think(server: DemoServer, tmp_path: Path) -> None:
    """With force_think the server goes on inside the reasoning that the request opened."""
    forced = settings(server, temperature=0, force_think=True)
    content = complete(forced, tmp_path / "ledger", ["What is 12 + 30?"])[0].content
    assert "</think>" in content
    assert "<think>" not in content


def sum_of(answer: Completion) -> str:
    """What stands before the end of its thinking."""
    return answer.content.partition("</think>")[0]


def test_own_fields_do_what_they_say(server: DemoServer, tmp_path: Path) -> None:
    """top_k: 1 is greedy at any temperature, stop ends an answer, the limit has either name, own prompts arrive."""
    prompts = [f"What is {n} + {3 * n}?" for n in range(100, 106)]
    # Its words after the sum are near-ties, which the make-up of a batch decides.
    greedy = [sum_of(answer) for answer in complete(settings(server, temperature=0), tmp_path, prompts)]
    alike = complete(settings(server, temperature=2, extra_body={"top_k": 1}), tmp_path, prompts)
    assert [sum_of(answer) for answer in alike] == greedy
    own = {"stop": ["</think>"], "chat_template_kwargs": {"unknown": True}}
    stopped = complete(settings(server, temperature=0, extra_body=own), tmp_path, prompts)
    assert [answer.content for answer in stopped] == greedy
    asked = settings(server, temperature=0, max_tokens=5, max_tokens_field="max_completion_tokens")
    asked = asked.model_copy(update={"prompt_template": "{{ prompt }} Think."})
    with contextlib.closing(ModelClient(asked, Ledger(tmp_path))) as teacher:
        answer = teacher.complete([build_request(problem(prompts[0]), asked, 0)])[0]
    assert isinstance(answer, Completion)
    assert (answer.finish_reason, answer.completion_tokens) == ("length", 5)


def test_a_field_that_it_refuses_is_said_before_anything_is_asked(server: DemoServer, tmp_path: Path) -> None:
    """A value of a wrong type is refused at the small request, in vLLM's words, which name the field."""
    asked = settings(server, extra_body={"top_k": "many"})
    with (
        contextlib.closing(ModelClient(asked, Ledger(tmp_path))) as teacher,
        pytest.raises(TeacherMisconfiguredError, match=r"(?s)nothing else was asked.*top_k.*extra_body"),
    ):
        teacher.complete([build_request(problem("What is 1 + 2?"), asked, 0)])


def test_a_killed_server_that_comes_back(server: DemoServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A server killed in mid-run is waited for, with a word about it; when it is back, every row is had."""
    caplog.set_level(logging.WARNING, logger="tracemill.teacher")
    asked = settings(server)
    requests = [build_request(problem(f"What is {n} + {n + 7}?"), asked, 0) for n in range(N_REQUESTS)]
    teacher = ModelClient(asked, Ledger(tmp_path / "ledger"))
    answers: list[Any] = []
    worker = threading.Thread(target=lambda: answers.extend(teacher.complete(requests)))
    worker.start()
    while teacher.progress().n_done < N_REQUESTS // 10:
        time.sleep(0.02)
    os.killpg(server.pid, signal.SIGKILL)
    n_before = teacher.progress().n_done
    assert n_before < N_REQUESTS, "the server was too fast to be killed in mid-run"
    deadline = time.monotonic() + 60
    port = int(server.base_url.rsplit(":", 1)[1].split("/")[0])
    while "no teacher answers" not in caplog.text or not is_free(port):
        assert time.monotonic() < deadline, "nobody was told that it is away"
        time.sleep(0.05)
    with serving(vllm_python(), port=port, log=tmp_path / "again.log"):
        worker.join(300)
        assert len(answers) == N_REQUESTS
    assert all(isinstance(answer, Completion) for answer in answers)
    assert len(Ledger(tmp_path / "ledger")) == N_REQUESTS
    assert "answers again" in caplog.text
    teacher.close()
