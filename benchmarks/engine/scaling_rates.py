"""The rates that docs/scaling.md reckons with: each number once, with how it is known and where it is from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Known(StrEnum):
    """How a number is known."""

    MEASURED = "measured"
    RECKONED = "reckoned"
    PUBLISHED = "published"


@dataclass(frozen=True)
class Rate:
    """A number.

    Attributes:
        value: the number.
        unit: what it counts, per what.
        known: how it is known.
        source: the benchmark and its figure, the formula, or who has published it.
    """

    value: float
    unit: str
    known: Known
    source: str


def _measured(value: float, unit: str, source: str) -> Rate:
    return Rate(value, unit, Known.MEASURED, source)


def _reckoned(value: float, unit: str, source: str) -> Rate:
    return Rate(value, unit, Known.RECKONED, source)


def _published(value: float, unit: str, source: str) -> Rate:
    return Rate(value, unit, Known.PUBLISHED, source)


_PAPER = "arXiv 2503.19633"
_CURATION = "`all_stages`: {} s for 1.4M rows, one thread"

# --- What a row is like -----------------------------------------------------------------------------------------------

ASKED = _published(
    0.9 / 1.4, "of the rows are sent to the teacher", f"{_PAPER}: 0.9M of 1.4M; the others bring a trace"
)
MATHS = _published(543_935 / 1.4e6, "of the rows have a reference answer", _PAPER)
PROGRAMS = _published(306_818 / 1.4e6, "of the rows have tests", _PAPER)
TOKENS = _reckoned(
    3_500, "tokens a trace", "34.3 GB of published JSON : 1.4M rows, every text twice in it, 3.5 characters a token"
)
TRACE_BYTES = _reckoned(12_250, "bytes a trace", "3,500 tokens of 3.5 characters")

# --- The teacher ------------------------------------------------------------------------------------------------------

GPU_TOKENS = _published(2_200, "tokens/s a GPU (H200)", "vLLM: DeepSeek-R1 with wide expert parallelism")
GPU_ANSWERS = _published(25 / 3600, "answers/s a GPU (H100)", "Open R1: 25 an hour by SGLang (15 by vLLM)")
CLIENT_CPU = _measured(486e-6, "processor seconds a request", "`client_saturation`: 486 us")
CLIENT_REQUESTS = _measured(996, "requests/s a client process", "`client_saturation`: ten shards at once")
IN_FLIGHT = _measured(33e3, "bytes a request in flight", "`client_saturation`: 155 MB with 2,000, 90 MB before")

# --- Processor seconds a row ------------------------------------------------------------------------------------------

COLLECT = _measured(73 / 1.4e6, "s a row", _CURATION.format("5 + 68"))
CLEAN = _measured(161 / 1.4e6, "s a row", _CURATION.format(161))
SIGN = _measured(26 / 1.4e6, "s a row", _CURATION.format(26))
DROP = _measured(52 / 1.4e6, "s a row", _CURATION.format(52))
DECONTAMINATE = _measured(34 / 1.4e6, "s a row", _CURATION.format(34))
LABEL = _measured(196e-6, "s a row", "`reuse_path`: 196 us of processor time, on prompts of words in no language")
MATHS_CHECK = _measured(1 / 81, "s a response", "`maths_agreement`: 81 pairs/s, the slow path; plain numbers 12,600/s")
PROGRAM_CHECK = _measured(2 / 35, "s a program", "`sandbox_throughput`: 35 programs/s of 15 tests on 2 cores")
QUALITY = _measured(1 / 439, "s a response", "`traces`: 439 rows/s of 4,758 tokens, one process")
FREQUENT = _measured(1 / 319, "s a response", "`traces`: 319 rows/s, both passes, one process")
EXPORT = _reckoned(
    12_250 / 23_715 / 1057, "processor s a row", "`publishing`: 1,057 rows of 23,715 characters a processor second"
)
TALLY = _measured(1 / 67_954, "processor s a row", "`publishing`: 67,954 rows a processor second")

# --- The duplicate step, over all rows at once -----------------------------------------------------------------------

CLUSTER_S = _measured(13.2 / 1.4e6, "s a row", "`near_duplicates`: 13.2 s for 1.4M rows")
CLUSTER_BYTES = _measured(0.53e9 / 1.4e6, "bytes a row", "1.4M stored signatures without near-duplicates: 0.53 GB")
SEMANTIC_S = _measured(123.1 / 400e3**2, "processor s a row, squared", "`semantic_search`: 123.1 s for 400,000 rows")
SEMANTIC_GUARDED = _measured(4.8 / 1.4e6, "processor s a row", "`semantic_search`: 4.8 s for 1.4M rows, with the guard")
SEMANTIC_BYTES = _measured(2.1e9 / 1.4e6, "bytes a row", "`semantic_search`: 2.1 GB for 1.4M rows of 384 dimensions")
EMBED = _measured(1 / 26, "s a row", "`semantic_search`: 26 questions/s on one core, a model of 384 dimensions")

# --- The ledger -------------------------------------------------------------------------------------------------------

ENTRY_BYTES = _measured(28, "bytes an entry in memory", "`tracemill/ledger/index.py`: two halves of a key and a place")
RECORD_BYTES = _reckoned(12_500, "bytes a record", "a trace, its key and what is said of it; not compressed")
RESPONSE_BYTES = _reckoned(
    12_250 / 23_715 * 5_872, "bytes a response", "`publishing`: 5,872 bytes for 23,715 characters"
)
SELECTED_BYTES = _reckoned(12_250 / 23_715 * 11_658, "bytes a selected row", "`publishing`: 11,658, likewise")
PUBLISHED_BYTES = _reckoned(
    12_250 / 23_715 * (12_638 + 5_885),
    "bytes a published row",
    "`publishing`: 12,638 in dataset/, 5,885 in am.jsonl.zst",
)
OPEN_S = _measured(2.5 / 5.6e6, "s an entry", "`ledger`: 2.5 s for 5.6 million")

# --- Prefect ----------------------------------------------------------------------------------------------------------

TASKS = _measured(16_805 / 1400, "tasks a shard", "`cached_rerun`: 16,805 tasks of 1,400 shards")
TASK_BYTES = _measured(16e3, "bytes a task run in Postgres", "10,000 task runs of Prefect 3.9; 20 kB in SQLite")
RECORD_S = _measured(75 / 10_000, "s a task run", "10,000 task runs, Postgres and Redis, in batches of 200: 75 s")
FIND_S = _measured(0.67e-3, "s a finished task", "`cached_rerun`: 0.67 ms")
OVERHEAD_S = _measured(352e-6, "s a row", "`orchestration`: 352 us a row beside the plain stages")
