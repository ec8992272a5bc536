"""Handles on stored tables, and the record of what one task made of which inputs: all that travels through Prefect."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tracemill.core import ConservationError, digest


class Shard(BaseModel):
    """A handle on a stored table: what travels through Prefect instead of rows.

    Attributes:
        path: relative to the store's root.
        rows: number of rows.
        size: bytes.
        sha256: of the file's bytes, hex.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    rows: int
    size: int
    sha256: str


class Manifest(BaseModel):
    """What one task did: inputs, outputs, and where every row went.

    Attributes:
        inputs: digests of what it read, by name.
        outputs: what it wrote, by name.
        rows_in: rows that entered; equals ``rows_kept`` plus all of ``dropped``.
        dropped: count by "stage/reason".
        facts: figures for people and for the report; not part of any key.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    version: str
    key: str
    inputs: dict[str, str]
    outputs: dict[str, Shard]
    rows_in: int
    rows_kept: int
    dropped: dict[str, int] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)

    def check_conservation(self) -> None:
        """Refuse a manifest that does not account for every row.

        Raises:
            ConservationError: ``rows_in != rows_kept + sum(dropped)``.
        """
        if self.rows_in != self.rows_kept + sum(self.dropped.values()):
            raise ConservationError(
                f"stage {self.stage} does not account for every row",
                got=f"{self.rows_in} in, {self.rows_kept} kept, dropped {self.dropped}",
                expected="rows_in == rows_kept + sum(dropped)",
                remedy="this is a bug in tracemill; the manifest was not written",
            )


def stage_key(stage: str, version: str, section_digest: str, inputs: dict[str, str]) -> str:
    """Cache key of a task: stage, its version, its recipe section and the digests of its inputs, nothing else."""
    return digest(stage, version, section_digest, inputs)
