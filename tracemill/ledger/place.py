"""Where a ledger is: a folder, or a URL on an object store with what this machine needs to work on it.

Both are one string, so that a stage's section can carry it: ``s3://bucket/ledger#cache=DIR&every_s=3``. What stands
behind the ``#`` says how to work, not what: it is in no cache key.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urldefrag, urlencode

from tracemill.core import LedgerError

CACHE: Final = ".tracemill/ledger-cache"
EVERY_S: Final = 3.0


class Place(NamedTuple):
    """A ledger on an object store.

    Attributes:
        url: of its objects.
        cache: folder of this machine for its copies; each ledger has one of its own below it.
        every_s: longest time in seconds between an answer and its upload.
    """

    url: str
    cache: str = CACHE
    every_s: float = EVERY_S

    @property
    def directory(self) -> Path:
        """This machine's copy of the ledger."""
        return Path(self.cache, sha256(self.url.encode()).hexdigest()[:16])

    def __str__(self) -> str:
        """Return the place as one string; see :func:`place_of`."""
        return f"{self.url}#{urlencode({'cache': self.cache, 'every_s': self.every_s})}"


def is_remote(text: str) -> bool:
    """Tell whether a ledger's place is on an object store."""
    return "://" in text


def place_of(text: str) -> Place:
    """Return the place that a string names.

    Raises:
        LedgerError: what stands behind the ``#`` is no setting.
    """
    url, fragment = urldefrag(text)
    settings = dict(parse_qsl(fragment))
    try:
        every_s = float(settings.pop("every_s", EVERY_S))
    except ValueError:
        settings["every_s"] = "?"
        every_s = EVERY_S
    cache = settings.pop("cache", CACHE)
    if settings or every_s <= 0:
        raise LedgerError(
            f"the ledger's place is wrong: {text}",
            expected="s3://bucket/prefix, or with settings: s3://bucket/prefix#cache=DIR&every_s=3",
            remedy="correct run.ledger; the recipe's run.ledger_cache and run.ledger_upload_every_s say the same",
        )
    return Place(url.rstrip("/"), cache, every_s)
