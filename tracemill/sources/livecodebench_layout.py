"""LiveCodeBench's code generation problems: a benchmark, read to keep its problems out, or to check programs.

Private tests are JSON text, or that text pickled, compressed and in base64. Nothing is unpickled here: the opcodes of a
pickled text are read one by one, and a pickle that holds anything else is refused.
"""

from __future__ import annotations

import base64
import binascii
import pickletools
import zlib
from typing import TYPE_CHECKING, Any, Final

from tracemill.schema import Category
from tracemill.sources.criteria import parsed, said, text_in
from tracemill.sources.draft import Draft, LayoutAdapter, MalformedRowError
from tracemill.sources.io_tests import io_tests

if TYPE_CHECKING:
    from tracemill.sources.draft import RowSource

_TEXTS: Final = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_HARMLESS: Final = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}
_MOST_BYTES: Final = 1 << 30  # The largest of the benchmark's are below 200 MB.


def livecodebench(row: dict[str, Any], _source: RowSource) -> Draft:
    """A problem with its public and private tests; where a function is asked for, its head is part of the prompt."""
    question, starter = text_in(row, "question_content"), text_in(row, "starter_code")
    parts = [text for text in (question, starter) if text]
    cases = _cases(row.get("public_test_cases")) + _cases(row.get("private_test_cases"))
    return Draft(
        prompt="\n\n".join(parts) if question else None,
        category=Category.CODE,
        tests=_tests(cases, parsed(row.get("metadata"), "metadata")),
        info=said(row, "platform", "difficulty", "contest_date", "contest_id", upstream_id="question_id")
        | said(row, title="question_title"),
    )


def _tests(cases: list[dict[str, Any]], metadata: object) -> dict[str, Any] | None:
    kinds = {str(case.get("testtype")) for case in cases}
    if len(kinds) > 1:
        raise MalformedRowError("mixed_tests", f"tests of several kinds in one task: {sorted(kinds)}")
    name = metadata.get("func_name") if isinstance(metadata, dict) and kinds == {"functional"} else None
    if kinds == {"functional"} and not name:
        raise MalformedRowError("malformed_tests", "functional tests, and metadata names no func_name")
    inputs, outputs = [case.get("input") for case in cases], [case.get("output") for case in cases]
    return io_tests({"inputs": inputs, "outputs": outputs, "fn_name": name})


def _cases(value: object) -> list[dict[str, Any]]:
    """``[{input, output, testtype}]`` of either encoding."""
    is_packed = isinstance(value, str) and value.strip() and value.lstrip()[0] not in "[{"
    cases = parsed(unpacked(str(value)) if is_packed else value, "tests") or []
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise MalformedRowError("malformed_tests", f"tests are {cases!r:.200}; expected: a list of objects")
    return cases


def unpacked(packed: str) -> str:
    """The text in base64 of a compressed pickle of nothing but that text.

    Raises:
        MalformedRowError: ``malformed_tests``: it is not packed so, holds more than a text, or is larger than 1 GiB.
    """
    try:
        decompressor = zlib.decompressobj()
        pickled = decompressor.decompress(base64.b64decode(packed, validate=True), _MOST_BYTES)
        return _pickled_text(pickled, is_whole=decompressor.eof)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise MalformedRowError("malformed_tests", f"packed tests: {type(error).__name__}: {error}") from error


def _pickled_text(pickled: bytes, *, is_whole: bool) -> str:
    if not is_whole:
        raise ValueError("cut off, or too large")
    texts = []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in _TEXTS:
            texts.append(str(argument))
        elif opcode.name not in _HARMLESS:
            raise ValueError(f"a pickle that holds more than a text: {opcode.name}")
    if len(texts) != 1:
        raise ValueError(f"a pickle of {len(texts)} texts")
    return texts[0]


LIVECODEBENCH_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "livecodebench": LayoutAdapter(
        required=(("question_content",), ("public_test_cases", "private_test_cases")), adapt=livecodebench
    ),
}
