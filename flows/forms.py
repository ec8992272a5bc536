"""The flows' parameters as forms in Prefect's UI: choices, bounds and help. The API refuses what does not fit them.

Texts are bound in the form's schema alone: on the command line :mod:`tracemill.recipe_file` says more of what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

RECIPES = Path(__file__).parent.parent / "recipes"


@dataclass(frozen=True)
class ShippedOrOther:
    """Of a path: the recipes of this repository as choices, or any other YAML file. They are listed when deployed."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """JSON schema with two alternatives, which the UI shows as tabs."""
        text = handler(schema)
        shipped = [f"{RECIPES.name}/{path.name}" for path in sorted(RECIPES.glob("*.yaml"))]
        other = {**text, "title": "another file", "pattern": r"\.ya?ml$"}
        return {"anyOf": [{**text, "title": "shipped", "enum": shipped}, other]}


RecipePath = Annotated[str, ShippedOrOther()]
Override = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": r"^\s*[^=\s]+\s*=", "title": "section.key=value"})
]
Overrides = list[Override]
Limit = Annotated[int, Field(gt=0)]


class HubPlace(BaseModel):
    """Where on the Hub; only for a Hub dataset."""

    model_config = ConfigDict(extra="forbid")

    revision: str | None = Field(None, description="commit, branch or tag; required", json_schema_extra={"position": 0})
    split: str | None = Field(None, description="train unless given", json_schema_extra={"position": 1})
    config: str | None = Field(None, description="configuration, if it has several", json_schema_extra={"position": 2})
