"""Commands on recipes, runs, the ledger: ``init``, ``why``, ``browse``, ``report``, ``diff``, ``push``, ``sft``, …."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from tracemill.cli import init
from tracemill.cli.completion import SHELLS, script
from tracemill.cli.doctor import examined, is_ready
from tracemill.cli.doctor import render as render_checks
from tracemill.cli.ledger import DEFAULT as LEDGER
from tracemill.cli.ledger import add_commands as add_ledger_commands
from tracemill.cli.serve import add_arguments as add_serve_arguments
from tracemill.cli.sft import add_arguments as add_sft_arguments
from tracemill.cli.sources import facts as source_facts
from tracemill.cli.sources import listing
from tracemill.core import LedgerError, TracemillError, pretty_json
from tracemill.evaluate.diff import diff_evaluations, is_evaluation
from tracemill.evaluate.diff import render as render_scores
from tracemill.html.links import PORT
from tracemill.publish.directory.versions import listed
from tracemill.recipe.pinning import pin, render
from tracemill.runs import diff, send, shipment, story
from tracemill.runs.diff import render as render_diff
from tracemill.runs.fetch import run_folder
from tracemill.runs.push import render as render_shipment
from tracemill.runs.report import facts as report_facts
from tracemill.runs.report import render_report, report_html
from tracemill.runs.versions import facts as version_facts
from tracemill.runs.why import render as render_life

_MOST_PORT = 65_535
_STOPPED = 130  # as after Ctrl-C
_UNREAD = 141  # as after SIGPIPE


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(prog="python -m tracemill", description=(__doc__ or "").splitlines()[0])
    commands = line.add_subparsers(dest="command", required=True)
    _add_init(commands.add_parser("init", help="a recipe for files of one's own, by a look at their rows"))
    _add_why(commands.add_parser("why", help="everything that happened to one row"))
    _add_browse(commands.add_parser("browse", help="a page over the rows of a run: filters, and all about each"))
    _add_report(commands.add_parser("report", help="funnel and yields of a finished run, or scores of an evaluation"))
    _add_diff(commands.add_parser("diff", help="rows added, removed, changed between two runs, and why; or scores"))
    _add_versions(commands.add_parser("versions", help="the publications that stand in a run's directory"))
    _add_push(commands.add_parser("push", help="the dataset of a finished run, to the Hub; shows it unless --really"))
    _add_pin(commands.add_parser("pin", help="fix the Hub datasets of a recipe to their present commits"))
    _add_doctor(commands.add_parser("doctor", help="whether this machine, and a recipe, are ready for a run"))
    _add_sources(commands.add_parser("sources", help="the data sets that a recipe can name by one word"))
    add_sft_arguments(commands.add_parser("sft", help="traces of a finished run in a trainer's shape"))
    add_serve_arguments(commands.add_parser("serve", help="the models of a recipe on this machine, kept up by vLLM"))
    add_ledger_commands(commands.add_parser("ledger", help="what has been paid for: stats, export, compact"))
    completed = commands.add_parser("completion", help="a script by which bash or zsh completes all of these")
    completed.add_argument("shell", metavar="SHELL", choices=SHELLS, help=" or ".join(SHELLS))
    completed.set_defaults(run_command=_completion)
    return line


def _completion(arguments: argparse.Namespace) -> int:
    print(script(parser(), sys.executable, arguments.shell), end="")
    return 0


def main() -> int:
    """Run the command; returns its exit status."""
    arguments = parser().parse_args()
    try:
        status: int = arguments.run_command(arguments)
        sys.stdout.flush()
    except TracemillError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read has had enough, as head; Python would write once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _UNREAD
    return status


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="file, folder or glob; a source each")
    parser.add_argument("--out", metavar="FILE", type=Path, default=Path("recipe.yaml"), help="default: %(default)s")
    parser.add_argument("--force", action="store_true", help="replace that file if it is there")
    parser.add_argument(
        "--model", metavar="NAME", help="the teacher's (default: TEACHER_MODEL, or else the demo teacher's)"
    )
    parser.add_argument("--json", action="store_true", help="what was seen in the rows, for scripts")
    parser.set_defaults(run_command=_init)


def _init(arguments: argparse.Namespace) -> int:
    model = arguments.model or os.environ.get("TEACHER_MODEL")
    init.refuse_existing(arguments.out, force=arguments.force)
    text, found = init.drafted(arguments.files, arguments.out, model)
    init.write(text, arguments.out, force=arguments.force)
    print(_as_json(init.facts(found, arguments.out)) if arguments.json else init.summary(found, arguments.out))
    return 0


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document, for scripts (docs/commands.md)")


def _as_json(value: object) -> str:
    return pretty_json(value).removesuffix("\n")


def _add_why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="content id of a problem, or its first characters")
    parser.add_argument("--run", metavar="DIR", help="the run's directory (default: the newest below runs/)")
    parser.add_argument("--ledger", metavar="DIR", type=Path, help=f"what has been paid for (default: {LEDGER})")
    parser.add_argument("--json", action="store_true", help="every record whole, for scripts")
    parser.set_defaults(run_command=_why)


def _why(arguments: argparse.Namespace) -> int:
    ledger = arguments.ledger or _default_ledger()
    records = story(_run_of(arguments.run), arguments.id, ledger)
    print(json.dumps(records, indent=2, ensure_ascii=False) if arguments.json else render_life(records))
    return 0


def _add_browse(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        metavar="DIR",
        nargs="?",
        help="directory of a finished run, or the store of one that is under way (default: the newest below runs/)",
    )
    parser.add_argument("--port", metavar="N", type=_port, default=PORT, help="default: %(default)s; 0: any free one")
    parser.add_argument("--ledger", metavar="DIR", type=Path, help=f"what has been paid for (default: {LEDGER})")
    parser.set_defaults(run_command=_browse)


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= number <= _MOST_PORT:
        raise argparse.ArgumentTypeError(f"not a port: {text}; expected a number from 0 to {_MOST_PORT}")
    return number


def _browse(arguments: argparse.Namespace) -> int:
    from tracemill.browse import address, browser, opened, serve  # a server and its parts, which no other command needs

    place = _run_of(arguments.run)
    own = place / "ledger"
    if arguments.ledger is not None and not arguments.ledger.is_dir():
        raise LedgerError(f"no ledger in {arguments.ledger}", expected="a folder", remedy="leave --ledger out")
    ledger = arguments.ledger or (own if own.is_dir() else _default_ledger())
    index = opened(place)

    def ready(port: int) -> None:
        print(f"{place}: {index.n_rows:,} rows at {address(port)}   (Ctrl-C ends it)", flush=True)

    try:
        serve(browser(index, ledger), arguments.port, ready)
    except KeyboardInterrupt:
        return _STOPPED
    return 0


def _default_ledger() -> Path | None:
    return Path(LEDGER) if Path(LEDGER).is_dir() else None


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="DIR", nargs="?", help="the run's directory (default: the newest below runs/)")
    parser.add_argument("--html", action="store_true", help="only say where its page with the plots is")
    _add_json(parser)
    parser.set_defaults(run_command=_report)


def _report(arguments: argparse.Namespace) -> int:
    run = _run_of(arguments.run)
    if arguments.json:
        print(_as_json({"run": str(run), "page": str(report_html(run))} if arguments.html else report_facts(run)))
    else:
        print(report_html(run) if arguments.html else render_report(run))
    return 0


def _add_diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="directory of the earlier run, or a version of it such as runs/mine@1")
    parser.add_argument("b", metavar="B", help="of the later run")
    parser.add_argument("--examples", metavar="N", type=int, default=5, help="rows of each kind to show (default: 5)")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.set_defaults(run_command=_diff)


def _diff(arguments: argparse.Namespace) -> int:
    a, b = run_folder(arguments.a), run_folder(arguments.b)
    if is_evaluation(a) and is_evaluation(b):
        scores = diff_evaluations(a, b)
        print(_as_json(scores) if arguments.json else render_scores(scores))
        return 0
    found = diff(a, b, arguments.examples)
    print(json.dumps(found.as_json(), indent=1, ensure_ascii=False) if arguments.json else render_diff(found))
    return 0


def _add_versions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="DIR", nargs="?", help="the run's directory (default: the newest below runs/)")
    _add_json(parser)
    parser.set_defaults(run_command=_versions)


def _versions(arguments: argparse.Namespace) -> int:
    run = _run_of(arguments.run)
    print(_as_json(version_facts(run)) if arguments.json else "\n".join(listed(run)))
    return 0


def _add_push(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="DIR", help="the run's directory, or a version of it such as runs/mine@1")
    parser.add_argument("--repo", metavar="ORG/NAME", required=True, help="dataset repository; made if there is none")
    parser.add_argument("--really", action="store_true", help="send it; otherwise only show what would be sent")
    parser.add_argument("--public", action="store_true", help="a repository that is made is public (default: private)")
    parser.add_argument("--branch", default="main", help="branch to send to; made if there is none (default: main)")
    _add_json(parser)
    parser.set_defaults(run_command=_push)


def _push(arguments: argparse.Namespace) -> int:
    planned = shipment(run_folder(arguments.run), arguments.repo)
    if not arguments.json:
        print(render_shipment(planned))
    sent = send(planned, public=arguments.public, branch=arguments.branch) if arguments.really else None
    if arguments.json:
        print(_as_json(asdict(planned) | {"run": str(planned.run), "branch": arguments.branch, "sent": sent}))
    else:
        print(sent or "nothing was sent: --really sends it")
    return 0


def _add_pin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="YAML file; revisions are written into it, all else stays")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be written")
    parser.add_argument("--update", action="store_true", help="also move what has a commit to the newest one")
    _add_json(parser)
    parser.set_defaults(run_command=_pin)


def _pin(arguments: argparse.Namespace) -> int:
    pins = pin(arguments.recipe, update=arguments.update, dry_run=arguments.dry_run)
    if arguments.json:
        shown = ("name", "hub", "revision", "commit", "error")
        told = [{name: getattr(each, name) for name in shown} for each in pins]
        print(_as_json({"recipe": arguments.recipe, "dry_run": arguments.dry_run, "pins": told}))
    else:
        print(render(pins, dry_run=arguments.dry_run))
    return int(any(each.error is not None for each in pins))


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", nargs="?", type=Path, help="YAML file; also what it asks for")
    _add_json(parser)
    parser.set_defaults(run_command=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    checks = examined(arguments.recipe, Path())
    ready = is_ready(checks)
    print(_as_json({"ready": ready, "checks": list(map(asdict, checks))}) if arguments.json else render_checks(checks))
    return int(not ready)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "word", metavar="WORD", nargs="?", help="only those with this in their name or id, with evidence"
    )
    _add_json(parser)
    parser.set_defaults(run_command=_sources)


def _sources(arguments: argparse.Namespace) -> int:
    print(_as_json(source_facts(arguments.word)) if arguments.json else listing(arguments.word))
    return 0


def _run_of(given: str | None) -> Path:
    if given is not None:
        return run_folder(given)
    finished = sorted(Path("runs").glob("*/manifest.json"), key=lambda path: path.stat().st_mtime)
    return finished[-1].parent if finished else Path("runs")


if __name__ == "__main__":
    sys.exit(main())
