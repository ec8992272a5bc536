"""Filters on the form of a response, apart from whether it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from tracemill.schema import CUT_OFF

if TYPE_CHECKING:
    from tracemill.recipe import Quality
    from tracemill.schema import Response

FAULTS = pa.schema([("response_id", pa.string()), ("problem_id", pa.string()), ("reason", pa.string())])


def fault_of(response: Response, rules: Quality) -> str | None:
    """Why a response is not fit to be published, or None."""
    if response.finish_reason == CUT_OFF and not rules.allow_truncated:
        return "truncated"
    if rules.require_think and response.fault:
        return response.fault
    if not response.answer.strip():
        return "empty_answer"
    return None
