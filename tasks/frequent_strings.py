"""Strings that all responses together say too often: found once a batch, then dropped shard by shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from prefect import task

from tasks.quality import filtered, fit_responses
from tasks.stage import BY_KEY, RETRIES, STORED, stage
from tasks.work import Produced, Work
from tracemill.frequent_strings import Frequent, Strings, frequent_strings, strings_of
from tracemill.quality import Fault
from tracemill.recipe_frequent_strings import FrequentStrings
from tracemill.schema import Response
from tracemill.string_faults import frequent_fault

STRINGS = pa.schema([("gram", pa.uint64()), ("count", pa.int64())])
# Of a stored table a byte is less than a token of its text, so that this is more memory than is needed.
_COUNTERS_PER_BYTE = 4


@task(
    name="frequent_strings",
    task_run_name="frequent_strings {label}",
    version="1",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage()
def find_frequent_strings(work: Work) -> Produced:
    """Counts the strings of all correct responses without a fault, in all shards of all batches so far."""
    settings: FrequentStrings = work.section
    numbers = sorted({name.split("-")[1] for name in work.numbered("responses")})
    stored = sum(shard.size for name, shard in work.inputs.items() if name.startswith("responses-"))
    memory = min(settings.sketch_mib << 20, _COUNTERS_PER_BYTE * stored)

    def shards() -> Iterator[Strings]:
        for number in numbers:
            yield _strings(fit_responses(work, number), settings.tokens)

    found = frequent_strings(shards, settings.times, memory)
    table = pa.table([pa.array(found.grams), pa.array(found.counts)], schema=STRINGS)
    return Produced({"strings": table}, len(numbers), len(numbers), facts={"n_frequent": table.num_rows})


def _strings(responses: Sequence[Response], size: int) -> Strings:
    """Think and answer apart; both belong to the response's problem."""
    problems = {name: number for number, name in enumerate(sorted({given.problem_id for given in responses}))}
    # A response counts as one text: what it thinks and answers adds up.
    texts = [text for given in responses for text in (given.think or "", given.answer)]
    found = strings_of(texts, [problems[given.problem_id] for given in responses for _ in range(2)], size)
    return found._replace(texts=found.texts // 2)


@task(
    name="drop_frequent",
    task_run_name="drop_frequent {label}",
    version="1",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage(rows="problems")
def drop_frequent_shard(work: Work) -> Produced:
    """Drops the responses of one shard that hold frequent strings; rows are responses without another fault."""
    table = work.table("strings")
    found = Frequent(table["gram"].to_numpy().astype(np.uint64), table["count"].to_numpy())
    responses = fit_responses(work)
    faulty: list[tuple[Response, Fault]] = []
    for response in responses:
        fault = frequent_fault(response, found, work.section)
        if fault is not None:
            faulty.append((response, fault))
    return filtered(len(responses), faulty)
