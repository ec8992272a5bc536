"""OpenCoder's opc-sft-stage1 and -stage2: instructions; those of educational_instruct bring assertions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracemill.schema import Category
from tracemill.sources.criteria import parsed, said, solved
from tracemill.sources.draft import Draft, LayoutAdapter, MalformedRowError
from tracemill.sources.io_tests import mentions

if TYPE_CHECKING:
    from tracemill.sources.draft import RowSource


def opencoder(row: dict[str, Any], _source: RowSource) -> Draft:
    """Without assertions nothing can be run. The outputs are other models': no traces.

    ``code`` is the solution that the assertions hold for; it ends in prints, assertions of its own or a main guard.
    """
    asserts = _asserts(row.get("testcase"))
    entry_point = row.get("entry_point")
    prompt = row.get("instruction")
    if asserts and isinstance(prompt, str) and isinstance(entry_point, str) and not mentions(prompt, entry_point):
        prompt = f"{prompt.rstrip()}\n\nYour code should pass this test:\n\n{asserts[0]}"
    return Draft(
        prompt=prompt,
        category=Category.CODE if asserts else Category.OTHER,
        tests={"kind": "assert", "setup": "", "asserts": asserts} if asserts else None,
        info=said(row, "tag", "entry_point", upstream_id="seq_id", upstream_source="source") | solved(row.get("code")),
    )


def _asserts(value: object) -> list[str]:
    lines = parsed(value, "tests") or []
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise MalformedRowError("malformed_tests", f"testcase is {lines!r:.200}; expected: a list of assertions")
    return [line for line in lines if line.strip()]


OPENCODER_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "opencoder": LayoutAdapter(required=(("instruction",), ("output",)), adapt=opencoder),
}
