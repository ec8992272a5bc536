"""The catalogue: what is known of every source dataset, so that a recipe need not say it, nor say it wrongly.

A recipe writes ``{known: openr1-math-default, revision: <commit>}``; Hub id, config, split, layout, category, licence
and the non-commercial flag come from here. A licence that contradicts the catalogue is refused.

To add a dataset: add one entry with the fields of :class:`Dataset` to the file of its family (``reasoning.yaml`` for
maths, science and mixed traces, ``code.yaml`` for programs, ``chat.yaml`` for chat and instructions) with a layout of
``LAYOUTS``, and one row to docs/sources.md. Say in ``evidence`` how each fact is known: *card* (seen on the dataset's
card), *code* (public code that reads the columns), *recollection*. Revisions are not here: nobody should copy one that
was not looked up; ``python -m tracemill pin RECIPE`` asks the Hub.
"""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic import TypeAdapter, ValidationError

from tracemill.core import SourceError
from tracemill.sources.catalogue.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FILES: Final = tuple(Path(__file__).with_name(f"{family}.yaml") for family in ("reasoning", "code", "chat"))
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C where libyaml is: 4 ms, not 35
_MERGE: Final = "tag:yaml.org,2002:merge"


@functools.cache
def catalogue() -> Mapping[str, Dataset]:
    """Return every dataset by its name, in the order of the files; they are read once.

    Raises:
        SourceError: an entry of them is wrong, or a file is not there.
    """
    return MappingProxyType(read_catalogue(FILES))


def datasets_at(hub: str) -> list[Dataset]:
    """Return what is known under a Hub id, also a former one; ids are compared without case, as the Hub does."""
    wanted = hub.lower()
    return [known for known in catalogue().values() if wanted in {each.lower() for each in (known.hub, *known.also)}]


def read_catalogue(paths: Iterable[Path]) -> dict[str, Dataset]:
    """Return the datasets of some files, by name.

    Raises:
        SourceError: of the first that is wrong: its file, entry and field.
    """
    found: dict[str, Dataset] = {}
    entry_of = TypeAdapter(Dataset)
    for path in paths:
        for name, fields in _entries(path).items():
            if name in found:
                raise _wrong(path, name, got="a name that another file has", expected="a name of its own")
            try:
                found[name] = entry_of.validate_python(fields)
            except ValidationError as error:
                raise _invalid(path, name, error) from None
    return found


def _entries(path: Path) -> dict[str, Any]:
    """Return a file's data; what stands in it twice is refused, as YAML would keep the last."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _wrong(path, got=str(error), expected="text in UTF-8") from None
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise _wrong(path, got="no mapping", expected="datasets by name")
        _refuse_twice(path, root)
        for name, entry in root.value:
            if isinstance(entry, yaml.MappingNode):
                _refuse_twice(path, entry, name.value)
        found: dict[str, Any] = loader.construct_document(root)
    except yaml.YAMLError as error:
        raise _wrong(path, got=str(error), expected="YAML") from None
    finally:
        loader.dispose()
    return found


def _refuse_twice(path: Path, node: yaml.MappingNode, *entry: str) -> None:
    keys = Counter(key.value for key, _ in node.value if key.tag != _MERGE)
    twice = [key for key, n_times in keys.items() if n_times > 1]
    if twice:
        raise _wrong(path, *entry, twice[0], got="it stands there twice", expected="it once")


def _invalid(path: Path, name: str, error: ValidationError) -> SourceError:
    """Return the first fault of an entry: field, value and what it should be."""
    fault = error.errors(include_url=False)[0]
    field = ".".join(map(str, fault["loc"]))
    got = "nothing" if fault["type"] == "missing" else repr(fault["input"])
    return _wrong(path, name, field, got=got, expected=fault["msg"])


def _wrong(path: Path, *place: str, got: str, expected: str) -> SourceError:
    where = "".join(f", {kind} {part}" for kind, part in zip(("entry", "field"), place, strict=False) if part)
    return SourceError(
        f"the catalogue is wrong: {path}{where}", got=got, expected=expected, remedy="fix that file of the catalogue"
    )
