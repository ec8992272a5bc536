"""A program whose own programs are forked, as it is: ``python -m tests.support.programs.forking PYTHON MODULE …``.

What it starts by ``sys.executable`` is started by that Python, of :func:`tests.support.warm.start.python`. Whoever
looks at the process that it has started, and not at what that one prints, finds one that asks and waits.
"""

from __future__ import annotations

import runpy
import sys


def main() -> None:
    """Is that program."""
    _, sys.executable, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
