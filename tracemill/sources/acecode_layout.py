"""AceCode-87K: a question, and assertions that a model imagined and others were filtered by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.schema import Category
from tracemill.sources.criteria import parsed, said
from tracemill.sources.draft import Draft, LayoutAdapter, MalformedRowError
from tracemill.sources.io_tests import mentions

if TYPE_CHECKING:
    from tracemill.sources.draft import RowSource

_CALLED: Final = re.compile(r"\bassert\s+(?:not\s+)?\(?\s*([A-Za-z_]\w*)\s*\(")


def acecode(row: dict[str, Any], _source: RowSource) -> Draft:
    """The first assertion is shown where the question does not name what they call. ``inferences`` are no traces."""
    asserts = parsed(row.get("test_cases"), "tests") or []
    if not isinstance(asserts, list) or not all(isinstance(line, str) for line in asserts):
        raise MalformedRowError("malformed_tests", f"test_cases is {asserts!r:.200}; expected: a list of assertions")
    prompt = row.get("question")
    called = _CALLED.search(asserts[0]) if asserts else None
    if isinstance(prompt, str) and called and not mentions(prompt, called.group(1)):
        prompt = f"{prompt.rstrip()}\n\nYour code should pass this test:\n\n{asserts[0]}"
    return Draft(
        prompt=prompt,
        category=Category.CODE,
        tests={"kind": "assert", "setup": "", "asserts": asserts} if asserts else None,
        info=said(row, upstream_id="id", upstream_source="source"),
    )


ACECODE_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "acecode": LayoutAdapter(required=(("question",), ("test_cases",)), adapt=acecode),
}
