"""What a run says of rows that were set aside: a warning for every kind of them, and a table with how to see it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from flows.engine.artifacts import Artifacts
from flows.engine.progress import artifact_key
from tasks.engine.failed_task import reproduce_command
from tasks.engine.poison import POISON, code_digest
from tracemill.store import Manifest

SHOWN_ROWS = 200  # of a phase
RETRIED = "once the code has changed, the next run tries them again, and does nothing else anew"


def tell_of_poison(
    artifacts: Artifacts,
    phase: str,
    poisoned: Sequence[Manifest],
    store_url: str,
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
) -> None:
    """Warn once of each kind of error that rows were set aside for, and leaves the table of the rows."""
    if not poisoned:
        return
    for warning in kinds(poisoned, store_url):
        logger.warning("%s", warning)
    n_rows = sum(manifest.facts[POISON]["n"] for manifest in poisoned)
    description = f"{n_rows:,} rows on which a stage crashed were set aside; {RETRIED}"
    artifacts.table(poison_rows(poisoned, store_url), artifact_key(f"poison-{phase}"), description)


def kinds(poisoned: Sequence[Manifest], store_url: str) -> list[str]:
    """Return one text for each kind of error: stage, what and where; of how many rows, such as which."""
    found: dict[tuple[str, str, str], list[tuple[Manifest, dict[str, Any]]]] = defaultdict(list)
    for manifest in poisoned:
        for row in manifest.facts[POISON]["rows"]:
            found[manifest.stage, row["error"].partition(":")[0], row["where"]].append((manifest, row))
    return [
        f"poison: {len(rows)} row(s) set aside in stage {stage}: {rows[0][1]['error']}, in {where}; such as"
        f" {_called(rows[0][1])}; alone: {reproduce_command(stage, rows[0][0].key, store_url)}; {RETRIED}"
        for (stage, _, where), rows in found.items()
    ]


def poison_rows(poisoned: Sequence[Manifest], store_url: str) -> list[dict[str, Any]]:
    """Return the table of the rows."""
    rows = [
        {
            "stage": manifest.stage,
            "id": row["id"],
            "source": row["source"],
            "row": row["row"],
            "error": f"{row['error']}, in {row['where']}",
            "excerpt": row["excerpt"],
            "alone": reproduce_command(manifest.stage, manifest.key, store_url),
        }
        for manifest in poisoned
        for row in manifest.facts[POISON]["rows"]
    ]
    return rows[:SHOWN_ROWS]


def poison_facts(manifests: Iterable[Manifest]) -> dict[str, Any]:
    """Return what a publication says of the rows that were set aside; nothing where there are none."""
    n_rows = sum(manifest.facts[POISON]["n"] for manifest in manifests if POISON in manifest.facts)
    return {POISON: {"n": n_rows, "code": code_digest()}} if n_rows else {}


def is_mended(publication: dict[str, Any]) -> bool:
    """Tell whether rows of a publication were set aside by code that has changed since."""
    return POISON in publication and bool(publication[POISON]["code"] != code_digest())


def _called(row: dict[str, Any]) -> str:
    name = f"problem {row['id']}, " if row["id"] else ""
    return f"{name}row {row['row']} of {row['source']}: {row['excerpt']}"
