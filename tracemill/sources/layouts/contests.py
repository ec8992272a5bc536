"""codeforces-cots: problems with their examples, and R1's solutions in C++ or Python, by configuration.

Examples are samples: a program that passes them may still be wrong (upstream: 84 % of the Python traces pass). The
hidden tests are in another repository. A problem comes in up to four rows, which are one problem with one trace each.

Time and memory limits of contest problems, in whatever units their data sets have them.

Contest problems: APPS, TACO, Eurus-2-RL-Data (PRIME), verifiable-coding-problems-python, codeforces-cots.

LiveCodeBench's code generation problems: a benchmark, read to keep its problems out, or to check programs.

Private tests are JSON text, or that text pickled, compressed and in base64. Nothing is unpickled here: the opcodes of a
pickled text are read one by one, and a pickle that holds anything else is refused.
"""

from __future__ import annotations

import base64
import binascii
import pickletools
import re
import zlib
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Category
from tracemill.sources.adapter import Draft, ExcludedRowError, LayoutAdapter, MalformedRowError
from tracemill.sources.layouts.columns import parsed, reference_of, said, solved, text_in, without_suffix
from tracemill.sources.layouts.conversations import exchange_of, turns_of
from tracemill.sources.layouts.io_tests import io_tests, naming_entry_point
from tracemill.sources.layouts.traces import R1, tagged_trace

if TYPE_CHECKING:
    from tracemill.sources.adapter import RowSource

_MB: Final = 1 << 20
_NUMBER: Final = re.compile(r"\s*(\d+(?:\.\d+)?)")
_LEAST_BYTES: Final = _MB  # A number as large as this is one of bytes: no problem allows a terabyte.
_MOST: Final = 1e15  # Neither seconds nor bytes.


def limits_of(time: object, memory: object) -> dict[str, Any]:
    """``time_limit_s`` and ``memory_limit_mb`` of a test object; what is not known is left out.

    Args:
        time: seconds, as a number, as text ("2.0 seconds"), or as ``{seconds, nanos}``.
        memory: megabytes, as a number or text ("256.0 megabytes"), or bytes.
    """
    seconds, amount = _seconds(time), _number(memory)
    megabytes = amount // _MB if amount >= _LEAST_BYTES else amount
    limits: dict[str, Any] = {"time_limit_s": seconds} if seconds else {}
    return limits | ({"memory_limit_mb": int(megabytes)} if megabytes >= 1 else {})


def _seconds(time: object) -> float:
    if isinstance(time, dict):
        return _number(time.get("seconds")) + _number(time.get("nanos")) / 1e9
    return _number(time)


def _number(value: object) -> float:
    if isinstance(value, str):
        found = _NUMBER.match(value)
        return float(found.group(1)) if found else 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MOST:
        return 0.0
    return float(value)


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


_TEXTS: Final = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_HARMLESS: Final = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}
_MOST_BYTES: Final = 1 << 30  # The largest of the benchmark's are below 200 MB.


def livecodebench(row: dict[str, Any], _source: RowSource) -> Draft:
    """A problem with its public and private tests; where a function is asked for, its head is part of the prompt."""
    question, starter = text_in(row, "question_content"), text_in(row, "starter_code")
    parts = [text for text in (question, starter) if text]
    cases = _cases(row.get("public_test_cases")) + _cases(row.get("private_test_cases"))
    return Draft(
        prompt="\n\n".join(parts) if question else None,
        category=Category.CODE,
        tests=_tests(cases, parsed(row.get("metadata"), "metadata")),
        info=said(row, "platform", "difficulty", "contest_date", "contest_id", upstream_id="question_id")
        | said(row, title="question_title"),
    )


def _tests(cases: list[dict[str, Any]], metadata: object) -> dict[str, Any] | None:
    kinds = {str(case.get("testtype")) for case in cases}
    if len(kinds) > 1:
        raise MalformedRowError("mixed_tests", f"tests of several kinds in one task: {sorted(kinds)}")
    name = metadata.get("func_name") if isinstance(metadata, dict) and kinds == {"functional"} else None
    if kinds == {"functional"} and not name:
        raise MalformedRowError("malformed_tests", "functional tests, and metadata names no func_name")
    inputs, outputs = [case.get("input") for case in cases], [case.get("output") for case in cases]
    return io_tests({"inputs": inputs, "outputs": outputs, "fn_name": name})


def _cases(value: object) -> list[dict[str, Any]]:
    """``[{input, output, testtype}]`` of either encoding."""
    is_packed = isinstance(value, str) and value.strip() and value.lstrip()[0] not in "[{"
    cases = parsed(unpacked(str(value)) if is_packed else value, "tests") or []
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise MalformedRowError("malformed_tests", f"tests are {cases!r:.200}; expected: a list of objects")
    return cases


def unpacked(packed: str) -> str:
    """Return the text in base64 of a compressed pickle of nothing but that text.

    Raises:
        MalformedRowError: ``malformed_tests``: it is not packed so, holds more than a text, or is larger than 1 GiB.
    """
    try:
        decompressor = zlib.decompressobj()
        pickled = decompressor.decompress(base64.b64decode(packed, validate=True), _MOST_BYTES)
        return _pickled_text(pickled, is_whole=decompressor.eof)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise MalformedRowError("malformed_tests", f"packed tests: {type(error).__name__}: {error}") from error


def _pickled_text(pickled: bytes, *, is_whole: bool) -> str:
    if not is_whole:
        raise ValueError("cut off, or too large")
    texts = []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in _TEXTS:
            texts.append(str(argument))
        elif opcode.name not in _HARMLESS:
            raise ValueError(f"a pickle that holds more than a text: {opcode.name}")
    if len(texts) != 1:
        raise ValueError(f"a pickle of {len(texts)} texts")
    return texts[0]


LIVECODEBENCH_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "livecodebench": LayoutAdapter(
        required=(("question_content",), ("public_test_cases", "private_test_cases")), adapt=livecodebench
    ),
}


_OTHER_TASKS: Final = ("checker_interactor", "test_input_generator")
_FENCE: Final = re.compile(r"```(python|cpp|c\+\+)", re.IGNORECASE)
_SECTIONS: Final = (("Input", "input_format"), ("Output", "output_format"))


def codeforces_cots(row: dict[str, Any], source: RowSource) -> Draft:
    """Return the statement is put together from its columns: ``prompt`` wraps it in what R1 was told to do."""
    if source.config in _OTHER_TASKS:
        raise ExcludedRowError("no_solution", f"config {source.config} asks for checkers or test inputs")
    if _text(row, "interaction_format"):
        raise ExcludedRowError("interactive", "the program must talk with a judge")
    generation = row.get("generation") or _last_reply(row.get("messages"))
    examples, language = _examples(row.get("examples")), _language(source.config, generation)
    limits = limits_of(row.get("time_limit"), row.get("memory_limit"))
    tests = {"kind": "stdio", "language": language, "cases": examples} | limits if examples else None
    traces = [tagged_trace(R1, generation, finish_reason=row.get("finish_reason"))] if generation else []
    return Draft(
        prompt=_statement(row, examples, language),
        category=Category.CODE,
        tests=tests,
        traces=traces,
        info=said(row, "title", "contest_start_year", "aliases", upstream_id="id") | {"tests_are_samples": True},
    )


def _statement(row: dict[str, Any], examples: list[dict[str, str]], language: str) -> object:
    description = row.get("description")
    if not isinstance(description, str) or not description.strip():
        return description
    parts = [f"# {row['title']}"] if _text(row, "title") else []
    parts.append(description.strip())
    parts += [f"## {title}\n{_text(row, column)}" for title, column in _SECTIONS if _text(row, column)]
    parts += [f"## Example\nInput:\n{case['stdin'].strip()}\nOutput:\n{case['stdout'].strip()}" for case in examples]
    parts += [f"## Note\n{_text(row, 'note')}"] if _text(row, "note") else []
    parts += ["Write the program in C++."] if language == "cpp" else []
    return "\n\n".join(parts)


def _text(row: dict[str, Any], column: str) -> str:
    return (text_in(row, column) or "").strip()


def _examples(value: object) -> list[dict[str, str]]:
    cases = parsed(value, "tests") or []
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise MalformedRowError("malformed_tests", f"examples is {cases!r:.200}; expected: a list of input and output")
    streams = [{"stdin": case.get("input"), "stdout": case.get("output")} for case in cases]
    if not all(isinstance(text, str) for stream in streams for text in stream.values()):
        raise MalformedRowError("malformed_tests", "an input or output of examples is no text")
    return [{name: str(text) for name, text in stream.items()} for stream in streams]


def _language(config: str | None, generation: object) -> str:
    """By the configuration; where it is not known, as with local files, by the last program that was written."""
    if config:
        return "python" if config.startswith("solutions_py") else "cpp"
    fences = _FENCE.findall(generation) if isinstance(generation, str) else []
    return "python" if fences and fences[-1].lower() == "python" else "cpp"


def _last_reply(messages: object) -> str | None:
    turns = turns_of(messages) if messages else []
    return turns[-1]["content"] if turns and turns[-1]["role"] == "assistant" else None


CODEFORCES_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "codeforces_cots": LayoutAdapter(
        required=(("description",), ("examples",)), adapt=codeforces_cots, responses=("generation", "messages")
    ),
}
