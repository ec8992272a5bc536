"""Llama-Nemotron-Post-Training-Dataset (SFT, and RL's instruction_following) and RLVR-IFeval.

Constraints stay in the dialect of their data set: their verifier reads all three (``verifiers.instructions.dialects``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Category
from tracemill.sources.adapter import Draft, ExcludedRowError, LayoutAdapter, MalformedRowError
from tracemill.sources.layouts.columns import constraint, licence_of, parsed, said
from tracemill.sources.layouts.conversations import Exchange, exchange_of
from tracemill.sources.layouts.traces import model_named, tagged_trace

if TYPE_CHECKING:
    from tracemill.sources.adapter import RowSource

_TURN: Final = re.compile(r"<\|start_header_id\|>(\w+)<\|end_header_id\|>(.*?)(?:<\|eot_id\|>|\Z)", re.DOTALL)
_SWITCH: Final = re.compile(r"detailed thinking (?:on|off)", re.IGNORECASE)


def nemotron_sft(row: dict[str, Any], _source: RowSource) -> Draft:
    """Replies with reasoning are traces of whom ``generator`` names; several names together are nobody's we know."""
    exchange = _without_switch(exchange_of(_turns(row.get("input"))))
    traces = [tagged_trace(_generator(row.get("generator")), row["output"])] if row.get("reasoning") == "on" else []
    licence, non_commercial = licence_of(row.get("license"))
    return Draft(
        prompt=exchange.prompt,
        category=Category.OTHER,
        history=exchange.history,
        traces=traces,
        info=said(row, "generator", "used_in_training", "version", upstream_category="category"),
        licence=licence,
        non_commercial=non_commercial,
    )


def _generator(names: object) -> str:
    """Return one model's name, or those of several: which of them wrote the row is not said."""
    return " + ".join(map(model_named, names.split(","))) if isinstance(names, str) else model_named(names)


def _turns(value: object) -> object:
    """Turns; in the first release one text, written in Llama 3's chat template."""
    if not isinstance(value, str) or "<|start_header_id|>" not in value:
        return value
    turns = [{"role": role, "content": content.strip()} for role, content in _TURN.findall(value)]
    return turns[:-1] if turns and turns[-1] == {"role": "assistant", "content": ""} else turns


def _without_switch(exchange: Exchange) -> Exchange:
    """Without the system turn that only switches the reasoning of Nemotron models on or off."""
    kept = [t for t in exchange.history if not (t["role"] == "system" and _SWITCH.fullmatch(t["content"].strip()))]
    return Exchange(exchange.prompt, [turn for turn in kept if turn["content"].strip()], exchange.reply)


def nemotron_rl(row: dict[str, Any], _source: RowSource) -> Draft:
    """``args`` has names of constraints and, beside each, its arguments."""
    exchange = _without_switch(exchange_of(_turns(row.get("input"))))
    return Draft(
        prompt=exchange.prompt,
        category=Category.INSTRUCTION,
        history=exchange.history,
        constraints=_aligned(parsed(row.get("args"), "constraints")),
        info=said(row, "version", upstream_category="category"),
    )


def _aligned(args: object) -> list[dict[str, Any]]:
    given = args if isinstance(args, dict) else {}
    names, kwargs = given.get("instruction_id_list"), parsed(given.get("instruction_kwargs"), "constraints")
    if not isinstance(names, list) or not isinstance(kwargs, list) or len(names) != len(kwargs) or not names:
        raise MalformedRowError("malformed_constraints", f"args is {args!r:.200}; expected: names, and kwargs of each")
    if not all(isinstance(name, str) for name in names):
        raise MalformedRowError("malformed_constraints", f"instruction_id_list is {names!r:.200}; expected: names")
    arguments = [parsed(each, "constraints") or {} for each in kwargs]
    if not all(isinstance(each, dict) for each in arguments):
        raise MalformedRowError("malformed_constraints", f"instruction_kwargs is {kwargs!r:.200}; expected: objects")
    return [constraint(name, each) for name, each in zip(names, arguments, strict=True)]


def rlvr_ifeval(row: dict[str, Any], _source: RowSource) -> Draft:
    """``ground_truth`` is JSON text of one constraint: ``func_name`` and its arguments, among all others as null."""
    kind = row.get("dataset")
    if kind not in (None, "ifeval"):
        raise ExcludedRowError("no_constraint", f"a row of {kind}: its truth is no constraint")
    truth = parsed(row.get("ground_truth"), "constraints")
    name = truth.get("func_name") if isinstance(truth, dict) else None
    if not isinstance(name, str):
        raise MalformedRowError("malformed_constraints", f"ground_truth is {truth!r:.200}; expected: a func_name")
    exchange = exchange_of(row.get("messages"))
    return Draft(
        prompt=exchange.prompt,
        category=Category.INSTRUCTION,
        history=exchange.history,
        constraints=[constraint(name, {key: value for key, value in truth.items() if key != "func_name"})],
        info=said(row, "constraint_type", "constraint"),
    )


INSTRUCTION_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "nemotron_sft": LayoutAdapter(
        required=(("input",), ("output",)), adapt=nemotron_sft, responses=("generator", "reasoning")
    ),
    "nemotron_rl": LayoutAdapter(required=(("input",), ("args",)), adapt=nemotron_rl),
    "rlvr_ifeval": LayoutAdapter(required=(("messages",), ("ground_truth",)), adapt=rlvr_ifeval),
}
