"""What the page of one row shows, of the records that tell of it; all of it bounded, all of it escaped."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from markupsafe import Markup, escape

from tracemill.browse.mathematics import mathml
from tracemill.browse.texts import code, plain, rendered, short, table, value, visible
from tracemill.core import ReferenceBy
from tracemill.core.schema import REFERENCE_BY
from tracemill.runs.why import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracemill.runs.why import Record

_MOST_RESPONSES: Final = 40
_MOST_CASES: Final = 60
_MOST_BESIDE: Final = 20
_BESIDE_CHARS: Final = 4_000
_CELL_CHARS: Final = 400
_JSON_CHARS: Final = 100_000
_CODES: Final = re.compile(r"tests passed: ((?:(?:AC|WA|TLE|MLE|OLE|RE|CE|IE|NOT_RUN) ?)+)")
_WORDS: Final = re.compile(r"\w+|\W")
_CODE_KINDS: Final = ("python", "cpp")
_NOTHING: Final = Markup("")


class Answered(NamedTuple):
    """One response on a row's page.

    Attributes:
        id: of the response.
        title: who wrote it.
        fate: ``published``, or why it is not.
        outcome: of the verdict that counts; "" where there is none.
        n_think_words: of the trace.
        think, answer: the texts; None where the run does not keep them.
        verdicts: a table of every verdict on it.
        tests: a table of its tests with their results.
        measures: what was measured on it.
    """

    id: str
    title: str
    fate: str
    outcome: str
    n_think_words: int
    think: Markup | None
    answer: Markup | None
    verdicts: Markup
    tests: Markup
    measures: Markup


class Beside(NamedTuple):
    """Two texts that were taken for the same, or nearly.

    Attributes:
        title: what the other one is.
        row_id: of the other one, where it has a page.
        left, right: the texts, with the words marked that the other lacks.
    """

    title: str
    row_id: str
    left: Markup
    right: Markup


class Life(NamedTuple):
    """Everything about one row.

    Attributes:
        id: of the problem.
        turns: before the prompt: (role, text).
        prompt: as Markdown, or the source's own text where it could not be read.
        facts: (name, value), for a table.
        judged_by: reference, tests, constraints: (name, shown).
        way: stage by stage, as ``why`` tells it.
        responses: published ones first.
        n_more_responses: that are not shown.
        duplicates, contamination: what it was compared with.
        records: the whole of ``why``, as JSON.
    """

    id: str
    turns: Sequence[tuple[str, Markup]]
    prompt: Markup
    facts: Sequence[tuple[str, Markup]]
    judged_by: Sequence[tuple[str, Markup]]
    way: Markup
    responses: Sequence[Answered]
    n_more_responses: int
    duplicates: Sequence[Beside]
    contamination: Sequence[Beside]
    records: Markup


def life(row: Record, records: Sequence[Record], texts: Sequence[Record]) -> Life:
    """Return the page of a row.

    Args:
        row: from ``dataset``, ``dropped`` or an audit's ``verdicts``, with what the index says of it.
        records: of :func:`tracemill.runs.why.story_by`; none of a row that never became a problem.
        texts: of its responses that are not published, from ``rejected`` or the store.
    """
    prompt = str(row.get("prompt") or "")
    asked = [turn for turn in row.get("messages") or [] if isinstance(turn, dict)][:-2]
    answered = list(_responses(row, records, texts))
    return Life(
        id=str(row.get("id") or ""),
        turns=[(visible(str(turn.get("role"))), rendered(str(turn.get("content")))) for turn in asked[-_MOST_BESIDE:]],
        prompt=rendered(prompt) if prompt else value(row.get("raw", "")),
        facts=list(_facts(row)),
        judged_by=[*_judged_by(row), *_votes(records)],
        way=plain(render(records)) if records else _NOTHING,
        responses=answered[:_MOST_RESPONSES],
        n_more_responses=max(len(answered) - _MOST_RESPONSES, 0),
        duplicates=list(_duplicates(row, prompt, records)),
        contamination=list(_contamination(row, prompt, records)),
        records=plain(json.dumps([_bounded(each) for each in records], ensure_ascii=False, indent=1), _JSON_CHARS),
    )


_FACTS: Final = (
    "source",
    "row",
    "category",
    "category_label",
    "difficulty",
    "difficulty_by_pass_rate",
    "quality",
    "language",
    "n_prompt_tokens",
    "licence",
    "non_commercial",
    "info",
    "evidence",
)


def _facts(row: Record) -> Iterator[tuple[str, Markup]]:
    for name in _FACTS:
        if row.get(name) not in {None, ""} if not isinstance(row.get(name), dict | list) else row[name]:
            yield name.replace("_", " "), value(row[name])


def _judged_by(row: Record) -> Iterator[tuple[str, Markup]]:
    reference = _as_text(row.get("reference_answer") or "")
    if reference:
        drawn = mathml(reference, block=True) if row.get("category") == "math" and "\\" in reference else None
        by = ", made by majority" if row.get(REFERENCE_BY) == ReferenceBy.MAJORITY else ""
        yield f"reference answer{by}", drawn or rendered(reference)
    if row.get("constraints"):
        yield "constraints", value(row["constraints"])


def _votes(records: Sequence[Record]) -> Iterator[tuple[str, Markup]]:
    """Yield what its samples say of a reference, made or given."""
    for record in [each for each in records if each["where"] == "references"][:_MOST_BESIDE]:
        answers = [each for each in record.get("answers") or [] if isinstance(each, list)][:_MOST_CASES]
        shown = [[value(_as_text(answer)), n] for answer, n in answers]
        yield f"what its samples say: {str(record.get('finding')).replace('_', ' ')}", table(["answer", "votes"], shown)


def _responses(row: Record, records: Sequence[Record], texts: Sequence[Record]) -> Iterator[Answered]:
    """Yield every response that anything is known of, the published one first."""
    traces = {record["response_id"]: record for record in records if record["where"] == "traces"}
    verdicts: dict[str, list[Record]] = {}
    for record in records:
        if record["where"] == "verdicts" and "response_id" in record:
            verdicts.setdefault(record["response_id"], []).append(record)
    said = {record["response_id"]: _of_ledger(record) for record in records if record["where"] == "ledger"}
    said |= {str(record.get("response_id") or record.get("id")): record for record in texts}
    chosen = [record for record in (row, *records) if record["where"] == "dataset" and "response_id" in record]
    said |= {record["response_id"]: record for record in chosen}
    # The published one, then others, each once; rows of ``rejected`` may be of one without traces.
    published = dict.fromkeys(record["response_id"] for record in chosen)
    for name in dict.fromkeys([*published, *traces, *verdicts, *said]):
        if name:
            yield _answered(
                row, name, traces.get(name, {}), verdicts.get(name, []), said.get(name, {}), is_out=name in published
            )


def _answered(
    row: Record, name: str, trace: Record, verdicts: Sequence[Record], said: Record, *, is_out: bool
) -> Answered:
    think, answer = said.get("think"), said.get("answer")
    model, origin = trace.get("model") or said.get("model"), trace.get("origin") or said.get("origin")
    judged = verdicts[-1] if verdicts else said
    why = trace.get("fault") or trace.get("reason") or said.get("reason")
    is_program = row.get("category") == "code" or bool(row.get("tests"))
    return Answered(
        id=name,
        title=short(f"{model or 'a response'}, from the {origin or 'teacher'}", 120),
        fate="published"
        if is_out or trace.get("published")
        else f"not published: {short(_as_text(why), 80)}"
        if why
        else "",
        outcome=short(_as_text(trace.get("outcome") or judged.get("outcome") or ""), 40),
        n_think_words=trace.get("think_words") or len(_as_text(think or "").split()),
        think=None if think is None else plain(_as_text(think)),
        answer=None if answer is None else rendered(_as_text(answer)),
        verdicts=_verdicts(verdicts, is_program=is_program),
        tests=_tests(row.get("tests"), verdicts),
        measures=value({k: v for k, v in trace.items() if k not in _TOLD}) if trace else _NOTHING,
    )


_TOLD: Final = frozenset(
    {"where", "response_id", "problem_id", "model", "origin", "outcome", "published", "reason", "fault"}
)


def _of_ledger(record: Record) -> Record:
    """Return what the server said; where it did not split the reasoning off, all of it is the answer."""
    if "content" not in record:
        return {}
    content = _as_text(record["content"])
    think, found, answer = content.removeprefix("<think>").partition("</think>")
    if record.get("reasoning") is None and found:
        return record | {"think": think, "answer": answer}
    return record | {"think": record.get("reasoning"), "answer": content}


def _verdicts(verdicts: Sequence[Record], *, is_program: bool) -> Markup:
    if not verdicts:
        return _NOTHING
    names = [
        name
        for name in ("verifier", "outcome", "cause", "score", "extracted", "detail", "provenance", "reason")
        if any(verdict.get(name) not in {None, ""} for verdict in verdicts if not isinstance(verdict.get(name), dict))
        or any(isinstance(verdict.get(name), dict | list) for verdict in verdicts)
    ]

    def cell(verdict: Record, name: str) -> Markup:
        found = verdict.get(name)
        if found is None:
            return Markup("–")
        if name == "extracted" and is_program:
            return code(_as_text(found))
        return value(found)

    return table(names, [[cell(verdict, name) for name in names] for verdict in verdicts])


def _tests(tests: Any, verdicts: Sequence[Record]) -> Markup:
    """Return a table of what a program was tried on, with the code of each case as far as a verdict says it."""
    if not isinstance(tests, dict):
        return _NOTHING
    told = next((m for verdict in verdicts if (m := _CODES.search(_as_text(verdict.get("detail") or "")))), None)
    codes = told.group(1).split() if told else []
    cases = list(_cases(tests))
    rows = [
        (
            number,
            *(plain(text, _CELL_CHARS) for text in case),
            _coded(codes[number - 1] if number <= len(codes) else "–"),
        )
        for number, case in enumerate(cases[:_MOST_CASES], 1)
    ]
    kind = value({k: v for k, v in tests.items() if k not in {"cases", "asserts", "code"}})
    more = Markup('<p class="note">… and {} more tests</p>').format(len(cases) - _MOST_CASES)
    return (
        Markup("<p>{}</p>").format(kind)
        + (code(_as_text(tests["code"])) if tests.get("code") else _NOTHING)
        + (table(("test", "input", "expected", "result"), rows) if rows else _NOTHING)
        + (more if len(cases) > _MOST_CASES else _NOTHING)
    )


def _coded(result: str) -> Markup:
    kind = {"AC": "right", "–": "", "NOT_RUN": ""}.get(result, "wrong")
    return Markup('<b class="{}">{}</b>').format(kind, result)


def _cases(tests: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (input, expected) of every case, of any kind of tests."""
    for case in tests.get("cases") or ():
        if not isinstance(case, dict):
            yield _as_text(case), ""
        elif "stdin" in case:
            yield _as_text(case["stdin"]), _as_text(case.get("stdout", ""))
        else:
            given = [*(json.dumps(each, ensure_ascii=False) for each in case.get("args") or ())]
            given += [
                f"{name}={json.dumps(each, ensure_ascii=False)}" for name, each in (case.get("kwargs") or {}).items()
            ]
            yield ", ".join(given), json.dumps(case.get("expected"), ensure_ascii=False)
    for line in tests.get("asserts") or ():
        yield _as_text(line), ""


def _duplicates(row: Record, prompt: str, records: Sequence[Record]) -> Iterator[Beside]:
    compared = [record for record in records if record["where"] == "compared"]
    for record in compared[:_MOST_BESIDE]:
        told = [str(record["relation"]), *(str(record[name]) for name in ("method", "reason") if record.get(name))]
        if isinstance(record.get("score"), int | float):
            told.append(f"score {record['score']:.3g}")
        name = str(record.get("id") or "")
        yield Beside(
            short(" · ".join(told), 200),
            name if name != row.get("id") else "",
            *_side_by_side(prompt, _as_text(record.get("prompt") or "")),
        )


def _contamination(row: Record, prompt: str, records: Sequence[Record]) -> Iterator[Beside]:
    evidence = row.get("evidence")
    if row.get("stage") == "decontaminate" and isinstance(evidence, dict):
        yield _beside_item(prompt, evidence, evidence.get("item_text") or evidence.get("overlap"), "found in")
    for record in [each for each in records if each["where"] == "grey"][:_MOST_BESIDE]:
        yield _beside_item(prompt, record, record.get("item_text"), "near to, and kept:")


def _beside_item(prompt: str, found: Mapping[str, Any], text: object, what: str) -> Beside:
    score = f" · score {found['score']:.3g}" if isinstance(found.get("score"), int | float) else ""
    title = f"{what} {found.get('benchmark', '')}, item {found.get('item', '')} · {found.get('method', '')}{score}"
    return Beside(short(title, 200), "", *_side_by_side(prompt, _as_text(text or "")))


def _side_by_side(left: str, right: str) -> tuple[Markup, Markup]:
    """Return both texts, with the words marked that the other does not have, whatever their case."""
    left, right = left[:_BESIDE_CHARS], right[:_BESIDE_CHARS]
    of_left, of_right = ({word.casefold() for word in _WORDS.findall(text)} for text in (left, right))
    return _marked(left, of_right), _marked(right, of_left)


def _marked(text: str, known: set[str]) -> Markup:
    mark = Markup("<mark>{}</mark>")
    words = (
        mark.format(word) if word.casefold() not in known and word.strip() else escape(word)
        for word in _WORDS.findall(visible(text))
    )
    return Markup('<div class="text verbatim">{}</div>').format(_NOTHING.join(words))


def _as_text(found: object) -> str:
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _bounded(record: Any) -> Any:
    """Return a record with the beginnings of its texts."""
    if isinstance(record, dict):
        return {name: _bounded(each) for name, each in list(record.items())[:200]}
    if isinstance(record, list):
        return [_bounded(each) for each in record[:50]]
    return short(record, 2_000) if isinstance(record, str) else record
