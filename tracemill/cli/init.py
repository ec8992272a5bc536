"""A recipe for one's own files: ``python -m tracemill init FILE… [--out recipe.yaml]``.

What the first rows show is not asked; what they do not show stands in the recipe as a comment, with what to do. Texts
of the rows get into the recipe as quoted YAML or ASCII JSON alone, so that nothing in them can become a setting.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracemill.core import Category, RecipeError
from tracemill.recipe import parse_recipe
from tracemill.recipe.yaml import parse_yaml
from tracemill.sources.inspection import LETTER, NOTHING, NUMBER, PROSE, ROWS, Inspected, inspected
from tracemill.sources.layouts.traces import R1
from tracemill.text.language.guess import UNDETERMINED

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

DEMO_TEACHER: Final = "demo-teacher"
_DEMO_TOKENS: Final = 512  # its context is 2,048 tokens, the prompt's among them
_PLAIN: Final = re.compile(r"[A-Za-z_./][\w./-]*")
_NO_TEXT: Final = ("null", "~")
_NAMED: Final = 3  # of anything that there may be many of
_NAME_CHARS: Final = 40
_COLUMNS: Final = 20
_BENCHMARKS: Final = {
    Category.MATH: "{known: gsm8k-test}, {known: math-500}, {known: aime-2024}",
    Category.CODE: "{known: humaneval}, {known: livecodebench}",
    Category.CHOICE: "{known: gpqa-diamond}",
}
# The categories that an answer can be judged in by what is beside the question.
_FITS: Final = {NUMBER: Category.MATH, LETTER: Category.CHOICE, PROSE: Category.OTHER, NOTHING: Category.OTHER}


def drafted(files: Sequence[Path], out: Path, model: str | None = None) -> tuple[str, list[Inspected]]:
    """Return the text of a recipe for some files, and what was seen in them; it is parsed here, and nothing is written.

    Args:
        files: what becomes a source each.
        out: where the recipe will be, since paths are relative to that.
        model: of the teacher; the demo teacher unless given.

    Raises:
        TracemillError: see :func:`tracemill.sources.inspection.inspected`.
    """
    found = inspected(files)
    text = "\n".join(_lines(found, out, model)) + "\n"
    parse_recipe(parse_yaml(text, str(out)), origin=str(out))
    return text, found


def refuse_existing(out: Path, *, force: bool) -> None:
    """Refuses, before anything is read, to replace a file that nobody said may be replaced.

    Raises:
        RecipeError: it is there.
    """
    if out.exists() and not force:
        raise _there(out)


def _there(out: Path) -> RecipeError:
    return RecipeError(
        f"{out} is there already; it was not touched", remedy="name another file with --out, or give --force"
    )


def write(text: str, out: Path, *, force: bool = False) -> None:
    """Put the recipe where it belongs.

    Raises:
        RecipeError: a file is there and may not be replaced, or it cannot be written.
    """
    try:
        with out.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _there(out) from None
    except OSError as error:
        raise RecipeError(
            f"the recipe cannot be written to {out}",
            got=str(error.strerror),
            expected="a file in a folder that is there",
            remedy="name another with --out",
        ) from error


def summary(found: Sequence[Inspected], out: Path) -> str:
    """Return what was seen in the files, for a terminal, and what to do next."""
    lines = [line for one in found for line in (*_seen(one), "")]
    across = _n_across(found)
    if across:
        lines += [f"in more than one of the files: {across:,} rows; of each, the first file's stays", ""]
    return "\n".join([*lines, f"wrote {out}", "next:", *(f"  {command}" for command in _next(out))])


def facts(found: Sequence[Inspected], out: Path) -> dict[str, object]:
    """Return the same for scripts."""
    return {
        "recipe": str(out),
        "sources": [
            {
                "name": one.name,
                "path": str(one.path),
                "rows": one.n_rows,
                "more": one.more,
                "columns": {
                    name: {"types": dict(column.types), "sample": column.sample} for name, column in one.columns.items()
                },
                "layout": one.layout.layout,
                "named_columns": dict(one.layout.columns),
                "categories": dict(one.categories),
                "judged_by": dict(one.judged_by),
                "languages": dict(one.languages),
                "duplicates": one.n_duplicates,
                "dropped": dict(one.dropped),
                "traces": dict(one.traces),
                "traces_without_reasoning": one.n_bare,
                "unread_columns": list(one.unread),
                "unread_parts": list(one.parts),
            }
            for one in found
        ],
        "duplicates_across_sources": _n_across(found),
    }


def _n_across(found: Sequence[Inspected]) -> int:
    seen: set[str] = set()
    n_rows = 0
    for one in found:
        n_rows += sum(row in seen for row in set(one.ids))
        seen.update(one.ids)
    return n_rows


def _seen(one: Inspected) -> Iterator[str]:
    rows = f"the first {one.n_rows:,} rows" if one.more else f"{one.n_rows:,} rows"
    named = "".join(f", {field} is {column!r}" for field, column in one.layout.columns.items())
    yield f"{one.path}: {rows}, read as layout {one.layout.layout}{named}"
    shown = dict(list(one.columns.items())[:_COLUMNS])
    width = max(len(repr(name)) for name in shown)
    for name, column in shown.items():
        yield f"  {name!r:<{width}}  {', '.join(column.types):<14}  {column.sample}"
    if len(shown) < len(one.columns):
        yield f"  … and {len(one.columns) - len(shown)} columns more"
    yield f"  category    {_counts(one.categories)}"
    yield f"  judged by   {_counts(one.judged_by)}"
    yield f"  language    {_counts(one.languages)}"
    yield f"  duplicates  {one.n_duplicates:,}"
    yield f"  traces      {_by_model(one.traces) if one.traces else 'none'}"
    if one.dropped:
        yield f"  not usable  {_counts(one.dropped)}"
    yield from (f"  note        {note}" for note in one.notes)


def _next(out: Path) -> tuple[str, ...]:
    recipe = f"'{out}'" if " " in str(out) else str(out)
    build = f"python -m flows.build_dataset {recipe}"
    return f"python -m flows.check_references {recipe}", f"{build} --preview 3", build


def _counts(counts: Counter[str]) -> str:
    shown = [f"{name} {n:,}" for name, n in counts.most_common(_NAMED)]
    n_left = sum(counts.values()) - sum(n for _, n in counts.most_common(_NAMED))
    return ", ".join([*shown, *([f"others {n_left:,}"] if n_left else [])]) or "none"


def _quoted(text: str) -> str:
    """Strangers' text in a comment: on one line, in ASCII, and bounded."""
    return json.dumps(text if len(text) <= _NAME_CHARS else text[:_NAME_CHARS] + "…")


def _by_model(traces: Counter[str]) -> str:
    return ", ".join(f"{n:,} by {_quoted(model)}" for model, n in traces.most_common(_NAMED))


def _scalar(text: str) -> str:
    """Return a text as YAML that is read as this text."""
    return text if _PLAIN.fullmatch(text) and text.isascii() and text not in _NO_TEXT else json.dumps(text)


def _lines(found: Sequence[Inspected], out: Path, model: str | None) -> Iterator[str]:
    folder = _folder(found)
    check, preview, build = _next(out)
    names = ", ".join(_quoted(one.path.name) for one in found[:_NAMED]) + (" …" if len(found) > _NAMED else "")
    yield f"# Written by python -m tracemill init, after a look at {names}. Every key: docs/recipe-reference.md"
    yield f"# First  {check}   (no model is asked: can answers be judged?)"
    yield f"# then   {preview}   (a few rows through all stages, and what all would ask)"
    yield f"# then   {build}"
    yield f"name: {found[0].name if out.stem == 'recipe' else _dataset_name(out.stem, found[0].name)}"
    yield f"data_dir: {_scalar(_from(folder, out.absolute().parent))} # what paths are relative to, seen from this file"
    yield "sources: # in order of priority: of two duplicates, the one from the earlier source stays"
    for one in found:
        yield f"  # {_about(one)}"
        yield f"  - {_entry(one, folder)}"
        yield from (f"    # {remark}" for remark in _remarks(one))
    if across := _n_across(found):
        yield f"  # in more than one of these sources: {across:,} rows"
    yield from _languages(found)
    yield from _benchmarks(found, out)
    yield from _teacher(found, model)
    yield from _judged(found)


def _dataset_name(stem: str, otherwise: str) -> str:
    return stem if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", stem) else otherwise


def _folder(found: Sequence[Inspected]) -> Path:
    """Return the folder that all files are below."""
    return Path(os.path.commonpath([one.path.absolute().parent for one in found]))


def _from(folder: Path, recipe_folder: Path) -> str:
    """Return the folder relative to the recipe's, if it is in it; else where it is."""
    return str(folder.relative_to(recipe_folder)) if folder.is_relative_to(recipe_folder) else str(folder)


def _about(one: Inspected) -> str:
    rows = f"the first {ROWS:,} rows" if one.more else f"{one.n_rows:,} rows"
    return f"{rows}; judged by: {_counts(one.judged_by)}; language: {_counts(one.languages)}"


def _entry(one: Inspected, folder: Path) -> str:
    path = str(one.path.absolute().relative_to(folder))
    parts = [f"name: {one.name}", f"path: {_scalar(path)}", f"layout: {one.layout.layout}"]
    if one.layout.columns:
        columns = ", ".join(f"{name}: {_scalar(column)}" for name, column in one.layout.columns.items())
        parts.append(f"columns: {{{columns}}}")
    if one.category is not None:
        parts.append(f"category: {one.category}")
    return f"{{{', '.join(parts)}, licence: unknown}} # say the rows' licence: MIT, CC-BY-4.0, …"


def _remarks(one: Inspected) -> Iterator[str]:
    """Yield what is not plain, each with what to do."""
    if one.dropped:
        yield f"not usable, and so in dropped/: {_counts(one.dropped)}"
    if one.n_duplicates:
        yield f"exact duplicates: {one.n_duplicates:,}; of each question the first row stays"
    if one.parts:
        names = ", ".join(map(_quoted, one.parts[:_NAMED]))
        yield f"not read: {names}. Does it belong to the question, write it into that column: nobody sees it otherwise"
    if tests := [name for name in one.unread if "test" in name]:
        yield f"not read: {_quoted(tests[0])}. Layout mbpp has assertions in test_list beside text; plain has tests as"
        yield "objects in a column tests: docs/sources.md"
    if answers := [name for name in one.unread if "test" not in name]:
        names = ", ".join(map(_quoted, answers[:_NAMED]))
        yield f"not read: {names}. Are answers judged by it, say so: columns: {{reference_answer: NAME}}"
    others = {kind: n for kind, n in one.judged_by.items() if kind in _FITS and _FITS[kind] != one.category}
    if one.layout.layout == "plain" and one.category is not None and others:
        told = ", ".join(f"{n:,} by {kind}" for kind, n in others.items())
        yield f"judged otherwise than its category: {told}; a column category (math, choice, other) says it row by row"


def _languages(found: Sequence[Inspected]) -> Iterator[str]:
    told = {code for one in found for code in one.languages} - {UNDETERMINED}
    if len(told) > 1:
        most = max(told, key=lambda code: sum(one.languages[code] for one in found))
        yield f"# clean: {{languages: [{most}]}} # the prompts are in {len(told)} languages; this keeps one"


def _benchmarks(found: Sequence[Inspected], out: Path) -> Iterator[str]:
    categories = [category for category in _BENCHMARKS if any(one.categories[category] for one in found)]
    names = ", ".join(_BENCHMARKS[category] for category in categories or [Category.MATH])
    yield "decontaminate:"
    yield f"  benchmarks: [] # nothing is kept out. [{names}] keeps these out,"
    yield f"  # once python -m tracemill pin {_quoted(out.name)} has looked up their commits."


def _teacher(found: Sequence[Inspected], model: str | None) -> Iterator[str]:
    yield "distill:"
    yield "  teacher: # where it is: TEACHER_URL=http://host:8000/v1 in the environment, or base_urls here"
    if model is None or model == DEMO_TEACHER:
        yield f"    model: {DEMO_TEACHER} # the small one of the demo, for a try; else as your server calls its model"
        yield f"    max_tokens: {_DEMO_TOKENS} # what the demo teacher has room for; 16384 or more for one that reasons"
    else:
        yield f"    model: {_scalar(model)}"
        yield "    max_tokens: 16384 # of reasoning and answer; the server's context must have room for it"
    for one in found:
        theirs = [name for name in one.traces if name != R1]
        if one.traces[R1]:
            yield f"  # {one.name}: {one.traces[R1]:,} traces by {R1} are judged before the teacher is asked"
        if theirs:
            listed = ", ".join(map(_quoted, [R1, *theirs[:_NAMED]]))
            yield f"  # {one.name}: traces of others ({_by_model(one.traces)}) are used only if named:"
            yield f"  # reuse_models: [{listed}]"
        if one.n_bare:
            yield f"  # {one.name}: {one.n_bare:,} of them have no reasoning in think tags: not published"


def _judged(found: Sequence[Inspected]) -> Iterator[str]:
    """Yield what judging needs beside the rules."""
    if any(one.categories[Category.CODE] for one in found):
        yield "# Programs run in containers: make sandbox-image makes their image; python -m tracemill doctor looks."
    n_prose = sum(one.judged_by[PROSE] for one in found)
    if n_prose:
        yield f"# No rule compares prose ({n_prose:,} references); a model can (docs/judges.md):"
        yield "# judge: {model: NAME, base_urls: [http://host:8001/v1], categories: [math, other]}"
    n_open = sum(one.judged_by[NOTHING] for one in found)
    if n_open:
        yield f"# {n_open:,} rows have nothing to judge by: dropped, unless a model marks answers (docs/judges.md):"
        yield "# rubric: {model: NAME, base_urls: [http://host:8001/v1], threshold: 0.7}"
