"""Keys of a recipe that would do nothing where they stand: whoever wrote them meant something, and would not get it.

Only what the recipe says is looked at: a default that does nothing misleads nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tracemill.recipe.values import Fault, Location
from tracemill.sources.catalogue.catalogue import catalogue

_OF_THE_HUB: Final = ("config", "split", "files", "revision", "token")
_OF_A_SERVER: Final = ("base_urls", "api_key", "headers", "max_in_flight", "request_timeout_s", "give_up_after_s")
_OF_A_TEACHER: Final = ("samples_per_round", "max_rounds", "truncation", "cost", "budget", "currency")
_EMBEDDING: Final = (("deduplicate", "semantic"), ("decontaminate", "embeddings"))


def idle_keys(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield the keys of a recipe's data that would do nothing, each with the reason."""
    for index, source in enumerate(_items(raw, "sources")):
        yield from _of_place(source, ("sources", index))
        yield from _of_columns(source, ("sources", index))
    for index, benchmark in enumerate(_items(_section(raw, "decontaminate"), "benchmarks")):
        yield from _of_place(benchmark, ("decontaminate", "benchmarks", index))
    yield from _of_grey(_section(raw, "decontaminate"))
    for path in _EMBEDDING:
        model = _section(raw, *path)
        if model.get("engine", "sentence-transformers") == "sentence-transformers":
            yield from _given(model, _OF_A_SERVER, path, "is of engine: server; say so, or leave it out")
    yield from _of_distill(raw)


def _section(raw: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return a section as it is given; empty where it is not, or is something else."""
    found: Any = raw
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _items(section: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = section.get(name)
    return [item if isinstance(item, Mapping) else {} for item in found] if isinstance(found, list | tuple) else []


def _given(section: Mapping[str, Any], names: tuple[str, ...], path: Location, why: str) -> Iterator[Fault]:
    for name in names:
        if section.get(name) is not None:
            yield Fault((*path, name), section[name], why)


def _of_place(entry: Mapping[str, Any], path: Location) -> Iterator[Fault]:
    """Yield of a file no split can be read; and a dataset's files are named instead of its configuration and split."""
    if entry.get("path") is not None:
        # A known dataset that is read from a file says by its revision which one the file is of.
        names = _OF_THE_HUB if entry.get("known") is None else tuple(set(_OF_THE_HUB) - {"revision"})
        yield from _given(entry, tuple(sorted(names)), path, "is of a Hub dataset, and path is a file")
    elif entry.get("files") is not None:
        yield from _given(entry, ("config", "split"), path, "means nothing beside files, which stand in its place")


def _of_columns(source: Mapping[str, Any], path: Location) -> Iterator[Fault]:
    known = catalogue().get(str(source.get("known")))
    layout = source.get("layout") or (known.layout if known else "plain")
    if source.get("columns") and layout != "plain":
        why = f"is of layout: plain; {layout} has columns of its own, so leave it out, or the layout"
        yield Fault((*path, "columns"), source["columns"], why)


def _of_grey(section: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is grey is below what is dropped."""
    pairs = (
        (("grey", "min_containment"), ("ngrams", "min_containment"), 0.6),
        (("grey", "min_similarity"), ("fuzzy", "min_similarity"), 90.0),
        (("embeddings", "min_grey"), ("embeddings", "min_similarity"), 0.9),
    )
    for grey, cut, usual in pairs:
        low = _section(section, grey[0]).get(grey[1])
        high = _section(section, cut[0]).get(cut[1], usual)
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            why = f"should be at most {'.'.join(cut)}, {high}: above it all is dropped"
            yield Fault(("decontaminate", *grey), low, why)


def _of_distill(raw: Mapping[str, Any]) -> Iterator[Fault]:
    distill = raw.get("distill")
    if isinstance(distill, Mapping) and distill.get("teacher") is None and not distill.get("teachers"):
        why = "means nothing without distill.teacher: name whom to ask, or leave it out"
        yield from _given(distill, _OF_A_TEACHER, ("distill",), why)
        yield from _given(_section(raw, "select"), ("pass_rate", "spread"), ("select",), why)
        return
    teachers: list[tuple[Location, Mapping[str, Any]]] = [(("distill", "teacher"), _section(raw, "distill", "teacher"))]
    several = _items(_section(raw, "distill"), "teachers")
    teachers += [(("distill", "teachers", index), one) for index, one in enumerate(several)]
    for path, teacher in teachers:
        if teacher.get("prompt_template"):
            why = "means nothing beside prompt_template, which stands in its place"
            yield from _given(teacher, ("template",), path, why)
    truncation = _section(raw, "distill", "truncation")
    if truncation.get("policy", "drop") == "drop":
        why = "is of policy: continue and policy: resample; say which, or leave it out"
        yield from _given(truncation, ("max_tokens",), ("distill", "truncation"), why)
    for name, n_gpus in _section(raw, "distill", "cost", "model_gpus").items():
        if not _section(raw, *str(name).split(".")):
            yield Fault(("distill", "cost", "model_gpus", name), n_gpus, f"there is no section {name} in the recipe")
