"""Installs packages and says how far it is: install.py PYTHON LOG [--pip] [--try] -- ARGUMENTS OF PIP INSTALL.

Standard library only, since it runs before anything is installed. What the installer says goes into LOG, whose end is
shown if it fails. uv does it where it is there, told of the index that pip has been told of, and pip where uv cannot.
``--pip``: pip must do it. ``--try``: there is another way, so that nothing is said of a failure.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

TICK_S = 0.5
PLAIN_EVERY_S = 15.0  # between lines where there is no terminal
TAIL_LINES = 25
STOPPED = 130
TOTAL = re.compile(r"^Installing collected packages: (.*)$|^Resolved (\d+) packages?", re.MULTILINE)
COLLECTED = re.compile(r"^\s*(?:Collecting|Requirement already satisfied:) ([\w.-]+)", re.MULTILINE)
# uv's variable -> pip's setting, and what uv wants between several.
UV_SETTINGS = {
    "UV_DEFAULT_INDEX": ("index-url", " "),
    "UV_INDEX": ("extra-index-url", " "),
    "UV_FIND_LINKS": ("find-links", ","),
}


def by_pip(python: Path, arguments: list[str]) -> list[str]:
    """Return the command that installs by the environment's own pip."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-color", "install", "--progress-bar=off"]
    return [*pip, *arguments]


def by_uv(python: Path, arguments: list[str]) -> list[str] | None:
    """Return the command that installs by uv; None where there is none."""
    uv = shutil.which("uv")
    if uv is None:
        return None
    return [uv, "pip", "install", "--no-progress", "--color=never", "--python", str(python), *arguments]


def uv_environment(python: Path) -> dict[str, str]:
    """Return the environment for uv, which reads none of pip's settings by itself."""
    environment = dict(os.environ)
    for variable, (setting, between) in UV_SETTINGS.items():
        if variable not in environment and (told := pip_setting(python, setting)):
            environment[variable] = between.join(told)
    if "UV_INDEX" in environment:  # pip takes the best version of all indexes, uv else what the first one has
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return environment


def pip_setting(python: Path, name: str) -> list[str]:
    """Return what pip has been told, in its environment or its files."""
    told = os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
    if told is None:
        asked = [str(python), "-m", "pip", "config", "get", f"global.{name}"]
        found = subprocess.run(asked, capture_output=True, text=True, check=False)
        told = found.stdout if found.returncode == 0 else ""
    return told.split()


def wanted(arguments: list[str]) -> int:
    """Return how many packages a lock names; 0 where there is none, so that only the installer knows."""
    files = [Path(name) for option, name in itertools.pairwise(arguments) if option in {"-r", "--requirement"}]
    lines = [line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return sum("==" in line for line in lines if not line.startswith("#"))


def installed(python: Path) -> int:
    """Return how many packages are in the environment by now."""
    return sum(1 for _ in python.parent.parent.glob("lib/python*/site-packages/*.dist-info"))


def progress_line(log: str, n_wanted: int, n_new: int) -> str:
    """Return how far it is, in one line.

    Args:
        log: what the installer has said so far.
        n_wanted: packages of the lock, or 0.
        n_new: packages that were not there before.
    """
    total = TOTAL.search(log)
    if total is not None:
        names, count = total.groups()
        return f"installed {n_new} of {int(count) if count else len(names.split(', '))} packages"
    n_seen = len({name.lower() for name in COLLECTED.findall(log)})
    return f"collected {n_seen}{f' of {n_wanted}' if n_wanted >= n_seen else ''} packages"


def shown(line: list[str], environment: dict[str, str], python: Path, log: Path, n_wanted: int) -> int:
    """Run the installer and say how far it is; return its exit status."""
    n_before, is_terminal = installed(python), sys.stdout.isatty()
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(line, stdout=sink, stderr=subprocess.STDOUT, env=environment)
    before, last = "", time.monotonic()
    while process.poll() is None:
        time.sleep(TICK_S)
        now = progress_line(log.read_text(encoding="utf-8", errors="replace"), n_wanted, installed(python) - n_before)
        if is_terminal:
            print(f"\r  {now:<60}", end="", flush=True)
        elif now != before and time.monotonic() - last > PLAIN_EVERY_S:
            before, last = now, time.monotonic()
            print(f"  {now}", flush=True)
    if is_terminal:
        print("\r" + " " * 64, end="\r", flush=True)
    return process.returncode


def install(python: Path, log: Path, arguments: list[str], *, only_pip: bool, is_try: bool) -> int:
    """Install; return the exit status."""
    log.parent.mkdir(parents=True, exist_ok=True)
    n_wanted, n_before, name = wanted(arguments), installed(python), "pip"
    line = None if only_pip else by_uv(python, arguments)
    status = 1
    if line is not None:
        name = "uv"
        status = shown(line, uv_environment(python), python, log, n_wanted)
        if status:
            log.replace(log.with_suffix(".uv.log"))
            print(f"  uv could not ({log.with_suffix('.uv.log')}); pip does it", flush=True)
    if status:
        name = "pip"
        status = shown(by_pip(python, arguments), dict(os.environ), python, log, n_wanted)
    if not status:
        print(f"  {installed(python) - n_before} packages installed by {name}", flush=True)
    elif not is_try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        print("\n".join(["  it failed; the end of what was said:", *(f"  | {line}" for line in lines)]))
        print(f"  all of it: {log}", flush=True)
    return status


def main(given: list[str]) -> int:
    """Return the exit status."""
    place = given.index("--") if "--" in given else 0
    options = set(given[2:place])
    if place < 2 or not given[place + 1 :] or options - {"--pip", "--try"}:
        print((__doc__ or "").splitlines()[0], file=sys.stderr)
        return 2
    how = {"only_pip": "--pip" in options, "is_try": "--try" in options}
    try:
        return install(Path(given[0]), Path(given[1]), given[place + 1 :], **how)
    except KeyboardInterrupt:
        return STOPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
