"""Whatever stands in the columns of a layout, a row becomes a problem or is dropped with a reason."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracemill.core import Problem, table_of
from tracemill.sources import Source
from tracemill.sources.collect import RAW, collect
from tracemill.sources.layouts.registry import LAYOUTS

# Names that adapters look for inside structs, and values that they compare with.
WORDS = [
    "inputs", "outputs", "input", "output", "fn_name", "type", "testtype", "stdin", "stdout", "test_cases", "language",
    "ground_truth", "role", "content", "from", "value", "human", "user", "assistant", "gpt", "system", "func_name",
    "function_name", "function_declaration", "seconds", "nanos", "code", "math", "on", "True", "proof", "functional",
    "instruction_id_list", "instruction_kwargs", "info", "source", "response", "test_code", "f", "kind", "assert",
]  # fmt: skip
COLUMNS = [
    "answer", "conversations", "messages", "solution", "tests", "test_info", "style", "ability", "reward_model", "ios",
    "metadata", "verification_info", "examples", "generation", "prompt", "turn_1", "feedback_1", "time_limit", "source",
    "memory_limit", "constraints", "history", "category", "reasoning", "generator", "solutions", "starter_code", "code",
    "private_test_cases", "id", "label", "system_prompt", "license", "prev_messages", "generations", "testcase", "url",
    "entry_point", "r1_solution", "kwargs", "question", "info", "level", "title", "finish_reason", "domain",
]  # fmt: skip
TEXT = st.sampled_from(
    [*WORDS, "", "  ", "{broken", "[]", "{}", '{"inputs": [1], "outputs": [[]]}', "a\n```python\nx\n```"]
)
NUMBER = st.sampled_from([0, 1, -1, 10**400, 0.5, 1e300, float("nan"), float("inf")])
VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
        | st.lists(st.dictionaries(st.sampled_from(WORDS), inner, max_size=4), max_size=3).map(json.dumps)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_every_row_is_accounted_for(layout: str, data: st.DataObject) -> None:
    """No value in any column ends a run, and what is kept can be stored."""
    adapter = LAYOUTS[layout]
    needed = {data.draw(st.sampled_from(alternatives)) for alternatives in adapter.required}
    row: dict[str, Any] = data.draw(st.dictionaries(st.sampled_from(COLUMNS), VALUE, max_size=6))
    row |= {name: data.draw(VALUE) for name in sorted(needed)}
    raw = pa.Table.from_pylist([{"file": "f", "row": 0, "raw": json.dumps(row).encode()}], schema=RAW)
    kept, dropped = collect(raw, Source(name="s", path="f", layout=layout))
    assert len(kept) + len(dropped) == 1
    assert all(each.reason and each.evidence for each in dropped)
    table_of(Problem, kept)
