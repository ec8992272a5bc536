"""Whether this machine and a recipe are ready for a run: ``python -m tracemill doctor [RECIPE]``.

Each check says what was looked at, what is there, and the command that mends it. It starts nothing and pays for
nothing; what it asks (Docker's engine, the GPU's driver, a Prefect server) it asks for a few seconds at most.
*Missing* is what the recipe asks for and is not there; *note* is what works, but not as far as one may think.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracemill.cli.checks import Check, State
from tracemill.cli.doctor_students import of_comparison, of_evaluation
from tracemill.recipe.evaluation import Evaluation
from tracemill.recipe.loading import load_any
from tracemill.recipe.recipe import Recipe
from tracemill.recipe.sections.verify import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracemill.recipe.sections.decontaminate import Decontaminate
    from tracemill.recipe.sections.deduplicate import Embedding

ROOT: Final = Path(__file__).resolve().parents[2]
_GIB: Final = 1 << 30
_LITTLE_SPACE: Final = 5 * _GIB  # a store of 100,000 rows with their traces takes about 3
_OLDEST: Final = (3, 11)
_PATIENCE_S: Final = 5.0
_SHOWN: Final = ("prefect", "pyarrow", "pydantic")
_NAMED: Final = 3
# docs/decontamination.md, "Rephrased items".
_BY_TEXT_ALONE: Final = "6 %"
_BY_MEANING: Final = "98 %"


def examined(recipe: Path | None, folder: Path) -> list[Check]:
    """Return all checks, those of a recipe if one is given.

    Args:
        recipe: YAML file, of a dataset, an evaluation or a comparison.
        folder: where a run would write.

    Raises:
        TracemillError: the recipe cannot be read.
    """
    read = None if recipe is None else load_any(recipe)
    settings = Sandbox() if read is None else read.verify.sandbox
    has_library = importlib.util.find_spec("sentence_transformers") is not None
    url, api = os.environ.get("TEACHER_URL", ""), os.environ.get("PREFECT_API_URL", "")
    of_recipe = [read.deduplicate.semantic, read.decontaminate.embeddings] if isinstance(read, Recipe) else []
    engine = _engine(settings)
    machine = [
        python(sys.version_info[:3]),
        packages(_locked(ROOT / "requirements.lock"), {each.name: each.version for each in distributions()}),
        space(shutil.disk_usage(folder).free),
        *sandbox(shutil.which("docker"), engine, settings.image, has_image=_has_image(settings)),
        teacher(sorted(path.name for path in ROOT.glob(".venv-vllm/.ready-*")), url),
        gpu(_said("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")),
        server(api, is_up=bool(api) and _answers(f"{api.rstrip('/')}/health")),
        embedder([settings for settings in of_recipe if settings], has_library=has_library),
    ]
    if read is None:
        return machine
    if isinstance(read, Recipe):
        return [*machine, paraphrases(read.decontaminate)]
    if isinstance(read, Evaluation):
        return [*machine, *of_evaluation(read, os.environ, has_engine=engine is not None)]
    return [*machine, *of_comparison(read)]


def _said(*command: str) -> str | None:
    """Return what a program prints; None where there is none, it fails, or it takes too long."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [program, *command[1:]], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _docker(settings: Sandbox, *command: str) -> str | None:
    host = [f"--host={settings.engines[0]}"] if settings.engines else []
    return _said("docker", *host, *command)


def _engine(settings: Sandbox) -> str | None:
    return _docker(settings, "version", "--format", "{{.Server.Version}}")


def _has_image(settings: Sandbox) -> bool:
    return _docker(settings, "image", "inspect", "--format", "{{.Id}}", settings.image) is not None


def _answers(url: str) -> bool:
    if not url.startswith(("http://", "https://")):
        return False
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer:  # noqa: S310 - see above
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def _locked(path: Path) -> dict[str, str]:
    """Version by name in a lock file; empty where there is none."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.strip().split("==", 1) for line in lines if re.match(r"\s*[\w.-]+==", line))


def python(version: tuple[int, ...]) -> Check:
    """Tell whether this Python is new enough."""
    told = f"Python {'.'.join(map(str, version))}, {sys.prefix}"
    if version >= _OLDEST:
        return Check("python", State.FINE, told)
    return Check("python", State.MISSING, f"{told}; 3.11 is the oldest that works", "make setup PYTHON=python3.12")


def packages(locked: Mapping[str, str], installed: Mapping[str, str]) -> Check:
    """Tell whether the packages here are those that the lock file names."""

    def folded(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    there = {folded(name): version for name, version in installed.items()}
    shown = ", ".join(f"{name} {there.get(name, 'is not there')}" for name in _SHOWN)
    named = {name: there.get(folded(name), "missing") for name in locked}
    others = [f"{name} {version}" for name, version in named.items() if version != locked[name]]
    if not others:
        return Check("packages", State.FINE, f"{len(locked)} as locked: {shown}")
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    state = State.MISSING if any(name.endswith(" missing") for name in others) else State.NOTE
    return Check("packages", state, f"not as locked: {', '.join(others[:_NAMED])}{more}", "make setup")


def space(free: int) -> Check:
    """Free bytes of the disk that a run would write to."""
    state = State.NOTE if free < _LITTLE_SPACE else State.FINE
    remedy = "give --out and the store a larger disk" if state is State.NOTE else ""
    return Check("disk", state, f"{free / _GIB:.1f} GiB free here", remedy)


def sandbox(client: str | None, engine: str | None, image: str, *, has_image: bool) -> list[Check]:
    """Tell whether programs can be run: Docker's client, an engine that answers it, and the image.

    Args:
        client: path of the client, or None.
        engine: its version, or None if it does not answer.
        image: name of the sandbox's image.
        has_image: the engine has it.
    """
    if client is None or engine is None:
        found = "no Docker" if client is None else "no Docker engine answers"
        remedy = "install Docker" if client is None else "start it (systemctl start docker), or name it in DOCKER_HOST"
        lacking = f"{found}: programs cannot be verified, all else can"
        return [Check("docker", State.NOTE, lacking, remedy), Check("sandbox", State.NOTE, "not looked at")]
    running = Check("docker", State.FINE, f"engine {engine}")
    if has_image:
        return [running, Check("sandbox", State.FINE, f"image {image}")]
    found = f"no image {image}: programs cannot be verified"
    return [running, Check("sandbox", State.NOTE, found, "make sandbox-image")]


def teacher(environments: Iterable[str], url: str) -> Check:
    """Tell whether there is a teacher for a try: the demo's environment, or a server that the environment names."""
    if url:
        return Check("teacher", State.FINE, f"TEACHER_URL is {re.sub('//[^/@]*@', '//…@', url)}")
    versions = [name.removeprefix(".ready-") for name in environments]
    if versions:
        return Check("teacher", State.FINE, f"the demo's, {versions[-1]}; TEACHER_URL is not set")
    found = "no vLLM for the demo's teacher, and TEACHER_URL is not set"
    return Check("teacher", State.NOTE, found, "make teacher; or set TEACHER_URL for a server of your own")


def gpu(listed: str | None) -> Check:
    """Return the GPUs here; only servers of models want one."""
    names = (listed or "").splitlines()
    return Check("gpu", State.FINE, "; ".join(names) or "none here; only servers of models want one")


def server(url: str, *, is_up: bool) -> Check:
    """Return the Prefect server that runs report to."""
    if not url:
        return Check("prefect", State.FINE, "PREFECT_API_URL is not set: each run starts a server of its own")
    if is_up:
        return Check("prefect", State.FINE, f"{url} answers")
    return Check("prefect", State.MISSING, f"nothing answers at {url}", "make ui, or unset PREFECT_API_URL")


def embedder(wanted: Iterable[Embedding], *, has_library: bool) -> Check:
    """Tell whether the embedding models that a recipe names can be loaded or asked."""
    local = sorted({settings.path or settings.model for settings in wanted if settings.engine != "server"})
    if has_library:
        return Check("embeddings", State.FINE, "sentence-transformers is installed")
    if local:
        remedy = "make embeddings; or serve the model, and set engine: server"
        return Check("embeddings", State.MISSING, f"sentence-transformers, for {', '.join(local)}", remedy)
    return Check(
        "embeddings", State.NOTE, "sentence-transformers is not installed; nothing here asks for it", "make embeddings"
    )


def paraphrases(settings: Decontaminate) -> Check:
    """What of rephrased benchmark items a recipe's comparison finds."""
    what = "decontamination"
    if not settings.benchmarks:
        return Check(what, State.NOTE, "compared with no benchmark", "name them in decontaminate.benchmarks")
    if settings.embeddings is None:
        found = f"by text alone: copies and edits are found, but only about {_BY_TEXT_ALONE} of rephrased items"
        remedy = "give decontaminate.embeddings a model (docs/decontamination.md)"
        return Check(what, State.NOTE, found, remedy)
    return Check(what, State.FINE, f"by text and meaning; a small model found {_BY_MEANING} of 320 rephrased items")


def render(checks: Iterable[Check]) -> str:
    """Return one line a check, and below it what to do."""
    lines: list[str] = []
    for check in checks:
        lines.append(f"{check.state:<8} {check.what:<16} {check.found}")
        if check.remedy:
            lines.append(f"{'':<25} -> {check.remedy}")
    return "\n".join(lines)


def is_ready(checks: Iterable[Check]) -> bool:
    """Tell whether nothing is missing that the recipe asks for."""
    return all(check.state is not State.MISSING for check in checks)
