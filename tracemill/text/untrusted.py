"""Strangers' text inside a prompt: marked as data, with marks that the text cannot contain, and bounded.

Covered: a text that pretends to end early and go on as an instruction, since the mark is a digest of everything that is
shown, which whoever writes a part of it cannot know; the control tokens of chat templates, which a server would take
for its own. Not covered: a model that obeys what it was told is data.
"""

from __future__ import annotations

import re

from tracemill.core import digest

_MARK_CHARS = 16
# <|im_start|> and the like (Qwen, Llama, DeepSeek), <start_of_turn> (Gemma), [INST] and </s> (Mistral).
_CONTROL = re.compile(r"([<\[])(?=[|｜]|/?(?:s|bos|eos|start_of_turn|end_of_turn)>|/?INST\])")


def defused(text: str) -> str:
    """Return the text with a space inside whatever a chat template might take for a control token."""
    return _CONTROL.sub(r"\1 ", text)


def blocks(**texts: str) -> str:
    """Return each text under its name, between lines with a mark that depends on all of them."""
    mark = digest("mark", sorted(texts.items()))[:_MARK_CHARS]
    shown = [f"[{name} {mark}]\n{defused(text)}\n[end of {name} {mark}]" for name, text in texts.items()]
    return "\n\n".join(shown)


def ending(text: str, n_chars: int) -> str:
    """Return the text, or as many characters of its end, where the final answer is, with a note of what is left out."""
    n_left_out = len(text) - n_chars
    return text if n_left_out <= 0 else f"[… {n_left_out} characters left out …]\n{text[n_left_out:]}"


def conversation(history: list[dict[str, str]], prompt: str) -> str:
    """Return what the answer is an answer to: the prompt, after the turns before it."""
    turns = [f"{turn['role']}: {turn['content']}" for turn in history]
    return "\n\n".join([*turns, f"user: {prompt}"]) if turns else prompt
