"""A program that is started as vLLM's Python is, and answers ``/health`` alone: for what starts servers.

The model's name says how it behaves: ``broken`` ends at once, ``mute`` never answers, ``weak`` ends soon after it
answered, and any other one answers until its folder of weights holds a file ``hang``.
"""

from __future__ import annotations

import stat
import sys
from pathlib import Path

PROGRAM = """#!{python}
import http.server, os, pathlib, sys, threading, time

given = dict(zip(sys.argv[3::2], sys.argv[4::2]))
name = given["--served-model-name"]
print("serving", name, os.environ.get("CUDA_VISIBLE_DEVICES", "on cores"), flush=True)
if name == "broken":
    sys.exit("no such weights")
if name == "mute":
    time.sleep(600)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if pathlib.Path(given["--model"], "hang").exists():
            time.sleep(600)
        self.send_response(200)
        self.end_headers()
        if name == "weak":
            threading.Timer(0.05, os._exit, [7]).start()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((given["--host"], int(given["--port"])), Handler).serve_forever()
"""


def vllm_stand_in(folder: Path) -> Path:
    """Writes the program; returns its place."""
    program = folder / "vllm-python"
    program.write_text(PROGRAM.replace("{python}", sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program
