"""codeforces-cots: problems with their examples, and R1's solutions in C++ or Python, by configuration.

Examples are samples: a program that passes them may still be wrong (upstream: 84 % of the Python traces pass). The
hidden tests are in another repository. A problem comes in up to four rows, which are one problem with one trace each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.schema import Category
from tracemill.sources.conversations import turns_of
from tracemill.sources.criteria import parsed, said, text_in
from tracemill.sources.draft import Draft, ExcludedRowError, LayoutAdapter, MalformedRowError
from tracemill.sources.limits import limits_of
from tracemill.sources.trace_encodings import R1, tagged_trace

if TYPE_CHECKING:
    from tracemill.sources.draft import RowSource

_OTHER_TASKS: Final = ("checker_interactor", "test_input_generator")
_FENCE: Final = re.compile(r"```(python|cpp|c\+\+)", re.IGNORECASE)
_SECTIONS: Final = (("Input", "input_format"), ("Output", "output_format"))


def codeforces_cots(row: dict[str, Any], source: RowSource) -> Draft:
    """The statement is put together from its columns: ``prompt`` wraps it in what R1 was told to do."""
    if source.config in _OTHER_TASKS:
        raise ExcludedRowError("no_solution", f"config {source.config} asks for checkers or test inputs")
    if _text(row, "interaction_format"):
        raise ExcludedRowError("interactive", "the program must talk with a judge")
    generation = row.get("generation") or _last_reply(row.get("messages"))
    examples, language = _examples(row.get("examples")), _language(source.config, generation)
    limits = limits_of(row.get("time_limit"), row.get("memory_limit"))
    tests = {"kind": "stdio", "language": language, "cases": examples} | limits if examples else None
    traces = [tagged_trace(R1, generation, finish_reason=row.get("finish_reason"))] if generation else []
    return Draft(
        prompt=_statement(row, examples, language),
        category=Category.CODE,
        tests=tests,
        traces=traces,
        info=said(row, "title", "contest_start_year", "aliases", upstream_id="id") | {"tests_are_samples": True},
    )


def _statement(row: dict[str, Any], examples: list[dict[str, str]], language: str) -> object:
    description = row.get("description")
    if not isinstance(description, str) or not description.strip():
        return description
    parts = [f"# {row['title']}"] if _text(row, "title") else []
    parts.append(description.strip())
    parts += [f"## {title}\n{_text(row, column)}" for title, column in _SECTIONS if _text(row, column)]
    parts += [f"## Example\nInput:\n{case['stdin'].strip()}\nOutput:\n{case['stdout'].strip()}" for case in examples]
    parts += [f"## Note\n{_text(row, 'note')}"] if _text(row, "note") else []
    parts += ["Write the program in C++."] if language == "cpp" else []
    return "\n\n".join(parts)


def _text(row: dict[str, Any], column: str) -> str:
    return (text_in(row, column) or "").strip()


def _examples(value: object) -> list[dict[str, str]]:
    cases = parsed(value, "tests") or []
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise MalformedRowError("malformed_tests", f"examples is {cases!r:.200}; expected: a list of input and output")
    streams = [{"stdin": case.get("input"), "stdout": case.get("output")} for case in cases]
    if not all(isinstance(text, str) for stream in streams for text in stream.values()):
        raise MalformedRowError("malformed_tests", "an input or output of examples is no text")
    return [{name: str(text) for name, text in stream.items()} for stream in streams]


def _language(config: str | None, generation: object) -> str:
    """By the configuration; where it is not known, as with local files, by the last program that was written."""
    if config:
        return "python" if config.startswith("solutions_py") else "cpp"
    fences = _FENCE.findall(generation) if isinstance(generation, str) else []
    return "python" if fences and fences[-1].lower() == "python" else "cpp"


def _last_reply(messages: object) -> str | None:
    turns = turns_of(messages) if messages else []
    return turns[-1]["content"] if turns and turns[-1]["role"] == "assistant" else None


CODEFORCES_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "codeforces_cots": LayoutAdapter(
        required=(("description",), ("examples",)), adapt=codeforces_cots, responses=("generation", "messages")
    ),
}
