"""Why a generation ended: the words that servers have for it, and what each says of the text until then.

The OpenAI protocol knows ``stop``, ``length``, ``content_filter``, ``tool_calls`` and ``function_call``. Gateways pass
on what is behind them: Anthropic's ``max_tokens``, ``tool_use``, ``refusal`` and ``pause_turn``, Gemini's names in
capitals, Mistral's ``model_length``, DeepSeek's ``insufficient_system_resource``, GLM's ``sensitive`` and
``network_error``.
"""

from __future__ import annotations

from enum import StrEnum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Finish(StrEnum):
    """What the end of a generation means."""

    DONE = auto()
    CUT_OFF = auto()  # there was no room for more
    FILTERED = auto()  # what was said, or would have been, was withheld
    TOOL_CALL = auto()  # the model waits for the result of a tool
    BROKEN_OFF = auto()  # the server gave up
    UNKNOWN = auto()  # nobody says that it is done


_WORDS: Final[Mapping[Finish, tuple[str, ...]]] = {
    Finish.CUT_OFF: ("length", "max_tokens", "max_output_tokens", "model_length"),
    Finish.FILTERED: (
        "content_filter",
        "refusal",
        "safety",
        "sensitive",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
    ),
    Finish.TOOL_CALL: ("tool_calls", "tool_call", "tool_use", "function_call", "malformed_function_call"),
    Finish.BROKEN_OFF: ("abort", "error", "cancelled", "network_error", "insufficient_system_resource"),
    Finish.UNKNOWN: ("", "null", "none", "unknown", "other", "pause_turn", "finish_reason_unspecified"),
}
_MEANING: Final = {word: finish for finish, words in _WORDS.items() for word in words}


def finish_of(reason: str | None) -> Finish:
    """Return what a ``finish_reason`` means; a word that is not known is some server's for being done."""
    return _MEANING.get((reason or "").strip().lower().replace("-", "_"), Finish.DONE)
