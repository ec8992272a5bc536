"""Chat: Infinity-Instruct, OpenOrca, WizardLM's evol-instruct, tulu-3. No references; the replies are GPT's or unknown.

Replies are left out, for only the questions are wanted. Those to earlier questions stay as history: without them the
last question means nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Category
from tracemill.sources.adapter import Draft, LayoutAdapter, MalformedRowError
from tracemill.sources.layouts.columns import parsed, said, text_in
from tracemill.sources.layouts.conversations import Exchange, exchange_of

if TYPE_CHECKING:
    from tracemill.sources.adapter import RowSource

_FLAN_PART: Final = re.compile(r"[a-z0-9]+(?=\.)")

# Sub-sources of tulu-3-sft-mixture by what their name holds: licence and whether it is non-commercial. From the
# mixture's card, which lists them; that of FLAN from tulu-v2's card. What is not here is flagged like the whole.
_TULU: Final = (
    ("no_robots", "CC-BY-NC-4.0", True),
    ("coconot", "ODC-By-1.0", False),
    ("flan_v2", "Apache-2.0", False),
    ("oasst1", "Apache-2.0", False),
    ("personahub", "ODC-By-1.0", False),
    ("personas", "ODC-By-1.0", False),
    ("numinamath", "Apache-2.0", False),
    ("evol_codealpaca", "Apache-2.0", False),
    ("aya", "Apache-2.0", False),
    ("wildchat", "ODC-By-1.0", False),
    ("wildguard", "ODC-By-1.0", False),
    ("wildjailbreak", "ODC-By-1.0", False),
    ("sciriff", "ODC-By-1.0", False),
    ("table_gpt", "MIT", False),
)


def infinity_instruct(row: dict[str, Any], _source: RowSource) -> Draft:
    """``id`` is a number or text, and unique in its subset only; ``label`` text, or ``{ability_en: […], …}``."""
    label = row.get("label")
    abilities = label.get("ability_en") if isinstance(label, dict) else label
    return _chat(
        _ordered(row.get("conversations")),
        said(row, upstream_id="id", upstream_source="source", language="langdetect")
        | ({"abilities": abilities} if abilities else {}),
    )


def open_orca(row: dict[str, Any], _source: RowSource) -> Draft:
    """The system prompt asks for a style ("as if to a child") and so belongs to the question. FLAN holds test sets."""
    system, upstream_id = text_in(row, "system_prompt"), row.get("id")
    part = _FLAN_PART.match(upstream_id) if isinstance(upstream_id, str) else None
    return Draft(
        prompt=row.get("question"),
        category=Category.OTHER,
        history=[{"role": "system", "content": system}] if system and system.strip() else [],
        info=said(row, upstream_id="id") | ({"flan_part": part.group()} if part else {}),
    )


def evol_instruct(row: dict[str, Any], _source: RowSource) -> Draft:
    """V2_196k has conversations, 70k an instruction and its output."""
    if "conversations" in row:
        return _chat(_ordered(row["conversations"]), said(row, upstream_id="idx"))
    return Draft(prompt=row["instruction"], category=Category.OTHER)


def tulu(row: dict[str, Any], _source: RowSource) -> Draft:
    """Some eighteen sets in one, each under its own licence; the first revision does not say which a row is from."""
    origin = str(row.get("source") or "")
    known = next(((licence, closed) for name, licence, closed in _TULU if name in origin.lower()), (None, None))
    return _chat(_ordered(row.get("messages")), said(row, upstream_id="id", upstream_source="source"), *known)


def _chat(
    exchange: Exchange, info: dict[str, Any], licence: str | None = None, non_commercial: bool | None = None
) -> Draft:
    return Draft(
        prompt=exchange.prompt,
        category=Category.OTHER,
        history=exchange.history,
        info=info,
        licence=licence,
        non_commercial=non_commercial,
    )


def _ordered(value: object) -> Exchange:
    """A conversation whose turns alternate; where they do not, tags or order are wrong, and so is the last question.

    Raises:
        MalformedRowError: ``malformed_conversation``, ``missing_prompt``, or ``turns_out_of_order``.
    """
    exchange = exchange_of(parsed(value, "conversation"))
    roles = [turn["role"] for turn in exchange.history if turn["role"] != "system"]
    expected = ["user", "assistant"] * (len(roles) // 2)
    if roles != expected:
        raise MalformedRowError("turns_out_of_order", f"before the last question: {', '.join(roles)}")
    return exchange


CHAT_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "infinity_instruct": LayoutAdapter(required=(("conversations",),), adapt=infinity_instruct),
    "open_orca": LayoutAdapter(required=(("question",), ("system_prompt",)), adapt=open_orca),
    "evol_instruct": LayoutAdapter(required=(("conversations", "instruction"),), adapt=evol_instruct),
    "tulu": LayoutAdapter(required=(("messages",),), adapt=tulu),
}
