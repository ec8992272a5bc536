"""``python -m tracemill sft``: what trainers take, from a finished run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tracemill.cli.arguments import positive
from tracemill.core import pretty_json
from tracemill.generate.prompts import SYSTEM_PROMPTS
from tracemill.runs.fetch import run_folder
from tracemill.training import QUERIES, export_sft
from tracemill.training.export import AS, Wanted, render
from tracemill.training.traces import PUBLISHED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's line."""
    parser.add_argument("run", metavar="DIR", help="the run's directory, or a version of it such as runs/mine@1")
    parser.add_argument("--as", dest="shape", choices=AS, default="messages", help="default: %(default)s")
    parser.add_argument(
        "--system", choices=SYSTEM_PROMPTS, default="none", help="am: the paper's, in training (default: %(default)s)"
    )
    parser.add_argument("--traces", choices=QUERIES, default=PUBLISHED, help="which responses (default: %(default)s)")
    parser.add_argument("--max-tokens", metavar="N", type=positive, help="rows of more are left out, none is cut")
    parser.add_argument("--tokenizer", metavar="FILE", type=Path, help="a tokenizer.json to count by (else estimated)")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="default: DIR-sft-SHAPE")
    parser.add_argument("--json", action="store_true", help="one JSON document, for scripts (docs/commands.md)")
    parser.set_defaults(run_command=_sft)


def _sft(arguments: argparse.Namespace) -> int:
    wanted = Wanted(arguments.shape, arguments.system, arguments.traces, arguments.max_tokens, arguments.tokenizer)
    named = arguments.run.rstrip("/").split("://")[-1].replace("@", "-")
    out = arguments.out or Path(f"{named}-sft-{arguments.shape}")
    facts = export_sft(run_folder(arguments.run), wanted, out)
    told = pretty_json(facts | {"out": str(out)}) if arguments.json else f"{render(facts, out)}\n"
    sys.stdout.write(told)
    return 0
