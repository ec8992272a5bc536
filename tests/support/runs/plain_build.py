"""A build without Prefect as a program, for tests that kill it.

``python -m tests.support.runs.plain_build RECIPE OUT``
"""

from __future__ import annotations

import logging
import sys

from flows.build_dataset import build
from flows.engine.plain_run import plain_run
from flows.teacher_from_env import load_recipe_with_env
from tracemill.core import TracemillError


def main(recipe: str, out: str) -> int:
    """Returns the exit status, as ``flows.build_dataset`` has it."""
    logging.basicConfig(level=logging.WARNING)
    try:
        build(plain_run(load_recipe_with_env(recipe, [])), out)
    except TracemillError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
