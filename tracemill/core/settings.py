"""What every section of a recipe is: frozen, closed to unknown keys, and digested into its stage's cache key.

Fields marked *operational* say how to run, not what to compute (URLs, worker counts, time-outs): they are left out of
every digest, so changing them recomputes nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from tracemill.core.schema import digest

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
Positive = Annotated[int, Field(gt=0)]
# Upper bounds beyond anything meant, and below what timers, resource limits and memory take.
AtOnce = Annotated[int, Field(gt=0, le=1024)]  # threads, processes, containers
Mebibytes = Annotated[int, Field(gt=0, le=2**20)]  # 1 TiB
Phrase = Annotated[int, Field(gt=0, le=100_000)]  # tokens; its hashes are worked out in so many steps
Seconds = Annotated[float, Field(gt=0, le=365 * 24 * 3600)]
WallSeconds = Annotated[float, Field(gt=0, le=24 * 3600)]  # of one verification or program; poll takes 24 days
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base of everything in a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), hide_input_in_errors=True)

    def content(self) -> dict[str, Any]:
        """Return what results depend on: every field but the operational ones, as JSON values.

        A field that is declared as ``silent`` is left out where it has its default: it was added when there was
        finished work already, whose keys stay.
        """
        return {
            name: _content(getattr(self, name))
            for name, declared in type(self).model_fields.items()
            if not self._is_left_out(name, declared)
        }

    def _is_left_out(self, name: str, declared: FieldInfo) -> bool:
        extra = declared.json_schema_extra
        if not isinstance(extra, dict):
            return False
        is_default = bool(extra.get("silent")) and getattr(self, name) == declared.get_default(
            call_default_factory=True
        )
        return bool(extra.get("operational")) or is_default

    def digest(self) -> str:
        """Return content digest of the section."""
        return digest(type(self).__name__, self.content())


def _content(value: object) -> object:
    if isinstance(value, Section):
        return value.content()
    if isinstance(value, tuple | list):
        return [_content(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _content(item) for key, item in value.items()}
    return str(value) if isinstance(value, StrEnum) else value
