"""Section ``run.runner`` of the recipe: which machines shard tasks run on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tracemill.core import Section


class Runner(Section):
    """Where shard tasks run. All of it is operational: it says where, not what is computed."""

    kind: Literal["auto", "threads", "processes", "dask", "ray"] = Field(
        default="auto",
        description="threads of this process; processes of this machine, which use all its cores; or a Dask or Ray "
        "cluster that is there (make scale-out). auto: processes where there are rows enough to start them for.",
        json_schema_extra={"operational": True},
    )
    address: str | None = Field(
        default=None,
        description="The cluster: tcp://host:8786 for Dask; host:6379, ray://host:10001 or auto for Ray.",
        json_schema_extra={"operational": True},
    )

    @property
    def is_cluster(self) -> bool:
        """Whether tasks leave this process."""
        return self.kind in {"dask", "ray"}

    @model_validator(mode="after")
    def _address_of_a_cluster(self) -> Runner:
        if self.is_cluster and not self.address:
            example = "tcp://host:8786" if self.kind == "dask" else "host:6379, or auto on a machine of the cluster"
            raise ValueError(f"kind: {self.kind} needs the address of a cluster that is there, such as {example}")
        if self.address and not self.is_cluster:
            raise ValueError("an address is of a cluster: say kind: dask or kind: ray with it")
        return self
