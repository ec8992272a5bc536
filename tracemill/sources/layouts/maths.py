"""Mathematics: NuminaMath-1.5, MetaMathQA, Omni-MATH, OpenR1-Math-220k, LIMO, DeepMath-103K, Big-Math."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Category
from tracemill.sources.adapter import Draft, ExcludedRowError, LayoutAdapter, MalformedRowError
from tracemill.sources.layouts.columns import is_choice, is_letter, reference_of, said, text_in
from tracemill.sources.layouts.conversations import exchange_of
from tracemill.sources.layouts.traces import R1, tagged_trace
from tracemill.text.boxes import last_boxed

if TYPE_CHECKING:
    from tracemill.sources.adapter import RowSource

_ANSWER_MARK: Final = "The answer is:"
_VALID: Final = {"problem_is_valid": "invalid_problem", "solution_is_valid": "invalid_solution"}


def numina(row: dict[str, Any], _source: RowSource) -> Draft:
    """NuminaMath-1.5. Its flags are text: "No" and "Incomplete" are as true as "Yes"."""
    for flag, reason in _VALID.items():
        if flag in row and not _says_yes(row[flag]):
            raise ExcludedRowError(reason, f"{flag} is {row[flag]!r}")
    return _competition(row, said(row, "synthetic"), [])


def _says_yes(flag: object) -> bool:
    return flag is True or (isinstance(flag, str) and flag.strip().lower() == "yes")


def openr1_math(row: dict[str, Any], _source: RowSource) -> Draft:
    """OpenR1-Math-220k: two to four generations of R1's, of which only *one* needs to be right.

    Each is a trace with what was said of it: by math-verify (most rows), by Llama-3.3-70B (one in eight), or nothing.
    Those called right come first; the others stay, since our own verifier judges them all.
    """
    traces = sorted(_generations(row), key=lambda trace: not (trace.get("math_verify") or trace.get("llama")))
    return _competition(row, {"upstream_id": row["uuid"]} if row.get("uuid") else {}, traces)


def _generations(row: dict[str, Any]) -> list[dict[str, Any]]:
    texts = row.get("generations")
    if texts is None:  # a revision or copy that keeps the chosen one only
        reply = exchange_of(row["messages"]).reply if row.get("messages") else None
        return [] if reply is None else [tagged_trace(R1, reply)]
    if not isinstance(texts, list):
        raise MalformedRowError("malformed_generations", f"generations is {texts!r:.200}; expected: a list of text")
    return [
        tagged_trace(
            R1,
            text,
            generation=index,
            math_verify=_flag(row, "correctness_math_verify", index),
            llama=_flag(row, "correctness_llama", index),
            complete=_flag(row, "is_reasoning_complete", index),
        )
        for index, text in enumerate(texts)
    ]


def _flag(row: dict[str, Any], name: str, index: int) -> bool | None:
    """Return a flag of one generation; whole columns and single flags may be null."""
    flags = row.get(name)
    found = flags[index] if isinstance(flags, list) and index < len(flags) else None
    return found if isinstance(found, bool) else None


def _competition(row: dict[str, Any], info: dict[str, Any], traces: list[dict[str, Any]]) -> Draft:
    """What NuminaMath and OpenR1-Math have in common. A row is a proof by its type or by its answer: test both."""
    answer, kind = row.get("answer"), str(row.get("question_type") or "")
    if "proof" in {kind.lower(), str(answer).strip().lower()}:
        raise ExcludedRowError("proof", f"question_type is {kind!r}, answer is {answer!r:.100}")
    reference, prompt = reference_of(answer), row.get("problem")
    choice = is_choice(prompt, reference)
    if kind.upper() == "MCQ" and is_letter(reference) and not choice:
        raise ExcludedRowError("options_missing", f"the answer is {reference!r}, and the problem lists no options")
    return Draft(
        prompt=prompt,
        reference_answer=reference,
        category=Category.CHOICE if choice else None,
        traces=traces,
        info=info | said(row, "problem_type", "question_type", upstream_source="source"),
    )


def metamath(row: dict[str, Any], _source: RowSource) -> Draft:
    """MetaMathQA: the answer follows the last "The answer is:" of GPT-3.5's response, which is no trace.

    Types *_FOBAR and *_SV give the answer away and ask for a number of the question; the recipe selects by ``type``.
    """
    response = row.get("response")
    if not isinstance(response, str) or _ANSWER_MARK not in response:
        raise MalformedRowError("no_reference_marker", f"the response has no '{_ANSWER_MARK}'")
    reference = response.rsplit(_ANSWER_MARK, 1)[1].strip()
    return Draft(prompt=row.get("query"), reference_answer=reference_of(reference), info=said(row, "type"))


def omni_math(row: dict[str, Any], _source: RowSource) -> Draft:
    """Omni-MATH: an answer column, or the last box of the solution where it is blank."""
    solution, answer = text_in(row, "solution"), reference_of(row.get("answer"))
    if answer is None and solution:
        answer = last_boxed(solution)
    info = said(row, "domain", "difficulty", upstream_source="source")
    return Draft(prompt=row.get("problem"), reference_answer=answer, info=info)


def limo(row: dict[str, Any], _source: RowSource) -> Draft:
    """LIMO: answers are numbers where JSON says so. Solutions are chains of several models and people: no traces."""
    return Draft(prompt=row.get("question"), reference_answer=reference_of(row.get("answer")))


def deepmath(row: dict[str, Any], _source: RowSource) -> Draft:
    """DeepMath-103K: three traces of R1's, which begin inside the reasoning, as R1's chat template has it."""
    texts = {number: row.get(f"r1_solution_{number}") for number in (1, 2, 3)}
    return Draft(
        prompt=row.get("question"),
        reference_answer=reference_of(row.get("final_answer")),
        traces=[tagged_trace(R1, text, generation=number) for number, text in texts.items() if text],
        info=said(row, "difficulty", "topic"),
    )


def big_math(row: dict[str, Any], _source: RowSource) -> Draft:
    """Big-Math-RL-Verified: closed-form answers, and how often Llama-3.1-8B found them."""
    info = said(row, "domain", "llama8b_solve_rate", upstream_source="source")
    return Draft(prompt=row.get("problem"), reference_answer=reference_of(row.get("answer")), info=info)


MATHS_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "numina": LayoutAdapter(required=(("problem",), ("answer",), ("question_type",)), adapt=numina),
    "openr1_math": LayoutAdapter(
        required=(("problem",), ("answer",), ("generations", "messages")),
        adapt=openr1_math,
        responses=("generations", "messages"),
    ),
    "metamath": LayoutAdapter(required=(("query",), ("response",), ("type",)), adapt=metamath),
    "omni_math": LayoutAdapter(required=(("problem",), ("answer",), ("domain",)), adapt=omni_math),
    "deepmath": LayoutAdapter(
        required=(("question",), ("final_answer",)),
        adapt=deepmath,
        responses=("r1_solution_1", "r1_solution_2", "r1_solution_3"),
    ),
    "big_math": LayoutAdapter(required=(("problem",), ("answer",), ("domain",)), adapt=big_math),
    "limo": LayoutAdapter(required=(("question",), ("answer",), ("solution",)), adapt=limo),
}
