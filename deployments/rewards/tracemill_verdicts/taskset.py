"""Problems of ``python -m tracemill sft DIR --as verl`` as tasks; a rollout without a verdict is an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

from verdict_process import reward_of, row_of, shared_process

import verifiers.v1 as vf


class VerdictData(vf.TaskData):
    """A problem with what its answers are judged by."""

    category: str
    judged_by: str
    """``extra_info`` of the row, as JSON text."""


class VerdictTask(vf.Task[VerdictData]):
    """Single turn: the last reply is judged."""

    @property
    def key(self) -> str:
        """The problem's content id."""
        return str(json.loads(self.data.judged_by)["id"])

    @vf.reward(weight=1.0)
    async def correct(self, trace: vf.Trace) -> float:
        """1 where the verdict is correct."""
        row = row_of(json.loads(self.data.judged_by), self.data.category, trace.last_reply)
        return reward_of(await asyncio.wrap_future(shared_process().judge(row)))


class VerdictConfig(vf.TasksetConfig):
    """Where the problems are."""

    data: Path
    """Folder of an export: ``DIR-sft-verl``."""


class VerdictTaskset(vf.Taskset[VerdictTask, VerdictConfig]):
    """The problems of an export, in its order."""

    def load(self) -> Iterator[VerdictTask]:
        """Yield a task a row."""
        import pyarrow.parquet as pq

        for file in sorted(self.config.data.glob("*.parquet")):
            for row in pq.read_table(file).to_pylist():
                *turns, asked = row["prompt"]
                system = turns[0]["content"] if turns and turns[0]["role"] == "system" else None
                earlier = turns[1:] if system is not None else turns
                data = VerdictData(
                    id=row["extra_info"]["id"],
                    prompt=[*earlier, asked] if earlier else asked["content"],
                    system_prompt=system,
                    category=row["ability"],
                    judged_by=json.dumps(row["extra_info"]),
                )
                yield VerdictTask(data, self.config.task)
