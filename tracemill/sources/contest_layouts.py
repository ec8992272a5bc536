"""Contest problems: APPS, TACO, Eurus-2-RL-Data (PRIME), verifiable-coding-problems-python, codeforces-cots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracemill.schema import Category
from tracemill.sources.boilerplate import without_suffix
from tracemill.sources.conversations import exchange_of
from tracemill.sources.criteria import parsed, reference_of, said, solved, text_in
from tracemill.sources.draft import Draft, ExcludedRowError, LayoutAdapter, MalformedRowError
from tracemill.sources.io_tests import io_tests, naming_entry_point
from tracemill.sources.limits import limits_of

if TYPE_CHECKING:
    from tracemill.sources.draft import RowSource


def apps(row: dict[str, Any], _source: RowSource) -> Draft:
    """APPS and TACO. Call-based rows come with the head of their function, which belongs to the prompt."""
    tests = io_tests(row.get("input_output"))
    _refuse_display_tests(tests, row.get("url"), row.get("source"))
    question, starter = text_in(row, "question"), text_in(row, "starter_code")
    parts = [text for text in (question, starter) if text and text.strip()]
    solutions = parsed(row.get("solutions"), "solutions") or []
    return Draft(
        prompt=naming_entry_point("\n\n".join(parts), tests) if question and question.strip() else None,
        category=Category.CODE,
        tests=tests | limits_of(row.get("time_limit"), row.get("memory_limit")) if tests else None,
        info=said(row, "difficulty", "url", upstream_id="problem_id", upstream_source="source")
        | solved(solutions[0] if isinstance(solutions, list) and solutions else None),
    )


def eurus(row: dict[str, Any], _source: RowSource) -> Draft:
    """PRIME's rows: an action system prompt, a sentence on the form of the answer, and mathematics or programs.

    The first revision had ``task, instruction, reference`` in place of ``ability, prompt, reward_model``. What
    ``extra_info`` says is made up, and no id.
    """
    if "prompt" in row:
        exchange = exchange_of(row["prompt"]).without_system()
        prompt, history = exchange.prompt, exchange.history
        reward = parsed(row.get("reward_model"), "reward_model")
        truth = reward.get("ground_truth") if isinstance(reward, dict) else None
    else:
        prompt, history, truth = row["instruction"], [], row.get("reference")
    ability = str(row.get("ability", row.get("task"))).lower()
    if not ability.startswith(("math", "cod")):
        raise MalformedRowError("unknown_ability", f"ability is {ability!r:.100}; expected: math or code")
    tests = io_tests(truth) if ability.startswith("cod") else None
    bare = without_suffix(prompt) if isinstance(prompt, str) else prompt
    return Draft(
        prompt=naming_entry_point(bare, tests) if isinstance(bare, str) else bare,
        history=history,
        reference_answer=reference_of(truth) if ability.startswith("math") else None,
        category=Category.MATH if ability.startswith("math") else Category.CODE,
        tests=tests,
        info={"upstream_source": row.get("data_source", row.get("source"))} | said(row, upstream_id="id"),
    )


def verifiable_coding(row: dict[str, Any], _source: RowSource) -> Draft:
    """open-r1's selection of PrimeIntellect's problems, and its parent, which keeps both structs as JSON text."""
    info = parsed(row.get("verification_info"), "verification_info")
    metadata = parsed(row.get("metadata"), "metadata")
    about = metadata if isinstance(metadata, dict) else {}
    tests = _typed_tests(info)
    _refuse_display_tests(tests, about.get("problem_url"), row.get("source"))
    prompt = next((row[name] for name in ("problem_statement", "problem", "prompt") if row.get(name)), None)
    limits = limits_of(about.get("time_limit"), about.get("memory_limit_bytes") or about.get("memory_limit"))
    return Draft(
        prompt=naming_entry_point(prompt, tests) if isinstance(prompt, str) else prompt,
        category=Category.CODE,
        tests=tests | limits if tests else None,
        info=said(about, "difficulty", url="problem_url")
        | said(row, upstream_id="problem_id", upstream_source="source")
        | solved(row.get("gold_standard_solution")),
    )


def _typed_tests(info: object) -> dict[str, Any] | None:
    """``[{type, fn_name, input, output}]``: all of one type, for a task that mixes them asks for two programs."""
    if not isinstance(info, dict):
        raise MalformedRowError("malformed_tests", f"verification_info is {info!r:.200}; expected: an object")
    cases = parsed(info.get("test_cases"), "test_cases") or []
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise MalformedRowError("malformed_tests", f"test_cases is {cases!r:.200}; expected: a list of objects")
    language = str(info.get("language") or "python").lower()
    if language not in ("python", "python3"):
        raise ExcludedRowError("not_python", f"the tests are for {language}")
    kinds = {(str(case.get("type")), text_in(case, "fn_name") or None) for case in cases}
    if len(kinds) > 1 or any(kind == "stdin_stdout" and name for kind, name in kinds):
        raise MalformedRowError("mixed_tests", f"tests of several kinds in one task: {sorted(map(str, kinds))}")
    inputs, outputs = [case.get("input") for case in cases], [case.get("output") for case in cases]
    return io_tests({"inputs": inputs, "outputs": outputs, "fn_name": next((name for _, name in kinds), None)})


def _refuse_display_tests(tests: dict[str, Any] | None, url: object, site: object) -> None:
    """GeeksforGeeks asks for a function, and its tests were scraped as text on a page: no program can pass them."""
    if tests and tests["kind"] == "stdio" and "geeksforgeeks" in f"{url} {site}".lower():
        raise ExcludedRowError("function_with_text_tests", f"a problem of GeeksforGeeks: {url or site}")


CONTEST_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "apps": LayoutAdapter(required=(("question",), ("input_output",)), adapt=apps),
    "eurus": LayoutAdapter(required=(("prompt", "instruction"), ("reward_model", "reference")), adapt=eurus),
    "verifiable_coding": LayoutAdapter(
        required=(("problem_statement", "problem", "prompt"), ("verification_info",)), adapt=verifiable_coding
    ),
}
