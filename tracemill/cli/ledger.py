"""The commands on a ledger, ``python -m tracemill ledger stats|export|compact``: figures, JSON lines, fewer files."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import zstandard

from tracemill.core import LedgerError, json_text
from tracemill.ledger.compaction import compact, compact_remote
from tracemill.ledger.mirror import Mirror, copied_url
from tracemill.ledger.place import CACHE, is_remote, place_of
from tracemill.ledger.record import record_of
from tracemill.ledger.segment import is_live
from tracemill.ledger.survey import completions, survey

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from tracemill.ledger import Completion
    from tracemill.ledger.compaction import Compacted
    from tracemill.ledger.place import Place
    from tracemill.ledger.survey import Surveyed

DEFAULT: Final = ".tracemill/store/ledger"  # that of the default store
_HEAD_BYTES: Final = 1024  # keys are sorted, and content comes later


@dataclass(slots=True)
class OfModel:
    """What one model has answered; tokens as its server counted them."""

    n_completions: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reasons: dict[str, int] = field(default_factory=dict)
    served: dict[str, float] = field(default_factory=dict)

    def record(self) -> dict[str, object]:
        """Return the figures; what servers say of caches, reasoning and cost only where one has said it."""
        figures: dict[str, object] = asdict(self)
        del figures["served"]
        return figures | self.served


def add_commands(parser: argparse.ArgumentParser) -> None:
    """The subcommands of ``ledger``."""
    commands = parser.add_subparsers(dest="ledger_command", required=True)
    stats = commands.add_parser("stats", help="completions, tokens and finish reasons by model; damage")
    stats.set_defaults(run_command=_stats)
    export = commands.add_parser("export", help="every completion as a line of JSON")
    export.add_argument("--out", metavar="FILE", type=Path, help="a file, .jsonl or .jsonl.zst (default: the terminal)")
    export.set_defaults(run_command=_export)
    merge = commands.add_parser("compact", help="merge segments that nobody writes to any more")
    merge.set_defaults(run_command=_compact)
    for command in (stats, merge):
        command.add_argument("--json", action="store_true", help="one JSON document (stats prints nothing else)")
    for command in (stats, export, merge):
        command.add_argument("dir", metavar="DIR", nargs="?", default=DEFAULT, help="or a URL (default: %(default)s)")
        command.add_argument(
            "--cache", metavar="DIR", default=CACHE, help="of a URL: this machine's copies (default: %(default)s)"
        )


def _stats(arguments: argparse.Namespace) -> int:
    found = survey(_folder(arguments))
    print(json.dumps(figures(found), indent=2, ensure_ascii=False))
    return _told_damage(found)


def figures(found: Sequence[Surveyed]) -> dict[str, object]:
    """Return what ``ledger stats`` prints."""
    by_model: dict[str, OfModel] = {}
    unread: dict[str, list[int]] = {}
    for one in completions(found, lambda path, offset: unread.setdefault(path.name, []).append(offset)):
        of_model = by_model.setdefault(one.model, OfModel())
        of_model.n_completions += 1
        of_model.prompt_tokens += one.prompt_tokens or 0
        of_model.completion_tokens += one.completion_tokens or 0
        reason = one.finish_reason or "unknown"
        of_model.finish_reasons[reason] = of_model.finish_reasons.get(reason, 0) + 1
        for name in ("cached_tokens", "reasoning_tokens", "cost"):
            if (said := getattr(one, name)) is not None:
                of_model.served[name] = of_model.served.get(name, 0) + said
    n_completions = sum(each.n_completions for each in by_model.values())
    n_unread = sum(map(len, unread.values()))
    torn = [each for each in found if each.torn_bytes and not is_live(each.path)]
    return {
        "completions": n_completions,
        "superseded": sum(len(each.entries) for each in found) - n_completions - n_unread,
        "segments": len(found),
        "segments_being_written": sum(is_live(each.path) for each in found),
        "bytes": sum(each.n_bytes for each in found),
        "torn_segments": {each.path.name: f"{each.torn_bytes} bytes" for each in torn},
        "damaged_segments": {each.path.name: list(each.damaged) for each in found if each.damaged},
        **({"unreadable": n_unread, "unreadable_segments": unread} if n_unread else {}),
        "models": {name: each.record() for name, each in sorted(by_model.items())},
    }


def _export(arguments: argparse.Namespace) -> int:
    found = survey(_folder(arguments))
    unread: Counter[Path] = Counter()
    exported = lines(completions(found, lambda path, _: unread.update([path])))
    if arguments.out is None:
        _to_terminal(exported)
    else:
        with _sink(arguments.out) as sink:
            for line in exported:
                sink.write(line)
    for path, n_records in unread.items():
        print(
            f"left out: {n_records} records of {path} that are no completions any more; runs ask again", file=sys.stderr
        )
    return _told_damage(found)


def lines(found: Iterable[Completion]) -> Iterator[bytes]:
    """Completions as lines of JSON, with their keys."""
    for one in found:
        yield (json_text({"key": one.key, **record_of(one)}) + "\n").encode()


def _is_export(path: Path) -> bool:
    """Tell whether a file may be replaced: it is an earlier export, by how its first line begins, or empty."""
    if not path.is_file():
        return False  # a folder, or a device
    with path.open("rb") as file:
        source = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
        try:
            head = source.read(_HEAD_BYTES)
        except zstandard.ZstdError:
            return False
    return not head or (head.startswith(b"{") and b'"completion_tokens":' in head)


def _to_terminal(found: Iterable[bytes]) -> None:
    try:
        sys.stdout.buffer.writelines(found)
        sys.stdout.flush()
    except BrokenPipeError:  # a reader such as head has had enough; at exit Python must not find out once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _sink(path: Path) -> Iterator[BinaryIO]:
    """Give a file that appears when it is complete; compressed if its name says so."""
    if path.exists() and not _is_export(path):
        raise LedgerError(
            f"{path} is there already, and is no export of a ledger; it was not touched",
            remedy="name another with --out, or move it away",
        )
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            if path.suffix == ".zst":
                with zstandard.ZstdCompressor(level=6, write_checksum=True).stream_writer(file, closefd=False) as sink:
                    yield sink
            else:
                yield file
        partial.replace(path)
    except OSError as error:
        raise LedgerError(
            f"the export cannot be written to {path}",
            got=str(error),
            expected="a file in a folder that is there and has room",
            remedy="name another with --out; the ledger is as it was",
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _told_damage(found: Sequence[Surveyed]) -> int:
    """Say what is missing because it is damaged; the exit status."""
    damaged = [each for each in found if each.damaged]
    for each in damaged:
        places = ", ".join(map(str, each.damaged))
        print(f"damaged: {each.path}, lines at byte {places}: left out. Restore it from a copy.", file=sys.stderr)
    return int(bool(damaged))


def _compact(arguments: argparse.Namespace) -> int:
    done = _compacted(arguments)
    if arguments.json:
        print(json.dumps(asdict(done), indent=2))
        return 0
    print(
        f"{done.n_before} segments are {done.n_after} now ({done.n_live} left alone: being written); dropped "
        f"{done.n_superseded} superseded records and {done.torn_bytes} torn bytes; {done.freed_bytes} bytes freed"
    )
    return 0


def _compacted(arguments: argparse.Namespace) -> Compacted:
    if is_remote(arguments.dir):
        return compact_remote(_place(arguments), lambda message: print(message, file=sys.stderr))
    directory = Path(arguments.dir)
    if url := copied_url(directory):
        raise LedgerError(
            f"{directory} is this machine's copy of a ledger on an object store",
            expected="that ledger itself",
            remedy=f"python -m tracemill ledger compact {url}",
        )
    return compact(directory)


def _folder(arguments: argparse.Namespace) -> Path:
    """Return the folder to look through: the ledger's, or this machine's copy of it, brought up to date."""
    if not is_remote(arguments.dir):
        return Path(arguments.dir)
    mirror = Mirror(_place(arguments))
    mirror.exchange()
    return mirror.directory


def _place(arguments: argparse.Namespace) -> Place:
    place = place_of(arguments.dir)
    return place if "#" in arguments.dir else place._replace(cache=arguments.cache)
