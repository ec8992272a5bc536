r"""The comparison that needs computer algebra: math-verify, watched, and doubted where it is known to be wrong.

Imported in worker processes only: sympy and math-verify take a second to import, and what they do cannot be
interrupted. math-verify's own time-outs (SIGALRM) are off; the pool's deadline holds instead.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

from latex2sympy2_extended.latex2sympy2 import NormalizationConfig
from math_verify import LatexExtractionConfig, grader
from math_verify import parse as mv_parse
from sympy import Basic, FiniteSet, I, Interval, MatrixBase, Union, nan, zoo
from sympy.core.evalf import EvalfMixin
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from verifiers.maths import numeric
from verifiers.maths.comparing.comparison import compare_texts
from verifiers.maths.comparing.sameness import ONLY_REAL, Found
from verifiers.maths.doubts import why_lost
from verifiers.maths.reading.tokens import SIDE_BY_SIDE, NotUnderstood
from verifiers.maths.text import tidy
from verifiers.maths.words import core, split_choice, split_unit, without_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# units=False: math-verify takes any trailing t, h, m, s, … for a unit, so that 2t, 2h and 2 are all the same to it.
# Units are split off by words. boxed="all" is how it strips the box we put around a whole answer.
_NORMALISATION = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all", equations=False
)
_WHOLE = (LatexExtractionConfig(boxed_match_priority=0, normalization_config=_NORMALISATION),)

_exhausted: list[BaseException] = []  # what math-verify swallowed during the present comparison


def compare(reference: str, text: str, told: Iterable[str] = ()) -> dict[str, Any]:
    """Compare the answer with the reference; JSON values in and out, as it crosses a pipe.

    Our own reader is asked first. What it does not know is asked of math-verify, whose "equal" is doubted.

    Args:
        reference: the known answer, not prose.
        text: the answer, without what stands around it.
        told: words of the problem, which name what is counted.

    Returns:
        ``{"finding", "note"}``; finding is one of equal, different, doubtful, exhausted, unread_reference,
        unread_answer.

    Raises:
        MemoryError: also where math-verify would have swallowed it and said False.
    """
    words = frozenset(told)
    gold, target = (split_choice(side)[1] for side in (core(reference), text))
    try:
        finding = compare_texts(gold, target, words)
    except NotUnderstood as beyond:
        if beyond.is_words:
            return _found("doubtful", f"{beyond}, beside mathematics, may change it: {gold} and {target}")
        return _by_math_verify(gold, target, words, beyond=str(beyond))
    if finding is None:
        return _by_math_verify(gold, target, words)
    if finding.why == ONLY_REAL:
        found = _by_math_verify(gold, target, words)
        return found if found["finding"] == "equal" else _found("doubtful", f"{finding.why}: {gold} and {target}")
    kind = {Found.EQUAL: "equal", Found.DIFFERENT: "different", Found.UNSURE: "doubtful"}[finding.found]
    return _found(kind, f"{finding.why}: {gold} and {target}" if finding.why else "")


def _by_math_verify(gold_text: str, target_text: str, told: frozenset[str], beyond: str = "") -> dict[str, Any]:
    """Return what math-verify says of two texts.

    Args:
        gold_text: the reference.
        target_text: the answer.
        told: words of the problem.
        beyond: what our own reader does not know in them, if so.
    """
    _watch_math_verify()
    _exhausted.clear()
    gold_text, unit = split_unit(tidy(gold_text), told)
    target_text = without_unit(tidy(target_text), unit)
    reason = why_lost(gold_text, target_text)
    if reason:
        return _found("doubtful", f"{reason}: {gold_text} and {target_text}")
    gold = _read_whole(gold_text)
    if not _values(gold):
        return _found("unread_reference", gold_text)
    target = _read_whole(target_text)
    if not _values(target):
        return _found("unread_answer", target_text)
    found = _judge(gold, target)
    if beyond not in {"", SIDE_BY_SIDE} and found["finding"] == "different":
        return _found("doubtful", f"math-verify finds them different, but {beyond} is not understood")
    return found


def _judge(gold: list[Any], target: list[Any]) -> dict[str, Any]:
    try:
        equal = _equal_sides(gold, target)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - third-party code over arbitrary text; the kind is kept in the note
        return _failed(gold, target, f"the comparison failed with {type(error).__name__}")
    if equal:
        doubt = numeric.doubt(*equal)
        return _found("doubtful", doubt) if doubt else _found("equal", "")
    for swallowed in _exhausted:
        if isinstance(swallowed, MemoryError):
            raise swallowed
        return _found("exhausted", "the comparison ran out of recursion depth")
    return _found(*_by_solutions(_values(gold)[0], _values(target)[0]))


def _failed(gold: list[Any], target: list[Any], note: str) -> dict[str, Any]:
    """Of a comparison that broke off: whether it did so for a side that is no number, as 1/0 is."""
    for side, finding in ((gold, "unread_reference"), (target, "unread_answer")):
        if _values(side)[0].has(nan, zoo):
            return _found(finding, f"it is no number, and {note}")
    return _found("exhausted", note)


def _by_solutions(gold: Any, target: Any) -> tuple[str, str]:
    """Of two sides that are not equal, where one is an interval and the other inequalities: -2 <= x <= 7 is [-2, 7]."""
    kinds = (Interval, Union), (Relational, BooleanFunction, FiniteSet)
    for area, told in ((gold, target), (target, gold)):
        if isinstance(area, kinds[0]) and isinstance(told, kinds[1]) and told.has(Relational):
            solutions = _solutions(told)
            if solutions is None:
                return "doubtful", f"an interval and inequalities: {gold} and {target}"
            return ("equal" if solutions == area else "different"), ""
    return "different", ""


def _solutions(told: Any) -> Any | None:
    """The real numbers of which inequalities hold; None where that cannot be told, as of several between commas."""
    if isinstance(told, FiniteSet) or len(told.free_symbols) != 1:
        return None
    try:
        return told.as_set()
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return None


def _equal_sides(gold: list[Any], target: list[Any]) -> tuple[Any, Any] | None:
    """Return the two values as which math-verify calls the sides equal, or None.

    Tried twice: math-verify reads i as a letter, and (1+i)^2 is not 2i then.
    """
    sides = _values(gold)[0], _values(target)[0]
    if numeric.far_apart(*sides):
        return None
    if grader.verify(gold, target, timeout_seconds=None, raise_on_error=True):
        return sides
    complex_sides = _with_i(sides[0]), _with_i(sides[1])
    if complex_sides == sides:
        return None
    return complex_sides if grader.verify(*complex_sides, timeout_seconds=None, raise_on_error=True) else None


def _with_i(value: Any) -> Any:
    return value.xreplace({symbol: I for symbol in value.free_symbols if symbol.name == "i"})


def _found(finding: str, note: str) -> dict[str, Any]:
    return {"finding": finding, "note": note}


def _values(parsed: list[Any]) -> list[Any]:
    return [item for item in parsed if isinstance(item, (Basic, MatrixBase))]


def _read_whole(text: str) -> list[Any]:
    """Return all of ``text`` as one expression: math-verify's value if it could be read, and its normalised text.

    Only LaTeX extraction: the plain-number extraction would take the "4" out of "4 @ 2" and call it the answer.
    """
    return list(mv_parse(rf"\boxed{{{text}}}", list(_WHOLE), parsing_timeout=None, raise_on_error=True)) if text else []


@functools.cache
def _watch_math_verify() -> None:
    """Note what math-verify's ``except Exception: pass`` would turn into False, and so into a wrong answer.

    A MemoryError in ``simplify`` says nothing about the answer. Tested with x^(10^10), which sympy tries to store
    densely.
    """
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    grader.simplify = _noting(grader.simplify)
    grader.solve = _noting(grader.solve)
    grader.safe_sympy_doit = _doit
    EvalfMixin.evalf = _noting(EvalfMixin.evalf)


def _noting(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def noting(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (MemoryError, RecursionError) as error:
            _exhausted.append(error)
            raise

    return noting


def _doit(expression: Any) -> Any:
    """math-verify's ``safe_sympy_doit``, but exhaustion is noted."""
    try:
        return expression.doit()
    except (MemoryError, RecursionError) as error:
        _exhausted.append(error)
    except Exception:  # noqa: BLE001 - as in math-verify: what cannot be evaluated is compared as it stands
        return expression
    return expression
