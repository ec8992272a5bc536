"""``python -m tracemill``: see :mod:`tracemill.cli.main`."""

import sys

from tracemill.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
