"""Each shape through the chat templates that it is for: the reasoning stands in what is trained on exactly once."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.support.training.chat_templates import SMALL, real_templates, rendered
from tests.support.training.traces import trace
from tracemill.training.shapes import SHAPES, record_of

THINK, ANSWER = "\nfirst I\nadd FIVE\n", "\nSo \\boxed{5} it IS."
# Shape -> templates that show its reasoning.
FOR = {
    "messages": ("qwen2_5", "qwen3", "gptoss"),
    "prompt-completion": ("qwen2_5", "qwen3", "gptoss"),
    "reasoning": ("qwen3",),
    "thinking": ("gptoss",),
}
REAL = {name: text for name, text in real_templates().items() if name in {"qwen2_5", "qwen3", "gptoss"}}
CASES = [
    pytest.param(shape, text, id=f"{kind}-{name}-{shape}")
    for kind, templates in (("small", SMALL), ("real", REAL))
    for shape, names in FOR.items()
    for name, text in templates.items()
    if name in names
]


@pytest.mark.parametrize(("shape", "template"), CASES)
def test_the_reasoning_stands_exactly_once(shape: str, template: str) -> None:
    """Question, reasoning and answer are rendered once each, in this order, from rows as they come out of the file."""
    row = record_of(trace(think=THINK, answer=ANSWER, asked="What is TWO and 3?"), SHAPES[shape], "none")
    (read,) = pa.Table.from_pylist([row], schema=SHAPES[shape].schema).to_pylist()
    text = rendered(template, read.get("messages") or [*read["prompt"], *read["completion"]])
    assert [text.count(word) for word in ("TWO", "FIVE", "it IS", "None")] == [1, 1, 1, 0]
    assert text.index("TWO") < text.index("FIVE") < text.index("it IS")
