"""Homes of Prefect servers whose database is there already.

An empty SQLite database goes through all of Prefect's migrations, which is half of what a server's start computes. They
are gone through once a machine and version of Prefect; every server of a test begins with a copy.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tracemill.core.file_lock import locked

DATABASE: Final = "prefect.db"


def prefect_home(folder: Path, database: str = DATABASE) -> Path:
    """Makes a home for a new server; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(migrated(), folder / database)
    return folder


@functools.cache
def migrated() -> Path:
    """A database without a row, made by the first who asks for it."""
    place = Path(tempfile.gettempdir()) / f"tracemill-tests-{os.getuid()}-prefect-{version('prefect')}"
    place.mkdir(exist_ok=True, mode=0o700)
    made = place / "migrated.db"
    with locked(place / "lock"):
        if not made.exists():
            with tempfile.TemporaryDirectory() as home:
                done = subprocess.run(
                    [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
                    env=os.environ | {"PREFECT_HOME": home, "PREFECT_API_DATABASE_CONNECTION_URL": _url(home)},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stdout + done.stderr
                _fold_in_the_log(Path(home) / DATABASE)
                shutil.copyfile(Path(home) / DATABASE, partial := place / "partial.db")
            partial.rename(made)
    return made


def _url(home: str) -> str:
    return f"sqlite+aiosqlite:///{home}/{DATABASE}"


def _fold_in_the_log(database: Path) -> None:
    """SQLite's write-ahead log ends in the file itself, so that one file is all of it."""
    import sqlite3

    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
