"""How the modules of ``inside`` get into a container: as text, over its standard input.

The image then needs a Python and nothing of ours, and what runs in it is always of the same version as the host.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

# What the container is started with: reads a script with its length, and runs it. Nothing is read beyond it.
BOOTSTRAP = """\
import os
def read(n):
    data = b""
    while len(data) < n:
        chunk = os.read(0, n - len(data))
        if not chunk:
            os._exit(0)
        data += chunk
    return data
exec(compile(read(int.from_bytes(read(4), "big")), "<sandbox>", "exec"))
"""

# Gives the modules their own names; packages are what has no text.
_INSTALL = """\
import importlib.machinery, json, sys
SOURCES = json.loads({sources!r})
class Shipped:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in SOURCES:
            return importlib.machinery.ModuleSpec(name, cls, is_package=not SOURCES[name])
    @classmethod
    def create_module(cls, spec):
        return None
    @classmethod
    def exec_module(cls, module):
        exec(compile(SOURCES[module.__name__], module.__name__, "exec"), module.__dict__)
sys.meta_path.insert(0, Shipped)
"""
_ABOVE = ("verifiers", "verifiers.sandbox")
_INSIDE = Path(__file__).parent / "inside"


def supervisor_script(uid: int) -> bytes:
    """Return what to write to a new container: the supervisor, which starts the warm parent in the same way."""
    install = _install()
    forker = _framed(install + "from verifiers.sandbox.inside import forker\nforker.main()\n")
    return _framed(
        install
        + "from verifiers.sandbox.inside import supervisor\n"
        + f"supervisor.main({uid}, {BOOTSTRAP!r}, {forker!r})\n"
    )


def _framed(script: str) -> bytes:
    data = script.encode()
    return len(data).to_bytes(4, "big") + data


@functools.cache
def _install() -> str:
    """Return the script that gives the modules their names; packages are empty there, whatever their files say."""
    sources = dict.fromkeys(_ABOVE, "")
    for path in sorted(_INSIDE.rglob("*.py")):
        is_package = path.stem == "__init__"
        parts = (path.parent if is_package else path.with_suffix("")).relative_to(_INSIDE.parent).parts
        sources[".".join((_ABOVE[-1], *parts))] = "" if is_package else path.read_text(encoding="utf-8")
    return _INSTALL.format(sources=json.dumps(sources))
