"""A session that runs nothing: it prints what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from verifiers.sandbox.protocol import Compiled, Conversation, Limits, Run

FINE = Run(b"", "", 0, 0, None, out_of_memory=False, cpu_s=0.1, wall_s=0.2, rss_mb=10)


LIMITS = Limits(cpu_s=1, wall_s=3, memory_mb=64, output_bytes=1 << 20)


@dataclass
class FakeSession:
    """Prints what it is given, and takes as long as it is told to."""

    provenance: str = "fake"
    compiles: bool = True
    wall_s: float = 0.0
    n_runs: int = 0
    n_alone: int = 0
    runs: list[Run] = field(default_factory=list)

    def compile(self, source: str, language: str, memory_mb: int) -> Compiled:  # noqa: ARG002
        return Compiled(self.compiles, "" if self.compiles else "SyntaxError")

    def run(self, stdin: bytes, limits: Limits) -> Run:  # noqa: ARG002
        self.n_runs += 1
        return self.runs.pop(0) if self.runs else replace(FINE, stdout=stdin, wall_s=self.wall_s)

    def call(self, request: Mapping[str, Any], limits: Limits) -> tuple[Run, dict[str, Any] | None]:
        raise NotImplementedError

    def converse(self, plan: Mapping[str, Any], limits: Limits) -> Conversation:
        raise NotImplementedError

    def share(self, plan: Mapping[str, Any], limits: Limits) -> tuple[Run, list[dict[str, Any]]]:
        raise NotImplementedError

    def examine(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    @contextmanager
    def alone(self) -> Iterator[None]:
        self.n_alone += 1
        yield


ECHO = {"kind": "stdio", "cases": [{"stdin": str(n), "stdout": "3" if n == 3 else str(n)} for n in range(6)]}


STOPPED = replace(FINE, stopped="host", signal=9)
