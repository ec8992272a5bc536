"""A child that must not outlive its parent."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from tests.support.needs import ROOT

PARENT = """
import subprocess, sys, time
from tracemill.core.child_process import die_with_parent
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], preexec_fn=die_with_parent())
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends it")
def test_it_ends_with_a_parent_that_is_killed() -> None:
    """Also where the parent had no chance to end it."""
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.send_signal(signal.SIGKILL)
    psutil.wait_procs([child], timeout=30)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
