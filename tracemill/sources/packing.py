"""Compressed files as the bytes in them: zstd, gzip, bzip2, xz; one that ends too early is an error, not the end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from typing import IO, TYPE_CHECKING, Any, Final, cast

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK: Final = 1 << 20  # bytes
ZSTD_MAX_WINDOW: Final = 1 << 31  # The reference dataset's files need it; libzstd refuses more than 2^27 unless told.
# Compressed bytes at once: what they decompress to is held, thousands of times as much if rows repeat. xz is the best
# at that (7,000 times).
PIECE: Final = 1 << 12
BROKEN: Final = (OSError, EOFError, ValueError, zstandard.ZstdError, lzma.LZMAError, zlib.error)


def _zstd() -> Any:
    return zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW).decompressobj()


def _framed(name: str, new_frame: Callable[[], Any], padding: bytes = b"") -> Callable[[IO[bytes]], IO[bytes]]:
    return lambda stream: io.BufferedReader(_FramedFile(stream, name, new_frame, padding), CHUNK)


def _ungzip(stream: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=stream, mode="rb"))


class _FramedFile(io.RawIOBase):
    """Decompressed bytes of concatenated frames.

    The modules' own files end in silence at a second frame that is damaged; here whatever follows a frame is one more,
    or an error.
    """

    def __init__(self, source: IO[bytes], name: str, new_frame: Callable[[], Any], padding: bytes) -> None:
        self._source, self._name, self._new_frame, self._padding = source, name, new_frame, padding
        self._frame: Any = None
        self._compressed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            compressed = self._compressed or self._source.read(PIECE)
            if self._frame is None:
                compressed = compressed.lstrip(self._padding) if self._padding else compressed
            if not compressed:
                if cast("io.BufferedReader", self._source).peek(1):
                    continue  # there was nothing but padding
                if self._frame is not None:
                    raise ValueError(f"the {self._name} stream is truncated")
                return 0
            self._frame = self._frame or self._new_frame()
            self._ready, self._compressed = memoryview(self._frame.decompress(compressed)), b""
            if self._frame.eof:
                self._compressed, self._frame = self._frame.unused_data, None
        taken = self._ready[: len(buffer)]
        self._ready = self._ready[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


PACKINGS: Final[dict[str, Callable[[IO[bytes]], IO[bytes]]]] = {
    ".zst": _framed("zstd", _zstd),
    ".gz": _ungzip,
    ".bz2": _framed("bzip2", bz2.BZ2Decompressor),
    ".xz": _framed("xz", lzma.LZMADecompressor, padding=b"\0"),
}
