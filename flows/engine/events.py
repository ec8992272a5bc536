"""Events that other flows and automations are started by: a dataset was published, a dataset was evaluated.

``tracemill.dataset.published`` and ``tracemill.dataset.evaluated``, about the resource ``tracemill.dataset.NAME``.
Outside a flow run there is nobody to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from prefect.context import FlowRunContext
from prefect.events import emit_event

PUBLISHED: Final = "tracemill.dataset.published"
EVALUATED: Final = "tracemill.dataset.evaluated"
RESOURCE: Final = "tracemill.dataset"


def tell_published(name: str, out: str, manifest: Mapping[str, Any], n_rows: int) -> None:
    """Tell that a new version of a dataset stands in ``out``.

    Args:
        name: of the dataset.
        out: the run's directory.
        manifest: of the publication.
        n_rows: that were published.
    """
    said = {"digest": manifest["key"], "rows": n_rows, "version": manifest.get("version"), "out": out}
    _tell(PUBLISHED, name, said)


def tell_evaluated(name: str, out: str, digest: str, n_rows: int, score: float | None) -> None:
    """Tell that a dataset, or what was trained on it, was judged.

    Args:
        name: of what was judged.
        out: directory of the result.
        digest: of the result.
        n_rows: that were judged.
        score: from 0 to 1; None where nothing could be judged.
    """
    _tell(EVALUATED, name, {"digest": digest, "rows": n_rows, "score": score, "out": out})


def _tell(event: str, name: str, payload: dict[str, Any]) -> None:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    run = {"prefect.resource.id": f"prefect.flow-run.{context.flow_run.id}", "prefect.resource.role": "flow-run"}
    flow = {"prefect.resource.id": f"prefect.flow.{context.flow_run.flow_id}", "prefect.resource.role": "flow"}
    resource = {"prefect.resource.id": f"{RESOURCE}.{name}", "prefect.resource.name": name}
    named = flow | ({"prefect.resource.name": context.flow.name} if context.flow is not None else {})
    emit_event(event=event, resource=resource, payload=payload, related=[run, named])
