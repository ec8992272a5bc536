"""The catalogue: what is known of every source dataset, so that a recipe need not say it, nor say it wrongly.

A recipe writes ``{known: openr1-math-default, revision: <commit>}``; Hub id, config, split, layout, category, licence
and the non-commercial flag come from here. A licence that contradicts the catalogue is refused.

To add a dataset: add one :class:`Dataset` to the table of its family (``catalogue_reasoning.py`` for maths, science and
mixed traces, ``catalogue_code.py`` for programs, ``catalogue_chat.py`` for chat and instructions) with a layout of
``layouts.py``, and one row to docs/sources.md. Say in ``evidence`` how each fact is known: *card* (seen on the
dataset's card), *code* (public code that reads the columns), *recollection*. Revisions are not here: nobody should copy
one that was not looked up; ``python -m tracemill pin RECIPE`` asks the Hub.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tracemill.sources.catalogue.chat import CHAT
from tracemill.sources.catalogue.code import CODE
from tracemill.sources.catalogue.reasoning import REASONING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracemill.sources.catalogue.dataset import Dataset

CATALOGUE: Final[Mapping[str, Dataset]] = MappingProxyType(REASONING | CODE | CHAT)


def datasets_at(hub: str) -> list[Dataset]:
    """What is known under a Hub id, also a former one; ids are compared without case, as the Hub does."""
    wanted = hub.lower()
    return [known for known in CATALOGUE.values() if wanted in {each.lower() for each in (known.hub, *known.also)}]
