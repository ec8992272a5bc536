"""What forms in Prefect's UI say of parameters: it takes angle brackets for HTML, and does not show what is in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema

from flows.build_dataset import build_dataset
from flows.check_references import check_references
from flows.compare_students import compare_students
from flows.evaluate_student import evaluate_student
from flows.refresh_dataset import refresh_dataset
from flows.verify_dataset import verify_dataset

FLOWS = (build_dataset, check_references, compare_students, evaluate_student, refresh_dataset, verify_dataset)


def texts(schema: Any) -> list[str]:
    """Every title and description of a form, at any depth."""
    if isinstance(schema, dict):
        own = [schema[name] for name in ("title", "description") if isinstance(schema.get(name), str)]
        return own + [text for value in schema.values() for text in texts(value)]
    return [text for value in schema for text in texts(value)] if isinstance(schema, list) else []


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_no_text_of_a_form_is_taken_for_html(flow: Any) -> None:
    """Neither the flow's own text nor any parameter's has an angle bracket, and every parameter has a text."""
    schema = json.loads(parameter_schema(flow).model_dump_json())
    said = texts(schema)
    assert len(said) > len(schema["properties"])
    assert all(field.get("description") for field in schema["properties"].values())
    assert [text for text in (flow.description, *said) if "<" in text or ">" in text] == []
