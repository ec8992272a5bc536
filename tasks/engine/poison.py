"""Poison rows: on which a stage crashes. Which they are, how many may be set aside, and when they are tried again.

What belongs to a row is found by trying: a row is poison if the stage crashes on it alone, and not on the others.
An external failure (teacher, sandbox, store, disk, memory) is never a row's, whatever it hits.
"""

from __future__ import annotations

import functools
import hashlib
import re
import traceback
from concurrent.futures import BrokenExecutor, CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import TracemillError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

POISON: Final = "poison"  # the reason of such a drop, and the fact of a manifest
A_FEW: Final = 3  # rows of a shard, where its share is less than that
TOLD: Final = 20  # rows that a manifest names
_MESSAGE_CHARS: Final = 300
_ROOT: Final = Path(__file__).resolve().parents[2]
# Every error that tracemill raises on purpose says whose fault it is; the others here are the machine's.
_WORLD: Final = (TracemillError, OSError, EOFError, MemoryError, ImportError, BrokenExecutor, CancelledError)
# Clients of what is outside; not all of their errors are an OSError.
_CLIENTS: Final = frozenset(
    {"aiohttp", "botocore", "docker", "fsspec", "httpx", "huggingface_hub", "prefect", "requests", "s3fs", "urllib3"}
)
_ADDRESS: Final = re.compile(r"0x[0-9a-f]{6,}")


def belongs_to_a_row(error: BaseException) -> bool:
    """Tell whether a row can be to blame: not where something external failed, also as the cause of another error."""
    return not any(_is_of_the_world(each) for each in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_of_the_world(error: BaseException) -> bool:
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, _WORLD) or package in _CLIENTS or "can't start new thread" in str(error)


def allowed(n_rows: int, share: float) -> int:
    """Return rows of one task that may be set aside: the share, or a few where that is less; none where it is 0.

    Of several rows the few are at most half, so that a stage that crashes on everything is seen to.
    """
    return max(int(share * n_rows), min(A_FEW, n_rows // 2), 1) if share > 0 else 0


def guilty(
    rows: Sequence[int], failure: Callable[[Sequence[int]], Exception | None], first: Exception, most: int
) -> dict[int, Exception]:
    """Return the rows on which work crashes alone, each with its error; found by halving.

    One bad row of n costs log2 n tries, which together do the work of about two whole ones.

    Args:
        rows: what the work crashes on together.
        failure: the error of the work on some rows, or None; what is no row's fault it raises.
        first: the error of the work on all of them.
        most: after so many and one more the search ends.

    Returns:
        Nothing where the work crashes on no row alone; one more than ``most`` where there are too many.
    """
    found: dict[int, Exception] = {}
    suspects = [(list(rows), first)]
    while suspects and len(found) <= most:
        together, error = suspects.pop()
        if len(together) == 1:
            found[together[0]] = error
            continue
        middle = len(together) // 2
        halves = [(half, failure(half)) for half in (together[:middle], together[middle:])]
        bad = [(half, why) for half, why in halves if why is not None]
        if not bad:
            return {}
        suspects += reversed(bad)
    return dict(sorted(found.items()))


def describe_error(error: Exception) -> dict[str, str]:
    """Return what happened and where in our code; without addresses in memory, which differ from run to run."""
    message = _ADDRESS.sub("0x…", str(error))[:_MESSAGE_CHARS]
    return {"error": f"{type(error).__name__}: {message}", "where": place(error)}


def place(error: BaseException) -> str:
    """Return the innermost function of ours that the error went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(Path(frame.filename))]
    found = (ours or frames)[-1]
    return f"{found.name} ({Path(found.filename).name}:{found.lineno})"


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(_ROOT) and "site-packages" not in path.parts


def stands(facts: Mapping[str, Any], share: float) -> bool:
    """Tell whether finished work may be taken for finished: poison rows are tried again once the code is another.

    Args:
        facts: of its manifest.
        share: of rows that may be set aside now.
    """
    poison = facts.get(POISON)
    return poison is None or (poison["code"] == code_digest() and poison["n"] <= allowed(poison["of"], share))


@functools.cache
def code_digest() -> str:
    """Of all that a stage may run: our modules and their data, and the versions of the packages that they use."""
    found = hashlib.sha256()
    modules = sorted(
        path
        for package in ("tracemill", "verifiers", "tasks")
        for kind in ("py", "yaml")
        for path in _ROOT.glob(f"{package}/**/*.{kind}")
    )
    for path in [*modules, *_ROOT.glob("requirements.lock")]:
        found.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()
