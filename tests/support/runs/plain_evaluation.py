"""An evaluation without Prefect as a program, for tests that kill it.

``python -m tests.support.runs.plain_evaluation RECIPE OUT``
"""

from __future__ import annotations

import sys

from flows.engine.plain_run import plain_run
from flows.evaluate_student import evaluate
from flows.teacher_from_env import load_evaluation_with_env

if __name__ == "__main__":
    evaluate(plain_run(load_evaluation_with_env(sys.argv[1], [])), sys.argv[2])
