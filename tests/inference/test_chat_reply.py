"""chat_reply, and the other dialects: what a reply of status 200 says, whatever its types."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.servers.odd_replies import Odd, OddServer, reply
from tracemill.core.finish_reasons import Finish, finish_of
from tracemill.embeddings.server import EmbeddingDialect
from tracemill.inference import ChatDialect, ModelClient, Refusal, Request
from tracemill.inference.chat_reply import NoCompletionError, completion_from
from tracemill.inference.dialects import Trouble, outputs_in, read_reply
from tracemill.inference.servers import Patience
from tracemill.ledger import Completion, Ledger
from tracemill.ledger.record import decode, encode
from tracemill.quality.perplexity import LogprobDialect
from tracemill.recipe.sections.deduplicate import Embedding
from tracemill.recipe.sections.judges import Reward
from tracemill.recipe.sections.quality import Perplexity
from tracemill.recipe.sections.server import Teacher as TeacherSettings
from verifiers.models.reward import RewardScorer

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a" * 64
REQUEST = Request(KEY, [{"role": "user", "content": "hi"}], {})
CHAT = ChatDialect(TeacherSettings(model="m"))
TEXT = {"type": "text", "text": "4"}


def read(raw: bytes | Any) -> Completion | Refusal | Trouble:
    return read_reply(REQUEST, CHAT, 200, {}, raw if isinstance(raw, bytes) else json.dumps(raw).encode())


def said(message: Any, finish_reason: Any = "stop", **more: Any) -> Completion:
    found = read(reply(message, finish_reason, **more))
    assert isinstance(found, Completion), found
    assert decode(encode(found)) == found
    return found


@pytest.mark.parametrize(
    ("message", "content", "reasoning"),
    [
        ({"content": "4"}, "4", None),
        ({"content": "4", "reasoning": "hm"}, "4", "hm"),
        ({"content": "4", "reasoning_content": "hm"}, "4", "hm"),
        ({"content": "4", "reasoning": None, "reasoning_content": "hm"}, "4", "hm"),
        ({"content": "4", "reasoning": " ", "reasoning_content": "hm"}, "4", "hm"),
        (
            {"content": "4", "reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "x"}]},
            "4",
            "hm",
        ),
        ({"content": "4", "reasoning_details": [{"type": "reasoning.text", "text": "h"}] * 2}, "4", "hh"),
        ({"content": "4", "reasoning_details": [{"type": "reasoning.summary", "summary": "h"}]}, "4", "h"),
        ({"content": "4", "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, "4", None),
        ({"content": [TEXT]}, "4", None),
        ({"content": [TEXT, TEXT]}, "44", None),
        ({"content": [{"type": "output_text", "text": "4", "annotations": []}]}, "4", None),
        ({"content": []}, "", None),
        ({"content": [{"type": "thinking", "thinking": "hm"}, TEXT]}, "4", "hm"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, TEXT]}, "4", "hm"),
        ({"content": [{"type": "reasoning", "reasoning": "hm"}, TEXT]}, "4", "hm"),
        ({"content": [{"type": "reasoning", "text": "hm"}, TEXT]}, "4", "hm"),
        ({"content": [{"type": "reasoning", "summary": [{"text": "h"}, {"text": "m"}]}, TEXT]}, "4", "hm"),
        ({"content": None}, "", None),
        ({"role": "assistant"}, "", None),
        ({"content": None, "reasoning_content": "hm"}, "", "hm"),
    ],
)
def test_content_and_reasoning(message: dict[str, Any], content: str, reasoning: str | None) -> None:
    """Text parts are joined to the content and parts of reasoning to the reasoning; null is no text."""
    found = said(message)
    assert (found.content, found.reasoning) == (content, reasoning)


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "4",
        {"content": 4},
        {"content": True},
        {"content": {"type": "text", "text": "4"}},
        {"content": ["4"]},
        {"content": [None]},
        {"content": [TEXT, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"content": [{"text": "4"}]},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "text", "text": 4}]},
        {"content": [{"type": ["text"], "text": "4"}]},
        {"content": [{"type": "thinking", "thinking": 4}, TEXT]},
        {"content": [{"type": "thinking"}, TEXT]},
        {"content": "4", "reasoning": 4},
        {"content": "4", "reasoning": ["hm"]},
        {"content": "4", "reasoning_content": {"text": "hm"}},
        {"content": "4", "reasoning_details": "hm"},
        {"content": "4", "reasoning_details": [4]},
        {"content": "4", "refusal": True},
        {"content": "4", "refusal": ["no"]},
        {"content": None, "tool_calls": "python"},
    ],
)
def test_a_message_of_other_types_is_no_completion(message: Any) -> None:
    """A message whose fields have other types than the protocol's is trouble that says which."""
    found = read(reply(message))
    assert isinstance(found, Trouble)
    assert "no chat completion" in found.message


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"<html>Bad gateway</html>",
        b'data: {"choices": [{"delta": {"content": "4"}}]}\n\ndata: [DONE]\n\n',
        json.dumps(reply({"content": "4"})).encode() + b"garbage",
        json.dumps(reply({"content": "4"})).encode() * 2,
        json.dumps(reply({"content": "4"})).encode()[:-5],
        gzip.compress(json.dumps(reply({"content": "4"})).encode()),
        b"[" * 100_000,
        b'{"choices": ' * 2_000 + b"1" + b"}" * 2_000,
        {},
        {"choices": None},
        {"choices": []},
        {"choices": {}},
        {"choices": {"0": {"message": {"content": "4"}, "finish_reason": "stop"}}},
        {"choices": [None]},
        {"choices": [[]]},
        {"choices": [{}]},
        {"choices": [{"text": "4", "finish_reason": "stop"}]},
        {"choices": [{"delta": {"content": "4"}, "finish_reason": "stop"}]},
        {"choices": [{"message": {"content": "4"}}]},
        reply({"content": "4"}, 7),
        reply({"content": "4"}, ["stop"]),
        reply({"content": "4"}, {"reason": "stop"}),
        reply({"content": "4"}, model=4),
        reply({"content": "4"}, model={"id": "m"}),
        {"message": {"content": "4"}, "done": True},
        {"output": [{"type": "message"}]},
        {"detail": "not found"},
    ],
)
def test_a_body_that_is_no_completion_is_trouble(raw: Any) -> None:
    """Whatever is not a chat completion is trouble, which is tried again; nothing about it ends the client."""
    assert isinstance(read(raw), Trouble)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (5, 5),
        (0, 0),
        (5.0, 5),
        ("5", 5),
        (None, None),
        (-1, None),
        (5.5, None),
        (True, None),
        ("five", None),
        ("-5", None),
        ("٥", None),
        ("", None),
        ([5], None),
        ({"n": 5}, None),
        (10**30, None),
        ("9" * 30, None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_numbers_of_tokens(value: Any, count: int | None) -> None:
    """A number of tokens is understood where it can only mean one; anything else is none, and loses no answer."""
    found = said({"content": "4"}, usage={"prompt_tokens": value, "completion_tokens": value})
    assert (found.prompt_tokens, found.completion_tokens) == (count, count)


@pytest.mark.parametrize("usage", [None, [], "12", 12, {}])
def test_usage_may_be_anything(usage: Any) -> None:
    """A reply without usage, or with one that is no object, is an answer whose tokens are not known."""
    found = said({"content": "4"}, usage=usage)
    assert (found.prompt_tokens, found.completion_tokens) == (None, None)


def test_a_byte_order_mark_and_other_encodings_are_read() -> None:
    """JSON with a mark in front, or in UTF-16, is JSON; so is one with blanks around it."""
    body = json.dumps(reply({"content": "4"}))
    for raw in (b"\xef\xbb\xbf" + body.encode(), body.encode("utf-16"), b"\n\n " + body.encode() + b"\n"):
        found = read(raw)
        assert isinstance(found, Completion)
        assert found.content == "4"


def test_of_several_choices_the_first_counts() -> None:
    """One choice was asked for, and one is taken."""
    body = reply({"content": "4"})
    body["choices"].append({"message": {"content": "5"}, "finish_reason": "stop"})
    found = read(body)
    assert isinstance(found, Completion)
    assert found.content == "4"


def test_what_the_server_says_beside_the_content_is_kept() -> None:
    """A refusal and calls of tools are in the completion, and in the line of the ledger."""
    call = [{"id": "1", "type": "function", "function": {"name": "python", "arguments": "{}"}}]
    assert said({"content": None, "refusal": "I can't"}).refusal == "I can't"
    assert said({"content": [{"type": "refusal", "refusal": "I can't"}]}).refusal == "I can't"
    assert said({"content": "4", "refusal": "", "tool_calls": []}) == said({"content": "4"})
    assert json.loads(said({"tool_calls": call}, "tool_calls").tool_calls or "") == call
    assert json.loads(said({"function_call": call[0]["function"]}).tool_calls or "")["name"] == "python"


@pytest.mark.parametrize(
    ("reason", "recorded"),
    [("stop", "stop"), (None, None), ("", None), ("length", "length"), ("MAX_TOKENS", "length"), ("eos", "eos")],
)
def test_finish_reasons_are_kept(reason: str | None, recorded: str | None) -> None:
    """A finish reason is recorded as it came, but that every word for being cut off is the protocol's."""
    assert said({"content": "4"}, reason).finish_reason == recorded


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish.DONE),
        ("eos_token", Finish.DONE),
        ("length", Finish.CUT_OFF),
        ("model_length", Finish.CUT_OFF),
        ("content-filter", Finish.FILTERED),
        ("SAFETY", Finish.FILTERED),
        ("tool_calls", Finish.TOOL_CALL),
        ("insufficient_system_resource", Finish.BROKEN_OFF),
        ("OTHER", Finish.UNKNOWN),
        (None, Finish.UNKNOWN),
    ],
)
def test_meanings_of_finish_reasons(reason: str | None, finish: Finish) -> None:
    """The words of several servers for one end are one."""
    assert finish_of(reason) is finish


@pytest.mark.parametrize("reason", ["abort", "error", "network_error", "insufficient_system_resource"])
def test_a_generation_that_the_server_gave_up_is_trouble(reason: str) -> None:
    """What was broken off by the server is asked again, and not recorded."""
    assert isinstance(read(reply({"content": "half"}, reason)), Trouble)


@pytest.mark.parametrize(
    ("body", "kind", "status", "weight"),
    [
        ({"error": {"message": "too long", "code": 400}}, Refusal, 400, None),
        ({"error": {"message": "too long", "code": "400"}}, Refusal, 400, None),
        ({"error": {"message": "too long", "type": "invalid_request_error"}}, Refusal, 400, None),
        ({"error": {"message": "too long", "code": "context_length_exceeded"}}, Refusal, 400, None),
        ({"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}, Refusal, 400, None),
        ({"error": {"message": "down", "code": 502}}, Trouble, 502, 1),
        ({"error": {"message": "busy", "code": 429}}, Trouble, 429, 0),
        ({"error": {"message": "flagged", "code": 403}}, Trouble, 403, 1),
        ({"error": {"message": "down"}}, Trouble, 0, 1),
        ({"error": {"code": {"a": 1}}}, Trouble, 0, 1),
        ({"error": "down"}, Trouble, 0, 1),
        ({"error": ["down"]}, Trouble, 0, 1),
        (reply({"content": "half"}, error={"message": "down", "code": 502}), Trouble, 502, 1),
        ({"choices": [{"error": {"message": "down", "code": 502}, "finish_reason": "error"}]}, Trouble, 502, 1),
        ({"choices": [{"error": {"message": "no", "code": 422}, "message": {"content": ""}}]}, Refusal, 422, None),
    ],
)
def test_an_error_in_a_body_of_status_200_is_what_it_says(
    body: dict[str, Any], kind: type, status: int, weight: int | None
) -> None:
    """An error inside a reply of status 200 is a refusal where it says so of the request, else trouble; no answer."""
    found = read(body)
    assert isinstance(found, kind)
    assert found.status == status
    assert weight is None or found.weight == weight  # type: ignore[union-attr]


@pytest.mark.parametrize("error", [None, {}, "", False, 0])
def test_an_empty_error_beside_an_answer_is_none(error: Any) -> None:
    """Servers that name a field error in every reply have none where nothing stands in it."""
    assert said({"content": 'They say "error" there'}, error=error).content == 'They say "error" there'


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
NAMES = st.sampled_from(
    ["choices", "message", "content", "finish_reason", "usage", "type", "text", "error", "code", "reasoning", "model"]
) | st.sampled_from(["prompt_tokens", "refusal", "tool_calls", "thinking", "reasoning_details"])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))
MESSAGES = st.dictionaries(NAMES, VALUES, max_size=4)


@given(VALUES | MESSAGES.map(reply) | st.builds(reply, MESSAGES, VALUES, usage=VALUES, model=VALUES, error=VALUES))
def test_any_json_is_read(body: Any) -> None:
    """Any JSON at all is an answer that the ledger gives back, a refusal or trouble; never a crash."""
    found = read(json.dumps(body).encode())
    if isinstance(found, Completion):
        assert decode(encode(found)) == found


def test_the_error_says_where() -> None:
    """What is wrong with a reply is named."""
    with pytest.raises(NoCompletionError, match="content has a part of type 'image_url'"):
        completion_from(reply({"content": [{"type": "image_url"}]}), KEY, "m")


# -- scores, log probabilities, embeddings -----------------------------------------------------------------------------

REWARD = Reward.model_validate(
    {
        "model": "r",
        "base_urls": ["http://x/v1"],
        "threshold": 0.5,
        "attributes": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}],
    }
)
SCORES = RewardScorer(REWARD).dialect
LOGPROBS = LogprobDialect(Perplexity.model_validate({"model": "r", "base_urls": ["http://x/v1"]}))
EMBEDDINGS = EmbeddingDialect(Embedding.model_validate({"model": "r", "base_urls": ["http://x/v1"]}))
VECTOR = base64.b64encode(struct.pack("<2f", 1.0, 2.0)).decode()


def rows(*embeddings: Any) -> dict[str, Any]:
    return {"data": [{"index": place, "embedding": one} for place, one in enumerate(embeddings)]}


@pytest.mark.parametrize(
    ("dialect", "body", "content"),
    [
        (SCORES, {"data": [{"probs": [1, 2.5]}]}, "[1,2.5]"),
        (SCORES, {"data": [{"probs": [1, None]}]}, None),
        (SCORES, {"data": [{"probs": [1, 10**400]}]}, None),
        (SCORES, {"data": [{"probs": [1, 2]}], "model": 7}, None),
        (SCORES, {"data": [{"probs": [1, 2]}], "usage": "many"}, "[1,2]"),
        (SCORES, [], None),
        (SCORES, {"data": {}}, None),
        (SCORES, {"error": {"message": "down"}}, None),
        (
            LOGPROBS,
            {"choices": [{"prompt_logprobs": [None, {"7": {"logprob": -1}}]}]},
            '{"n_tokens":1,"sum_logprob":-1.0}',
        ),
        (LOGPROBS, {"choices": [{"prompt_logprobs": [None, {}]}]}, None),
        (LOGPROBS, {"choices": [{"prompt_logprobs": [None, {"7": {"logprob": 10**400}}]}]}, None),
        (LOGPROBS, {"choices": [{"prompt_logprobs": [None, {"7": {"logprob": None}}]}]}, None),
        (LOGPROBS, {"choices": [{"prompt_logprobs": {"7": 1}}]}, None),
        (LOGPROBS, {"choices": [{"prompt_logprobs": 7}]}, None),
        (LOGPROBS, {"choices": {}}, None),
        (EMBEDDINGS, rows(VECTOR), VECTOR),
        (EMBEDDINGS, rows([1, 2.0]), VECTOR),
        (EMBEDDINGS, rows(VECTOR, VECTOR), None),
        (EMBEDDINGS, rows([1, None]), None),
        (EMBEDDINGS, rows([1, float("nan")]), None),
        (EMBEDDINGS, rows([1e300, 1]), None),
        (EMBEDDINGS, rows([]), None),
        (EMBEDDINGS, rows(""), None),
        (EMBEDDINGS, rows([[1, 2]]), None),
        (EMBEDDINGS, rows({"float": [1]}), None),
        (EMBEDDINGS, rows(None), None),
        (EMBEDDINGS, {"data": [{"index": 1, "embedding": VECTOR}]}, None),
        (EMBEDDINGS, {"data": [{"embedding": VECTOR}]}, None),
        (EMBEDDINGS, {"data": None}, None),
    ],
)
def test_other_dialects(dialect: Any, body: Any, content: str | None) -> None:
    """Scores, log probabilities and vectors of the right types are recorded; whatever else comes is trouble."""
    found = read_reply(REQUEST, dialect, 200, {}, json.dumps(body).encode())
    assert isinstance(found, Trouble) if content is None else isinstance(found, Completion)
    assert content is None or found.content == content  # type: ignore[union-attr]


@pytest.mark.parametrize("content", ["", "4", "[1]", "[1,2,3]", '["1",2]', "[null,1]", '{"a":1}', "[" * 9999])
def test_outputs_in_the_ledger_of_another_model_are_none(content: str) -> None:
    """Recorded outputs that do not fit the recipe's names are not understood, and end nothing."""
    assert outputs_in(content, 2) is None
    assert RewardScorer(REWARD).marks(content) is None


# -- over HTTP ---------------------------------------------------------------------------------------------------------

BODY = json.dumps(reply({"content": "4"})).encode()


@pytest.mark.parametrize(
    "odd",
    [
        Odd(gzip.compress(BODY)),
        Odd(BODY, {"Content-Encoding": "gzip"}),
        Odd(gzip.compress(BODY)[:-30], {"Content-Encoding": "gzip"}),
        Odd(BODY, {"Content-Encoding": "br"}),
        Odd(b"<html>login</html>", {"Content-Type": "text/html"}),
        Odd(b"\x00\xff\xfe"),
    ],
)
def test_a_body_that_cannot_be_read_is_tried_again(tmp_path: Path, odd: Odd) -> None:
    """Bytes that are no JSON, or not in the encoding that the headers say, are trouble; the next try is an answer."""
    with OddServer(lambda _prompt, n: odd if n < 3 else None) as server:
        settings = TeacherSettings(model="demo", base_urls=(server.url,), max_tokens=9, give_up_after_s=20)
        quick = Patience(base_s=0.01, cap_s=0.1, connect_s=2.0)
        teacher = ModelClient(settings, Ledger(tmp_path), patience=quick)
        try:
            [found] = teacher.complete([Request(KEY, [{"role": "user", "content": "What is 1 + 1?"}], {})])
        finally:
            teacher.close()
    assert isinstance(found, Completion)
    assert "2" in found.content
