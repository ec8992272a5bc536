"""``python -m tracemill serve``: the models of a recipe on this machine, kept up by vLLM until it is stopped."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Final

from tracemill.cli.arguments import positive
from tracemill.core import RecipeError
from tracemill.recipe import load_recipe
from tracemill.serve import Placement, PlannedServer, Supervisor, plan_servers, urls_by_place

_VLLM_PYTHON: Final = Path(".venv-vllm/bin/python")
_LOGS: Final = Path(".tracemill/servers")
_LISTING_S: Final = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's line."""
    parser.add_argument("recipe", metavar="RECIPE", help="YAML recipe")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="section.key=value", help="override a setting"
    )
    parser.add_argument("--gpus", metavar="LIST", type=_numbers, help="such as 0,1,2,3; none (default: all there are)")
    parser.add_argument("--tensor-parallel", metavar="N", type=positive, default=1, help="GPUs a server of the teacher")
    parser.add_argument("--only", metavar="SECTION", action="append", default=[], help="such as distill.teacher")
    parser.add_argument("--teachers", metavar="N", type=positive, help="servers of the teacher (default: by GPUs)")
    parser.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="to listen on (default: %(default)s)")
    parser.add_argument(
        "--weights", metavar="MODEL=PLACE", action="append", default=[], help="folder or Hub id of a model's weights"
    )
    parser.add_argument("--vllm-python", metavar="FILE", type=Path, help=f"default: {_VLLM_PYTHON}, or this one")
    parser.add_argument("--logs", metavar="DIR", type=Path, default=_LOGS, help="default: %(default)s")
    parser.add_argument("--urls", metavar="FILE", type=Path, help="where to write base_urls, once all answer")
    parser.add_argument("--start-s", metavar="S", type=positive, default=1_800, help="patience with a start")
    parser.add_argument("--dry-run", action="store_true", help="show the commands, start nothing")
    parser.add_argument(
        "--vllm", metavar="OPTION", action="append", default=[], help="of each server, such as max-model-len=32768"
    )
    parser.set_defaults(run_command=_serve)


def _numbers(text: str) -> tuple[int, ...]:
    return () if text == "none" else tuple(int(part) for part in text.split(","))


_numbers.__name__ = "list of GPU indices"


def _serve(arguments: argparse.Namespace) -> int:
    recipe = load_recipe(arguments.recipe, arguments.overrides, pinned=False)
    placement = Placement(
        gpus=gpus_here() if arguments.gpus is None else arguments.gpus,
        tensor_parallel=arguments.tensor_parallel,
        only=frozenset(arguments.only),
        n_teachers=arguments.teachers,
        host=arguments.host,
        weights=_weights(arguments.weights),
    )
    planned = plan_servers(recipe, placement)
    python = str(arguments.vllm_python or (_VLLM_PYTHON if _VLLM_PYTHON.exists() else sys.executable))
    more = [word for option in arguments.vllm for word in _option(option)]
    if arguments.dry_run:
        for server in planned:
            _say(_shown(server, python, more))
        return 0
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    servers = Supervisor(planned, python=python, logs=arguments.logs, more=more, start_s=arguments.start_s, say=_say)
    with servers:
        if servers.wait_until_all_answer(stopped):
            _tell(planned, arguments.urls)
            servers.keep_up(stopped)
    _say("all servers have ended")
    return 0


def gpus_here() -> tuple[int, ...]:
    """Return the indices of this machine's GPUs, of those that CUDA_VISIBLE_DEVICES names if it is set."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and all(part.strip().isdecimal() for part in visible.split(",")):
        return tuple(int(part) for part in visible.split(","))
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],  # noqa: S607 - wherever the driver put it
            capture_output=True,
            text=True,
            timeout=_LISTING_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(line) for line in listed.stdout.split())


def _option(text: str) -> list[str]:
    """Return an option of vLLM as its words: max-model-len=32768, or enforce-eager."""
    name, sign, value = text.removeprefix("--").partition("=")
    return [f"--{name}", *([value] if sign else [])]


def _weights(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if wrong := [text for text, (_, sign, place) in zip(given, pairs, strict=True) if not sign or not place]:
        raise RecipeError(
            f"--weights {wrong[0]} names no place\n"
            "  expected  MODEL=PLACE, such as demo-teacher=demo/teacher/model\n"
            "  remedy    the recipe's name of the model, =, and a folder or a Hub id"
        )
    return {model: place for model, _, place in pairs}


def _shown(server: PlannedServer, python: str, more: list[str]) -> str:
    """Return a command as a shell takes it."""
    gpus = f"CUDA_VISIBLE_DEVICES={','.join(map(str, server.gpus))} " if server.gpus else ""
    return f"{gpus}{shlex.join(server.command(python, more))}"


def _tell(planned: list[PlannedServer], urls: Path | None) -> None:
    """Say where the servers are, and write it down for scripts: a line of JSON, whole or not at all."""
    places = urls_by_place(planned)
    if urls is not None:
        urls.parent.mkdir(parents=True, exist_ok=True)
        partial = urls.with_name(f".{urls.name}.partial")
        partial.write_text(json.dumps(places) + "\n", encoding="utf-8")
        partial.rename(urls)
    _say("all answer; Ctrl-C ends them. In the recipe, or behind a command:")
    for place, found in places.items():
        _say(f"  --set {place}.base_urls='[{','.join(found)}]'")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
