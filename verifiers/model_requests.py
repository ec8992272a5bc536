"""What verdicts by models share: JSON answers constrained by a schema, strangers' text as data, and how it is read."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from tracemill.ledger import request_key
from tracemill.teacher import Request

if TYPE_CHECKING:
    from tracemill.recipe_server import ModelServer

_LONGEST: Final = (
    12_000  # characters of an answer: some 3,000 tokens. Of longer ones the end is kept, where the answer is
)


def fenced(name: str, text: str) -> str:
    """The text between marks that it cannot close: they bear its own digest."""
    kept = text if len(text) <= _LONGEST else f"[…]{text[-_LONGEST:]}"
    mark = f"{name}-{hashlib.sha256(kept.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    return f"<{mark}>\n{kept}\n</{mark}>"


def constrained(server: ModelServer, prompt: str, system: str, user: str, schema: dict[str, Any]) -> Request:
    """A request whose answer the server holds to a JSON schema.

    Args:
        server: whom to ask.
        prompt: name and version of the prompt, part of the key.
        system: its first message.
        user: its second.
        schema: of the answer, part of the key.
    """
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    sampling = {
        "temperature": 0,
        "max_tokens": server.max_tokens,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": prompt.partition("@")[0], "strict": True, "schema": schema},
        },
    }
    return Request(request_key(messages, server.model, server.revision, prompt, sampling, 0), messages, sampling)


def read_json(content: str) -> dict[str, Any] | None:
    """The object that an answer is, or None: a server that ignores the schema may say anything."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def identity(server: ModelServer) -> str:
    """Model and revision, as provenance of a verdict."""
    return f"model {server.model}@{server.revision}" if server.revision else f"model {server.model}"
