"""``make student``: the traces of the demo's student, then the comparison; further arguments go to the comparison.

The teacher's answers are shipped as a ledger, of which a copy is used: nobody is asked, and what is shipped stays.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tracemill.core.child_process import die_with_parent

SHIPPED = Path(__file__).parent / "ledger"
LEDGER = Path(".tracemill/student-ledger")
TRACES, COMPARISON = "recipes/student-traces.yaml", "recipes/compare-demo.yaml"
# Nothing listens there: what is not in the ledger is an error, and not a bill.
NOBODY = 'distill.teacher.base_urls=["http://127.0.0.1:9/v1"]'


def main(arguments: list[str]) -> int:
    """Build and compare; the exit status of the first that fails."""
    shutil.rmtree(LEDGER, ignore_errors=True)
    shutil.copytree(SHIPPED, LEDGER)
    settings = [f"run.ledger={LEDGER}", NOBODY, "distill.teacher.give_up_after_s=5"]
    build = [sys.executable, "-m", "flows.build_dataset", TRACES, *(part for s in settings for part in ("--set", s))]
    compare = [sys.executable, "-m", "flows.compare_students", COMPARISON, *arguments]
    for command in (build, compare):
        # SIGTERM to this process alone must end the run, too.
        status = subprocess.run(command, check=False, preexec_fn=die_with_parent()).returncode  # noqa: S603
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
