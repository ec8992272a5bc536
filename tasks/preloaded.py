"""What all worker processes share, imported once in the process that they are forked from: tasks/engine/processes.py.

It imports the stages that compute, calls the compiled loops on next to nothing, and loads the model of languages, so
that no worker does: the pages of its tables are shared.
"""

from __future__ import annotations

import gc
import importlib
import logging
from typing import Final

from tracemill.core import Problem, problem_id, table_of
from tracemill.dedup.minhash import sign
from tracemill.quality.measures import measure
from tracemill.recipe.sections.deduplicate import Deduplicate
from tracemill.recipe.sections.quality import Repetition
from tracemill.text.language.model import likeliest

_STAGES: Final = ("audit", "clean", "decontaminate", "distill", "duplicates", "label", "quality", "select", "snapshot")


def _load_compiled_loops() -> None:
    text = "What is one and one? And which number comes after it?"
    problem = Problem(
        problem_id(text, [], "2", None, None), "", 0, "math", text, [], "2", None, None, [], "", False, {}
    )
    sign(table_of(Problem, [problem]), Deduplicate().signature)
    measure([text], Repetition())
    likeliest(text)  # its tables, 70 MB, are shared by all


for _name in _STAGES:
    importlib.import_module(f"tasks.{_name}")
try:
    _load_compiled_loops()
except Exception:
    logging.getLogger(__name__).exception("workers load compiled loops one by one")
# What is here now stays: no collection of garbage looks at it again, nor copies its pages.
gc.freeze()
