"""``deployments/install.py``: how far an installation is, its log, and what is shown when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.needs import ROOT

STUB = r"""#!{python}
import os, pathlib, sys
name = "uv" if sys.argv[1] == "pip" else "pip"
place = pathlib.Path(r"{place}")
with open(place / "asked", "a") as asked:
    print(name, *sys.argv[1:], file=asked)
if "config" in sys.argv:
    print({{"global.index-url": "the-index", "global.extra-index-url": "a b"}}.get(sys.argv[-1], ""))
    sys.exit(0)
if name == "uv":
    with open(place / "told", "a") as told:
        print(*(os.environ.get(f"UV_{{word}}") for word in ("DEFAULT_INDEX", "INDEX", "INDEX_STRATEGY")), file=told)
print("Collecting a==1")
print("warning: noise")
if name in {failing!r}:
    print(name, "cannot")
    sys.exit(3)
print("Installing collected packages: a, b, c")
for package in "abc":
    (place / "lib/python3.0/site-packages" / f"{{package}}-1.dist-info").mkdir(parents=True)
"""


def run(
    place: Path, *options: str, failing: tuple[str, ...] = (), uv: bool = False
) -> subprocess.CompletedProcess[str]:
    """Installs by stand-ins of pip and of uv into an environment that is none."""
    (place / "bin").mkdir()
    text = STUB.format(python=sys.executable, place=place, failing=failing)
    for name in ("python", *(["uv"] if uv else [])):
        (place / "bin" / name).write_text(text)
        (place / "bin" / name).chmod(0o755)
    (place / "lock").write_text("a==1\nb==1\nc==1\n")
    command = [
        sys.executable,
        "deployments/install.py",
        place / "bin" / "python",
        place / "log" / "install.log",
        *options,
    ]
    environment = {**os.environ, "PATH": f"{place / 'bin'}:/usr/bin:/bin"} if uv else {**os.environ, "PATH": "/nowhere"}
    return subprocess.run(
        [*command, "--", "--requirement", place / "lock"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_noise_goes_into_the_log(tmp_path: Path) -> None:
    """What the terminal says is how many packages there are now."""
    done = run(tmp_path)
    assert done.returncode == 0
    assert done.stdout == "  3 packages installed by pip\n"
    assert "noise" in (tmp_path / "log" / "install.log").read_text()


def test_a_failure_shows_the_end_of_the_log(tmp_path: Path) -> None:
    """And where all of it is; with the installer's exit status."""
    done = run(tmp_path, failing=("pip",))
    assert done.returncode == 3
    assert "| pip cannot" in done.stdout
    assert str(tmp_path / "log" / "install.log") in done.stdout


def test_a_failure_that_has_another_way_is_not_told(tmp_path: Path) -> None:
    """A try says nothing of it."""
    done = run(tmp_path, "--try", failing=("pip",))
    assert (done.returncode, done.stdout) == (3, "")


def test_uv_does_it_where_it_is(tmp_path: Path) -> None:
    """Told of pip's indexes, of which it takes the best version as pip does."""
    assert "3 packages installed by uv" in run(tmp_path, uv=True).stdout
    asked = (tmp_path / "asked").read_text()
    assert "config get global.index-url" in asked
    assert "pip -m pip --disable" not in asked
    assert (tmp_path / "told").read_text() == "the-index a b unsafe-best-match\n"


@pytest.mark.parametrize(("options", "failing"), [(["--pip"], ()), ([], ("uv",))])
def test_pip_does_what_uv_does_not(tmp_path: Path, options: list[str], failing: tuple[str, ...]) -> None:
    """Where pip is asked for, and where uv fails."""
    done = run(tmp_path, *options, failing=failing, uv=True)
    assert done.returncode == 0
    assert "3 packages installed by pip" in done.stdout


def test_a_wrong_command_line_says_how_it_is_called() -> None:
    """Without the marks, nothing is installed."""
    done = subprocess.run(
        [sys.executable, "deployments/install.py", "python"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "install.py PYTHON LOG" in done.stderr
