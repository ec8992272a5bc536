"""Other data sets' names for IFEval's constraints, and for their arguments: RLVR-IFeval's and Nemotron's.

Sources keep the dialect of their data set; the verifier reads every row through :func:`canonical`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from verifiers.instructions.constraints import RLVR

if TYPE_CHECKING:
    from collections.abc import Mapping

# Nemotron's RL split: IFEval's constraints under other names, or with other names of arguments.
_NEMOTRON_NAMES: Final = {"detectable_format:quotation": "startend:quotation"}
_NEMOTRON_ARGUMENTS: Final = {
    "keywords:letter_frequency": {"frequency": "let_frequency", "relation": "let_relation"},
    "change_case:capital_word_frequency": {"frequency": "capital_frequency", "relation": "capital_relation"},
    "keywords:frequency": {"keywords": "keyword"},
}
_RELATIONS: Final = {"more than": ("at least", 1), "at most": ("at most", 0), "no more than": ("at most", 0)}


def canonical(constraint: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name and arguments under which a constraint of any dialect is judged; what is not known stays as it is.

    Args:
        constraint: ``{"id", "kwargs"}``; kwargs, and arguments, that are null count as absent.
    """
    name = str(constraint.get("id"))
    given = constraint.get("kwargs")
    given = given if isinstance(given, dict) else {}
    arguments = {key: _plain(value) for key, value in given.items() if value is not None}
    if name in RLVR:  # whose rows hold the arguments of all its constraints, nulls and others
        arguments = {key: value for key, value in arguments.items() if key in RLVR[name].arguments}
    else:
        name = _NEMOTRON_NAMES.get(name, name)
        names = _NEMOTRON_ARGUMENTS.get(name, {})
        arguments = {names.get(key, key): value for key, value in arguments.items()}
    if isinstance(arguments.get("keyword"), list) and len(arguments["keyword"]) == 1:
        arguments["keyword"] = arguments["keyword"][0]
    if isinstance(arguments.get("language"), str):
        arguments["language"] = arguments["language"].strip().lower()
    for key in [key for key in arguments if key.endswith("relation") or key == "quantifier"]:
        _settle_relation(arguments, key)
    return name, arguments


def _plain(value: Any) -> Any:
    """Whole numbers as such: a column with nulls in it makes 3.0 of 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _settle_relation(arguments: dict[str, Any], key: str) -> None:
    """Relations as the checks know them; "more than N" is "at least N + 1"."""
    word = str(arguments[key]).strip().lower()
    arguments[key], more = _RELATIONS.get(word, (word, 0))
    number = next(
        (name for name in arguments if name.endswith("frequency") or name.startswith("num_") or name == "N"), None
    )
    if more and number and type(arguments[number]) is int:
        arguments[number] += more
