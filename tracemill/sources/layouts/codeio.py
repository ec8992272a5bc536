"""CodeIO: what does this function return? CodeIO-PyEdu-Reasoning, and the raw problems behind it.

A rule can tell whether a whole number is right; of lists, texts and objects in JSON none here can, so that those rows
are of category other, with the reference for a judge. To predict an input has many right answers, and needs the code.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Category, json_text
from tracemill.sources.adapter import Draft, ExcludedRowError, LayoutAdapter, MalformedRowError
from tracemill.sources.layouts.columns import parsed, said

if TYPE_CHECKING:
    from tracemill.sources.adapter import RowSource

_RIGHT: Final = "Correct output!"
UNCHECKED_OUTPUT: Final = "the answer is a JSON value, which no rule compares"
UNCHECKED_INPUT: Final = "many inputs give this output: the code would have to be run"


def codeio(row: dict[str, Any], _source: RowSource) -> Draft:
    """Return a prediction that was found right is the reference; there is no other. Replies are not R1's: no traces."""
    reply = next((row.get(f"turn_{n}") for n in (1, 2) if str(row.get(f"feedback_{n}")).strip() == _RIGHT), None)
    said_last = _last_object(reply if reply is not None else row.get("turn_1"))
    if "input" in said_last:
        return Draft(prompt=row.get("prompt"), category=Category.OTHER, info={"unverifiable": UNCHECKED_INPUT})
    reference = json_text(said_last["output"]) if reply is not None and "output" in said_last else None
    return Draft(
        prompt=row.get("prompt"),
        reference_answer=reference,
        category=Category.OTHER,
        info={"unverifiable": UNCHECKED_OUTPUT},
    )


def _last_object(reply: object) -> dict[str, Any]:
    """Return the last JSON object of a text that is read from an opening brace to the text's end or a fence's."""
    text = reply.rstrip().removesuffix("```").rstrip() if isinstance(reply, str) else ""
    begin = text.rfind("{")
    while begin >= 0:
        try:
            found, end = json.JSONDecoder().raw_decode(text, begin)
        except (ValueError, RecursionError):
            found, end = None, -1
        if isinstance(found, dict) and ("output" in found or "input" in found) and end > 0:
            return found
        begin = text.rfind("{", 0, begin)
    return {}


def codeio_raw(row: dict[str, Any], _source: RowSource) -> Draft:
    """Return the first of the row's examples: its input is in the prompt, its output the reference."""
    examples = parsed(row.get("ios"), "examples") or []
    if not isinstance(examples, list) or not all(isinstance(each, dict) and "output" in each for each in examples):
        raise MalformedRowError("malformed_examples", f"ios is {examples!r:.200}; expected: a list of input and output")
    if not examples:
        raise ExcludedRowError("no_examples", "ios is empty")
    output = examples[0]["output"]
    whole = type(output) is int
    return Draft(
        prompt=_question(row, examples[0].get("input"), whole=whole),
        reference_answer=json_text(output),
        category=Category.MATH if whole else Category.OTHER,
        info=said(row, "funcname", "refcode", "category", upstream_source="source")
        | ({} if whole else {"unverifiable": UNCHECKED_OUTPUT}),
    )


def _question(row: dict[str, Any], given: object, *, whole: bool) -> str:
    description, requirements = row.get("problem_description"), row.get("io_requirements")
    if not isinstance(description, str) or not isinstance(requirements, str) or not description.strip():
        raise MalformedRowError("missing_prompt", "problem_description or io_requirements is no text")
    form = "Give it" if whole else 'Give it as JSON, {"output": …}, exactly'
    return (
        f"{description.strip()}\n\nInput and output are as follows.\n\n{requirements.strip()}\n\n"
        f"The input is:\n\n{json.dumps(given, ensure_ascii=False)}\n\n"
        f"What is the output? Work it out without writing or running code. {form} as the requirements say."
    )


CODEIO_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "codeio": LayoutAdapter(required=(("prompt",), ("turn_1",)), adapt=codeio),
    "codeio_raw": LayoutAdapter(required=(("problem_description",), ("io_requirements",), ("ios",)), adapt=codeio_raw),
}
