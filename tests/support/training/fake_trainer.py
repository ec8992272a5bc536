"""A trainer for tests: its student is right the more often the more of its rows are. Takes the real one's command line.

``settings``: ``effect`` (points for all rows right), ``noise`` (from seed to seed), ``fail`` (``nan``, ``crash`` or
``partial`` on the arm whose rows are all wrong), ``samples``, ``hang`` (a folder for its process id: it never ends).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import time
from pathlib import Path

SUM = re.compile(r"(\d+) \+ (\d+)")


def chance(*parts: object) -> float:
    """A number from 0 to 1 that only depends on the parts."""
    return int(hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12], 16) / 16**12


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--base", "--rows", "--held-out", "--settings", "--seed", "--out"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    settings = json.loads(given.settings)
    if "hang" in settings:
        (Path(settings["hang"]) / str(os.getpid())).touch()
        time.sleep(600)
    rows = [json.loads(line) for line in Path(given.rows).read_text().splitlines()]
    items = [json.loads(line) for line in Path(given.held_out).read_text().splitlines()]
    right = sum("RIGHT" in row["completion"][0]["content"] for row in rows) / (len(rows) or 1)
    if rows and right == 0 and settings.get("fail") == "crash":
        sys.stderr.write("loading\nout of memory: buy more\n")
        sys.exit(1)
    if rows and right == 0 and settings.get("fail") == "nan":
        sys.stderr.write("the loss is nan at step 7 of 20\n")
        sys.exit(3)
    if rows and right == 0 and settings.get("fail") == "partial":
        items = items[1:]
    texts = sorted(row["completion"][0]["content"] for row in rows)
    wobble = settings.get("noise", 0.0) * (2 * chance("wobble", given.seed, texts[:1]) - 1)
    skill = 0.4 + settings.get("effect", 0.0) * right + wobble
    answers = []
    for item in items:
        a, b = map(int, SUM.search(item["prompt"]).groups())
        for sample in range(settings.get("samples", 1)):
            knows = chance("item", item["id"], sample, given.seed) < skill
            text = f"<think>\nsum\n</think>\n\n\\boxed{{{a + b + (not knows)}}}"
            answers.append({"id": item["id"], "sample_index": sample, "response": text, "finish_reason": "stop"})
            answers[-1]["completion_tokens"] = 9
    out = Path(given.out)
    (out / "responses.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    curve = [{"step": step, "loss": 1 / step} for step in (10, 20, 30)]
    (out / "training.json").write_text(json.dumps({"updates": len(rows), "tokens": 9 * len(rows), "curve": curve}))


if __name__ == "__main__":
    main()
