"""The shapes of a row that trainers and chat templates take; the reasoning stands in each of them exactly once.

==================  ================================================================================================
messages            ``messages``; the assistant says ``<think>…</think>`` and ``<answer>…</answer>``, as in dataset/
prompt-completion   ``prompt`` and ``completion``, the same texts: TRL's loss is on the completion alone
reasoning           ``messages``; the last turn has ``content`` and ``reasoning_content`` (Qwen3's template)
thinking            ``messages``; the last turn has ``content`` and ``thinking`` (gpt-oss's template)
verl                a problem a row: ``data_source``, ``prompt``, ``ability``, ``reward_model``, ``extra_info``
==================  ================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from tracemill.core import Messages, json_text
from tracemill.core.schema import REFERENCE_BY
from tracemill.generate.prompts import SYSTEM_PROMPTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracemill.training.traces import Trace

VERL: Final = "verl"
_NAMES: Final = [("id", pa.string()), ("response_id", pa.string())]
_TURNS: Final = Messages.__metadata__[0]  # type: ignore[attr-defined]  # of an Annotated
Turns = list[dict[str, Any]]


class Shape(NamedTuple):
    """How a trace is written.

    Attributes:
        columns: beside ``id`` and ``response_id``.
        fill: the turns before the response, and the trace -> values of the columns.
        says_tags: whether the assistant's turn has P1's tags, of which P1's system prompt speaks.
    """

    columns: list[tuple[str, pa.DataType]]
    fill: Callable[[Turns, Trace], dict[str, Any]]
    says_tags: bool

    @property
    def schema(self) -> pa.Schema:
        """Of the file."""
        return pa.schema([*_NAMES, *self.columns])


def _messages(asked: Turns, trace: Trace) -> dict[str, Any]:
    return {"messages": [*asked, {"role": "assistant", "content": trace.turn}]}


def _prompt_completion(asked: Turns, trace: Trace) -> dict[str, Any]:
    return {"prompt": asked, "completion": [{"role": "assistant", "content": trace.turn}]}


def _parted(field: str) -> Callable[[Turns, Trace], dict[str, Any]]:
    def fill(asked: Turns, trace: Trace) -> dict[str, Any]:
        reply = {"role": "assistant", "content": trace.answer.strip()}
        if trace.think is not None:
            reply[field] = trace.think.strip()
        return {"messages": [*asked, reply]}

    return fill


def _turns_with(field: str) -> pa.DataType:
    names = [("role", pa.string()), ("content", pa.large_string()), (field, pa.large_string())]
    return pa.list_(pa.struct(names))


SHAPES: Final[Mapping[str, Shape]] = {
    "messages": Shape([("messages", _TURNS)], _messages, says_tags=True),
    "prompt-completion": Shape([("prompt", _TURNS), ("completion", _TURNS)], _prompt_completion, says_tags=True),
    "reasoning": Shape([("messages", _turns_with("reasoning_content"))], _parted("reasoning_content"), says_tags=False),
    "thinking": Shape([("messages", _turns_with("thinking"))], _parted("thinking"), says_tags=False),
}


def with_system(turns: Turns, system: str) -> Turns:
    """Return the turns behind a system prompt, by name; those that begin with one of their own stay as they are."""
    text = SYSTEM_PROMPTS[system]
    if text is None or (turns and turns[0]["role"] == "system"):
        return turns
    return [{"role": "system", "content": text}, *turns]


def record_of(trace: Trace, shape: Shape, system: str) -> dict[str, Any]:
    """Return the row of a trace."""
    names = {"id": trace.id, "response_id": trace.response_id}
    return names | shape.fill(with_system(trace.asked, system), trace)


VERL_SCHEMA: Final = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", _TURNS),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.large_string())])),
        (
            "extra_info",
            pa.struct(
                [
                    ("split", pa.string()),
                    ("index", pa.int64()),
                    ("id", pa.string()),
                    ("ability", pa.string()),
                    ("prompt", pa.large_string()),
                    ("reference_answer", pa.large_string()),
                    ("tests", pa.large_string()),
                    ("constraints", pa.large_string()),
                ]
            ),
        ),
    ]
)


def verl_schema(*, is_voted: bool) -> pa.Schema:
    """Return the schema of problems; of a run with votes, ``extra_info`` says how each reference came about."""
    if not is_voted:
        return VERL_SCHEMA
    place = VERL_SCHEMA.get_field_index("extra_info")
    fields = [*VERL_SCHEMA.field(place).type, pa.field(REFERENCE_BY, pa.string())]
    return VERL_SCHEMA.set(place, pa.field("extra_info", pa.struct(fields)))


def verl_record(problem: Mapping[str, Any], index: int, system: str) -> dict[str, Any]:
    """Return the row of a problem; ``extra_info`` has all that ``python -m verifiers`` judges by.

    Args:
        problem: see :func:`tracemill.training.traces.criteria_of`.
        index: of the row.
        system: name of the system prompt.
    """
    judged_by = {name: problem[name] for name in ("reference_answer", "tests", "constraints")}
    truth = next((text for text in judged_by.values() if text is not None), json_text(None))
    return {
        "data_source": problem["source"],
        "prompt": with_system(problem["asked"], system),
        "ability": problem["category"],
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {
            "split": "train",
            "index": index,
            "id": problem["id"],
            "ability": problem["category"],
            "prompt": problem["asked"][-1]["content"],
            **judged_by,
            **({REFERENCE_BY: problem[REFERENCE_BY]} if REFERENCE_BY in problem else {}),
        },
    }
