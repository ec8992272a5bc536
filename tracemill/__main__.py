"""``python -m tracemill why ID [--run DIR]``: what happened to one row of a finished run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tracemill.errors import TracemillError
from tracemill.why import story


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tracemill", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    why = commands.add_parser("why", help="everything that happened to one row")
    why.add_argument("id", metavar="ID", help="content id of a problem, or its first characters")
    why.add_argument("--run", metavar="DIR", help="the run's directory (default: the newest below runs/)")
    arguments = parser.parse_args()
    try:
        for record in story(_run_of(arguments.run), arguments.id):
            print(json.dumps(record, indent=2, ensure_ascii=False))
    except TracemillError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run_of(given: str | None) -> Path:
    if given is not None:
        return Path(given)
    finished = sorted(Path("runs").glob("*/manifest.json"), key=lambda path: path.stat().st_mtime)
    return finished[-1].parent if finished else Path("runs")


if __name__ == "__main__":
    sys.exit(main())
