"""``python -c`` for programs that are forked: ``python -m tests.support.warm.script CODE …``."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    exec(compile(sys.argv.pop(1), "<script>", "exec"), {"__name__": "__main__"})  # noqa: S102 - a test's own code
