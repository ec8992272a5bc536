r"""The comparison that needs computer algebra: math-verify, watched, and doubted where it is known to be wrong.

Imported in worker processes only: sympy and math-verify take a second to import, and what they do cannot be
interrupted. math-verify's own time-outs (SIGALRM) are off; the pool's deadline holds instead.
"""

from __future__ import annotations

import functools
import logging
import re
from typing import TYPE_CHECKING, Any

from latex2sympy2_extended.latex2sympy2 import NormalizationConfig
from math_verify import ExprExtractionConfig, LatexExtractionConfig, grader
from math_verify import parse as mv_parse
from sympy import Basic, FiniteSet, I, Interval, MatrixBase, Union, nan, zoo
from sympy.core.evalf import EvalfMixin
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from verifiers.maths import numeric
from verifiers.maths.text import tidy
from verifiers.maths.words import core, split_choice, split_unit, without_unit

if TYPE_CHECKING:
    from collections.abc import Callable

# units=False: math-verify takes any trailing t, h, m, s, … for a unit, so that 2t, 2h and 2 are all the same to it.
# Units are split off by answer_words. boxed="all" is how it strips the box we put around a whole answer.
_NORMALISATION = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all", equations=False
)
_WHOLE = (LatexExtractionConfig(boxed_match_priority=0, normalization_config=_NORMALISATION),)
_ANYWHERE = (LatexExtractionConfig(normalization_config=_NORMALISATION), ExprExtractionConfig())

_GOES_ON = re.compile(r"[*/^_√×·÷π!]|[+\-−]\s*[\w\\(]|\\(?:sqrt|frac|times|cdot|pi)|[,.:]\d|\.\.\.|…")
_BEGAN_EARLIER = re.compile(r"[*/^√×·÷]$|\w\s?[+\-−]$|\d[.,:]$")
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]+)\*\*")

_exhausted: list[BaseException] = []  # what math-verify swallowed during the present comparison


def compare(reference: str, box: str | None, answer: str) -> dict[str, Any]:
    """Compares the answer with the reference; JSON values in and out, as it crosses a pipe.

    Args:
        reference: the known answer, not prose.
        box: content of the response's last box, or None: then math-verify looks for the answer in ``answer``.
        answer: the response's answer part; not looked at when there is a box.

    Returns:
        ``{"finding", "extracted", "note"}``; finding is one of equal, different, doubtful, exhausted,
        unread_reference, unread_answer, no_answer. extracted is None with a box.

    Raises:
        MemoryError: also where math-verify would have swallowed it and said False.
    """
    _watch_math_verify()
    _exhausted.clear()
    gold_text, unit = split_unit(split_choice(tidy(core(reference)))[1])
    gold, extracted = _read_whole(gold_text), None
    if not _values(gold):
        return _found("unread_reference", None, reference)
    if box is not None:
        target = _read_whole(without_unit(split_choice(tidy(box))[1], unit))
    else:
        answer = _BOLD.sub(r"\1", answer)
        target = _search(answer)
        if not target:
            return _found("no_answer", None, "")
        extracted = next((item for item in reversed(target) if isinstance(item, str)), str(target[-1]))
        if _is_cut_short(answer, extracted):
            return _found("doubtful", extracted, "no box, and what was found is a piece of something longer")
    if not _values(target):
        return _found("unread_answer", extracted, box or extracted or "")
    return _judge(gold, target, extracted)


def _judge(gold: list[Any], target: list[Any], extracted: str | None) -> dict[str, Any]:
    try:
        equal = _equal_sides(gold, target)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - third-party code over arbitrary text; the kind is kept in the note
        return _failed(gold, target, extracted, f"the comparison failed with {type(error).__name__}")
    if equal:
        doubt = numeric.doubt(*equal)
        return _found("doubtful", extracted, doubt) if doubt else _found("equal", extracted, "")
    for swallowed in _exhausted:
        if isinstance(swallowed, MemoryError):
            raise swallowed
        return _found("exhausted", extracted, "the comparison ran out of recursion depth")
    return _found(*_by_solutions(_values(gold)[0], _values(target)[0], extracted))


def _failed(gold: list[Any], target: list[Any], extracted: str | None, note: str) -> dict[str, Any]:
    """Of a comparison that broke off: whether it did so for a side that is no number, as 1/0 is."""
    for side, finding in ((gold, "unread_reference"), (target, "unread_answer")):
        if _values(side)[0].has(nan, zoo):
            return _found(finding, extracted, f"it is no number, and {note}")
    return _found("exhausted", extracted, note)


def _by_solutions(gold: Any, target: Any, extracted: str | None) -> tuple[str, str | None, str]:
    """Of two sides that are not equal, where one is an interval and the other inequalities: -2 <= x <= 7 is [-2, 7]."""
    kinds = (Interval, Union), (Relational, BooleanFunction, FiniteSet)
    for area, told in ((gold, target), (target, gold)):
        if isinstance(area, kinds[0]) and isinstance(told, kinds[1]) and told.has(Relational):
            solutions = _solutions(told)
            if solutions is None:
                return "doubtful", extracted, f"an interval and inequalities: {gold} and {target}"
            return ("equal" if solutions == area else "different"), extracted, ""
    return "different", extracted, ""


def _solutions(told: Any) -> Any | None:
    """The real numbers of which inequalities hold; None where that cannot be told, as of several between commas."""
    if isinstance(told, FiniteSet) or len(told.free_symbols) != 1:
        return None
    try:
        return told.as_set()
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return None


def _equal_sides(gold: list[Any], target: list[Any]) -> tuple[Any, Any] | None:
    """The two values as which math-verify calls the sides equal, or None.

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


def _found(finding: str, extracted: str | None, note: str) -> dict[str, Any]:
    return {"finding": finding, "extracted": extracted, "note": note}


def _values(parsed: list[Any]) -> list[Any]:
    return [item for item in parsed if isinstance(item, (Basic, MatrixBase))]


def _read_whole(text: str) -> list[Any]:
    """All of ``text`` as one expression: math-verify's value if it could be read, and its normalised text.

    Only LaTeX extraction: the plain-number extraction would take the "4" out of "4 @ 2" and call it the answer.
    """
    return list(mv_parse(rf"\boxed{{{text}}}", list(_WHOLE), parsing_timeout=None, raise_on_error=True)) if text else []


def _search(answer: str) -> list[Any]:
    return list(mv_parse(answer, list(_ANYWHERE), parsing_timeout=None, raise_on_error=True))


def _is_cut_short(answer: str, extracted: str) -> bool:
    """Whether the extracted text goes on in the answer, as the 4 of "4√2" or the 1 of "1 - 1/e" does."""
    start = answer.rfind(extracted)
    if start < 0:
        return False
    before, after = answer[:start].rstrip(" "), answer[start + len(extracted) :].lstrip(" ")
    return bool(_GOES_ON.match(after) or _BEGAN_EARLIER.search(before))


@functools.cache
def _watch_math_verify() -> None:
    """Notes what math-verify's ``except Exception: pass`` would turn into False, and so into a wrong answer.

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
