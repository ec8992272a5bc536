"""``python -m tracemill pin RECIPE``: asks the Hub for commits, and writes them into the recipe where they belong.

The file is edited, not written anew: comments, order and layout stay, and only revisions change.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from tracemill.core import RecipeError, SourceError
from tracemill.recipe.evaluation import Evaluation
from tracemill.recipe.loading import is_commit, load_evaluation, load_recipe
from tracemill.recipe.yaml import read_yaml
from tracemill.sources.hub import hub_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import SecretStr

    from tracemill.recipe.recipe import Recipe

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Pin:
    """A Hub dataset of a recipe, and what became of it.

    Attributes:
        key: where it stands in the recipe, as in ``("sources", 0)``.
        name: of the source or benchmark.
        hub: id of the dataset.
        revision: as the recipe has it: a commit, a branch or tag, or None.
        commit: what was found, or None.
        error: why nothing was found, or None.
        token: where the Hub's token is, if the recipe says so.
    """

    key: Key
    name: str
    hub: str
    revision: str | None
    commit: str | None = None
    error: str | None = None
    token: SecretStr | None = None


def pin(path: str | Path, *, update: bool = False, dry_run: bool = False) -> list[Pin]:
    """Pins every Hub dataset of a recipe; those that cannot be found are told, and hold up none of the others.

    Args:
        path: of the recipe; it is changed in place.
        update: datasets that have a commit get the newest one of the default branch.
        dry_run: nothing is written.

    Raises:
        RecipeError: the recipe is wrong, or is written in a way that cannot be edited (nothing is changed then).
    """
    recipe = _unpinned(path)
    pins = [_kept(place) if is_commit(place.revision) and not update else _resolved(place) for place in places(recipe)]
    found = {each.key: each.commit for each in pins if each.commit is not None and each.commit != each.revision}
    if found and not dry_run:
        _write(Path(path), with_revisions(_read(Path(path)), found))
    return pins


def _unpinned(path: str | Path) -> Recipe | Evaluation:
    """Return a recipe, of a dataset or of an evaluation, whose commits may be missing."""
    raw = read_yaml(path)
    is_evaluation = isinstance(raw, dict) and "student" in raw
    return load_evaluation(path, pinned=False) if is_evaluation else load_recipe(path, pinned=False)


def places(recipe: Recipe | Evaluation) -> Iterator[Pin]:
    """Yield the Hub datasets that a recipe reads, in its order."""
    if isinstance(recipe, Evaluation):
        for index, evaluated in enumerate(recipe.benchmarks):
            if evaluated.hub is not None:
                key: Key = ("benchmarks", index)
                yield Pin(key, evaluated.name, evaluated.hub, evaluated.revision, token=evaluated.token)
        return
    for index, source in enumerate(recipe.sources):
        if source.hub is not None:
            yield Pin(("sources", index), source.name, source.hub, source.revision, token=source.token)
    for index, benchmark in enumerate(recipe.decontaminate.benchmarks):
        if benchmark.hub is not None:
            key = ("decontaminate", "benchmarks", index)
            yield Pin(key, benchmark.name, benchmark.hub, benchmark.revision, token=benchmark.token)


def _kept(place: Pin) -> Pin:
    return replace(place, commit=place.revision)


def _resolved(place: Pin) -> Pin:
    branch = None if is_commit(place.revision) else place.revision
    try:
        return replace(place, commit=commit_of(place.hub, branch, place.token))
    except (SourceError, RecipeError) as error:
        return replace(place, error=error.got or error.what)


def commit_of(hub: str, revision: str | None, token: SecretStr | None = None) -> str:
    """Return the commit that a branch, tag or ``refs/pr/N`` of a Hub dataset is at now; None: its default branch.

    Raises:
        SourceError: the Hub cannot be reached, or has no such dataset or revision.
        RecipeError: the token is not where the recipe says.
    """
    from huggingface_hub import HfApi

    found = hub_token(token)
    try:
        commit = HfApi(token=found).dataset_info(hub, revision=revision, timeout=60).sha
    except Exception as error:  # Of huggingface_hub and its HTTP client, whichever it is.
        lines = str(error).strip().splitlines() or [""]
        raise SourceError(f"cannot look up {hub}", got=f"{type(error).__name__}: {lines[0]:.200}") from error
    if not is_commit(commit):
        raise SourceError(f"cannot look up {hub}", got=f"the Hub answered with commit {commit!r}")
    return str(commit)


class _Edit(NamedTuple):
    """``text[begin:end]`` is replaced."""

    begin: int
    end: int
    new: str


def with_revisions(text: str, commits: Mapping[Key, str]) -> str:
    """Return the text of a recipe with the revisions of some of its datasets set; all else stays to the letter.

    Raises:
        RecipeError: an entry takes its place from a merge key, so that it cannot be edited alone.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    edits = sorted((_edit(text, _node(root, key), commit) for key, commit in commits.items()), reverse=True)
    edited = text
    for edit in edits:
        edited = edited[: edit.begin] + edit.new + edited[edit.end :]
    if _safe(edited) != _expected(text, commits):
        raise RecipeError(
            "the recipe cannot be edited in place, and was not changed",
            got="an entry that is written with merge keys",
            expected="sources and benchmarks written out one by one",
            remedy="write the revisions yourself: --dry-run prints them",
        )
    return edited


def _safe(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _expected(text: str, commits: Mapping[Key, str]) -> Any:
    data = yaml.safe_load(text)
    for key, commit in commits.items():
        entry = data
        for step in key:
            entry = entry if isinstance(step, int) and isinstance(entry, dict) else entry[step]  # alone, without a list
        entry["revision"] = commit
    return data


def _node(node: Any, key: Key) -> yaml.MappingNode:
    for step in key:
        if isinstance(step, int):
            node = node if isinstance(node, yaml.MappingNode) else node.value[step]
        else:
            node = next(value for name, value in node.value if name.value == step)
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - a valid recipe has mappings there
    return node


def _edit(text: str, entry: yaml.MappingNode, commit: str) -> _Edit:
    """Set the revision where there is one; else puts it behind the key that names the dataset."""
    values = {key.value: (key, value) for key, value in entry.value}
    shown = commit if yaml.safe_load(commit) == commit else f'"{commit}"'  # forty digits would be a number
    if "revision" in values:
        begin, end = (mark.index for mark in (values["revision"][1].start_mark, values["revision"][1].end_mark))
        return _Edit(begin, end, f" {shown}" if text[begin - 1] == ":" else shown)  # nothing stood behind the colon
    key, value = values.get("hub") or values.get("known") or entry.value[-1]
    if entry.flow_style:
        return _Edit(value.end_mark.index, value.end_mark.index, f", revision: {shown}")
    end = _end_of_line(text, value.end_mark.index)
    newline = "\r\n" if text[end : end + 2] == "\r\n" else "\n"
    return _Edit(end, end, f"{newline}{' ' * key.start_mark.column}revision: {shown}")


def _end_of_line(text: str, start: int) -> int:
    """Return where the line ends, before its line end: behind a comment."""
    end = text.find("\n", start)
    return len(text) if end < 0 else end - (text[end - 1] == "\r")


def _read(path: Path) -> str:
    """Return the text with its line ends as they are."""
    return path.read_bytes().decode("utf-8")


def _write(path: Path, text: str) -> None:
    """All or nothing, with the permissions that the file had; a link stays one."""
    path = path.resolve()
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(text.encode("utf-8"))
    shutil.copymode(path, partial)
    partial.replace(path)


def render(pins: list[Pin], *, dry_run: bool) -> str:
    """Return one line a dataset, and what was done."""
    if not pins:
        return "nothing in this recipe is read from the Hub"
    width = max(len(each.name) for each in pins)
    lines = [f"{each.name:<{width}}  {each.hub}  {_outcome(each)}" for each in pins]
    n_new = sum(each.commit is not None and each.commit != each.revision for each in pins)
    n_failed = sum(each.error is not None for each in pins)
    verb = "would be pinned" if dry_run else "pinned"
    lines.append(f"{n_new} {verb}, {len(pins) - n_new - n_failed} unchanged, {n_failed} not found")
    return "\n".join(lines)


def _outcome(found: Pin) -> str:
    if found.error is not None:
        return f"NOT FOUND: {found.error}"
    if found.commit == found.revision:
        return f"{found.commit}  (as it was)"
    return f"{found.commit}" + (f"  (was {found.revision})" if found.revision else "")
