"""The flows' parameters as forms in Prefect's UI: choices, bounds and help. The API refuses what does not fit them.

Texts are bound in the form's schema alone: on the command line :mod:`tracemill.recipe.loading` says more of what is
wrong. What may be left out is a plain empty field, and empty by default: of ``X | None`` the UI makes two tabs, one of
them called None, and it sends a default of None, which the schema of a plain field refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

from tracemill.core import Section
from tracemill.recipe import Recipe
from tracemill.recipe.evaluation import Evaluation
from tracemill.recipe.sections.audit import Audit
from tracemill.recipe.sections.students import Comparison
from tracemill.sources.adapter import PlainField

# Of a text: no key of a secret has one beside it, and no URL a password; env:NAME says where it is.
_PLAIN = (
    r"(?!.*([.{,]|^) *[\"']?(api[-_]?key|token|password)[\"']? *[:=]"
    r"(?! *([\"']?(env:|secret:|[$])|[{] *env:|null|[~]|[\"' ]*$)))"
    r"(?!.*://(?!env:)[^/ ]*@)"
)
_HINT = "Secrets as env:NAME, an environment variable of the worker: what is typed here is kept."
RECIPES = Path(__file__).parent.parent / "recipes"


DATASETS = ""
EVALUATIONS = "evaluate-"  # what the names of shipped recipes of evaluations begin with
COMPARISONS = "compare-"  # likewise, of comparisons of students


@dataclass(frozen=True)
class ShippedOrOther:
    """Of a path: the recipes of this repository as choices, or any other YAML file. They are listed when deployed.

    Attributes:
        of: what the names of the shipped ones begin with; those of datasets begin with none of these words.
    """

    of: str = DATASETS

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return JSON schema with two alternatives, which the UI shows as tabs.

        The pattern stands beside them, and not in the second one: the UI says then that the path does not match it,
        and not that it is "not valid under any of the given schemas".
        """
        text = handler(schema)
        names = [path.name for path in sorted(RECIPES.glob("*.yaml"))]
        shipped = [f"{RECIPES.name}/{name}" for name in names if _is_of(name) == self.of]
        alternatives = [{**text, "title": "shipped", "enum": shipped}, {**text, "title": "another file"}]
        return {"pattern": r"^.+\.ya?ml$", "anyOf": alternatives}


def _is_of(name: str) -> str:
    return next((word for word in (EVALUATIONS, COMPARISONS) if name.startswith(word)), DATASETS)


def _settings_of(kind: type[Section]) -> dict[str, Any]:
    """Schema of a list of overrides; each begins with a section that there is, or it is refused with their names.

    The blanks before the names are where the UI can break the line.
    """
    sections = "|".join(f" *{name}" for name in kind.model_fields)
    pattern = rf"^{_PLAIN}({sections})([.][\w.-]+)? *="
    one = {"type": "string", "title": "section.key=value", "pattern": pattern, "description": _HINT}
    return {"type": "array", "items": one}


def _fields_of_plain_rows() -> dict[str, Any]:
    """Return the schema of a list of ``field=column``."""
    fields = "|".join(f" *{name}" for name in get_args(PlainField))
    return {"type": "array", "items": {"type": "string", "title": "field=column", "pattern": f"^({fields}) *=.+"}}


RecipePath = Annotated[str, ShippedOrOther()]
EvaluationPath = Annotated[str, ShippedOrOther(EVALUATIONS)]
ComparisonPath = Annotated[str, ShippedOrOther(COMPARISONS)]
Overrides = Annotated[Sequence[str] | None, WithJsonSchema(_settings_of(Recipe))]
EvaluationOverrides = Annotated[Sequence[str] | None, WithJsonSchema(_settings_of(Evaluation))]
ComparisonOverrides = Annotated[Sequence[str] | None, WithJsonSchema(_settings_of(Comparison))]
AuditOverrides = Annotated[Sequence[str] | None, WithJsonSchema(_settings_of(Audit))]
Columns = Annotated[Sequence[str] | None, WithJsonSchema(_fields_of_plain_rows())]
Limit = Annotated[int | None, Field(ge=0), WithJsonSchema({"type": "integer", "minimum": 0})]
Text = Annotated[str | None, WithJsonSchema({"type": "string"})]


class HubPlace(BaseModel):
    """Where on the Hub; only for a Hub dataset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: Text = Field("", description="Commit, branch or tag; required.", json_schema_extra={"position": 0})
    split: Text = Field("", description="Empty: train.", json_schema_extra={"position": 1})
    config: Text = Field("", description="Configuration, if it has several.", json_schema_extra={"position": 2})

    def given(self) -> dict[str, str]:
        """Return what was filled in."""
        return {name: text for name, text in self.model_dump().items() if text}


NOWHERE = HubPlace()
OnTheHub = Annotated[HubPlace | None, WithJsonSchema(HubPlace.model_json_schema())]
