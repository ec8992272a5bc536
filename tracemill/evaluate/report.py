"""``report.html`` of an evaluation, and the same figures for a terminal and for Prefect's UI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from tracemill.evaluate.plots import Whisker, whiskers
from tracemill.evaluate.summary import GROUPS
from tracemill.html.charts import legend
from tracemill.html.figures import figure
from tracemill.html.templates import render_html

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracemill.evaluate.scores import JudgedSample

_NAME_CHARS: Final = 22
_EXAMPLES: Final = 12
_SHARES: Final = ("cut_off", "no_answer", "unverifiable")


def examples_of(
    samples: Iterable[JudgedSample], prompts: Mapping[str, str], references: Mapping[str, str]
) -> list[Any]:
    """Return a few samples that are not right, the first of each benchmark's items, for the page."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for sample in sorted(samples, key=lambda one: (one.benchmark, one.sample, one.item)):
        if not sample.is_correct and not sample.is_missing:
            shown = {
                "benchmark": sample.benchmark,
                "item": sample.item,
                "sample": sample.sample,
                "outcome": sample.outcome,
                "prompt": prompts.get(sample.problem_id, "")[:400],
                "expected": references.get(sample.problem_id),
                "extracted": sample.extracted,
                "detail": sample.detail[:300],
            }
            found.setdefault((sample.benchmark, sample.item), shown)
    benchmarks = sorted({benchmark for benchmark, _ in found})
    each = max(1, _EXAMPLES // max(1, len(benchmarks)))
    return [
        shown for name in benchmarks for shown in [one for (of, _), one in sorted(found.items()) if of == name][:each]
    ]


def report(scores: Mapping[str, Any], examples: Sequence[Mapping[str, Any]]) -> str:
    """Return the page: one file without anything from elsewhere.

    Args:
        scores: of :func:`tracemill.evaluate.summary.summary`.
        examples: of :func:`examples_of`.
    """
    baseline = scores.get("baseline")
    page = render_html(
        "evaluate/templates/report.html.j2",
        title=f"Evaluation of {scores['student']['model']}",
        intro=_intro(scores),
        notes=notes(scores),
        figures=_key_figures(scores),
        plots=[plot for plot in (_scores_plot(scores), _difference_plot(scores), _groups_plot(scores)) if plot],
        rows=[_row(name, score) for name, score in scores["benchmarks"].items()],
        columns=COLUMNS,
        differences=[_difference_row(name, one) for name, one in _differences(scores)],
        baseline=baseline["student"]["model"] if baseline else "",
        groups=_group_rows(scores),
        settings={
            name.replace("_", " "): value for name, value in scores["student"].items() if value not in ("", None)
        },
        examples=examples,
    )
    return str(page)


def _settings(student: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("_", " "): value for name, value in student.items() if value is not None and value != ""}


COLUMNS: Final = (
    "benchmark", "items", "samples", "avg@k", "95 % interval", "bootstrap", "pass@k", "maj@k", "cut off", "no answer",
    "unverifiable", "if wrong – right", "tokens",
)  # fmt: skip


def _intro(scores: Mapping[str, Any]) -> str:
    n_items = sum(score["items"] for score in scores["benchmarks"].values())
    return (
        f"{n_items:,} items of {len(scores['benchmarks'])} benchmarks. A score is the mean over items of the mean over "
        "samples; its interval holds the true value in 95 of 100 cases, for other items of the same kind."
    )


def _key_figures(scores: Mapping[str, Any]) -> dict[str, str]:
    found = {name: scored(score) for name, score in scores["benchmarks"].items()}
    return ({"mean of benchmarks": scored(scores["overall"])} if scores["overall"] else {}) | found


def notes(scores: Mapping[str, Any]) -> list[str]:
    """Return sentences on what a reader should know before the numbers."""
    told = []
    for name, score in scores["benchmarks"].items():
        if score["missing"]:
            told.append(
                f"{name} is incomplete: {score['missing']:,} samples were refused by the server or not judged for a "
                "failure of the sandbox. They do not count; run again, and only they are asked or judged again."
            )
        told += _detectable(name, score)
        if score["cut_off"] and score["cut_off"] >= 0.05:
            share = f"{100 * score['cut_off']:.1f} %"
            told.append(f"{name}: {share} of the responses were cut off; without an answer they are wrong.")
    if others := scores["student"].get("answered_as"):
        told.append(f"The server answered as {', '.join(others)}, not as {scores['student']['model']}.")
    for setting, (before, now) in (scores.get("baseline") or {}).get("asked_otherwise", {}).items():
        told.append(f"The baseline was asked with another {setting.replace('_', ' ')}: {before}, here {now}.")
    return told


def _detectable(name: str, score: Mapping[str, Any]) -> list[str]:
    """Return a sentence on what these items cannot show: measured against a baseline, or for models that are alike."""
    measured = score.get("difference", {}).get("detectable_difference")
    least, how = (
        (measured, "80 % power, as measured against the baseline")
        if measured
        else (score["detectable_difference"], "80 % power, two models alike by 0.8")
    )
    if not least:
        return []
    items = f"{name}: with {score['items']:,} items you cannot tell models apart that differ by less than"
    return [f"{items} {100 * least:.1f} points ({how})."]


def _scores_plot(scores: Mapping[str, Any]) -> Markup:
    lines = [
        Whisker(name, scored(score), score["avg"], score["interval"], score["bounds"])
        for name, score in scores["benchmarks"].items()
    ]
    if mean := scores["overall"]:
        lines.append(Whisker("mean of benchmarks", scored(mean), mean["avg"], mean["interval"], kind="kept"))
    names = [("left", "score and 95 % interval"), ("rail-open", "if all that is open were wrong, or right")]
    return figure("Scores", whiskers("Scores with 95 % intervals", lines), legend(names))


def _differences(scores: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(name, score["difference"]) for name, score in scores["benchmarks"].items() if "difference" in score]


def _difference_plot(scores: Mapping[str, Any]) -> Markup:
    lines = [
        Whisker(name, _points(one), one["difference"], one["interval"], kind=_side(one))
        for name, one in _differences(scores)
    ]
    if (mean := (scores.get("baseline") or {}).get("overall")) is not None:
        lines.append(
            Whisker("mean of benchmarks", _points(mean), mean["difference"], mean["interval"], kind=_side(mean))
        )
    names = [("kept", "ahead of the baseline"), ("lost", "behind"), ("other", "not told apart")]
    chart = whiskers("Paired differences from the baseline, in points", lines, around_zero=True)
    return figure("Against the baseline, in points", chart, legend(names))


def _side(one: Mapping[str, Any]) -> str:
    if not one["difference_shown"]:
        return "other"
    return "kept" if one["difference"] > 0 else "lost"


def _groups_plot(scores: Mapping[str, Any]) -> Markup:
    kinds = {"far": "left", "near": "lost", "inside": "lost"}
    lines = [
        Whisker(
            f"{name}, {group} ({score['items']:,})", scored(score), score["avg"], score["interval"], kind=kinds[group]
        )
        for name, whole in scores["benchmarks"].items()
        for group, score in whole.get("by_group", {}).items()
        if score["items"]
    ]
    return figure("By how near an item is to the training set", whiskers("Scores by group", lines))


def _row(name: str, score: Mapping[str, Any]) -> list[str]:
    tries = max((int(j) for j in score["pass_at"]), default=0)
    return [
        name + ("" if score["complete"] else " (incomplete)"),
        f"{score['items']:,}",
        f"{score['samples']}",
        percent(score["avg"]),
        ends(score["interval"]),
        ends(score["bootstrap"]),
        f"{percent(score['pass_at'][str(tries)])} @{tries}" if tries > 1 else "–",
        percent(score["maj"]) if score["samples"] > 1 else "–",
        *(percent(score.get(share)) for share in _SHARES),
        ends(score["bounds"]),
        "–" if score["mean_tokens"] is None else f"{score['mean_tokens']:,.0f}",
    ]


def _difference_row(name: str, one: Mapping[str, Any]) -> list[str]:
    detectable = one["detectable_difference"]
    return [
        name,
        f"{one['items']:,}",
        percent(one["a"]),
        percent(one["b"]),
        _points(one),
        f"{one['better']:,} / {one['worse']:,}",
        _chance(one),
        "–" if detectable is None else f"{100 * detectable:.1f}",
        told_apart(one),
    ]


def _chance(one: Mapping[str, Any]) -> str:
    told = "< 0.0001" if one["sign_flip_p"] < 0.0001 else f"{one['sign_flip_p']:.4f}"
    return told if one["sign_flip_exact"] else f"{told} (sampled)"


def _group_rows(scores: Mapping[str, Any]) -> list[list[str]]:
    return [
        [name, group, f"{score['items']:,}", percent(score.get("avg")), ends(score.get("interval"))]
        for name, whole in scores["benchmarks"].items()
        for group, score in whole.get("by_group", {}).items()
        if group in GROUPS
    ]


def told_apart(one: Mapping[str, Any]) -> str:
    """Return the one sentence on a difference, which may say that none was found."""
    if not one["difference_shown"]:
        return "no difference found"
    return "ahead" if one["difference"] > 0 else "behind"


def percent(value: float | None) -> str:
    """Return a share with one decimal."""
    return "–" if value is None else f"{100 * value:.1f} %"


def ends(interval: Sequence[float] | None) -> str:
    """Return both ends of an interval."""
    return "–" if interval is None else f"{100 * interval[0]:.1f} – {100 * interval[1]:.1f}"


def scored(score: Mapping[str, Any]) -> str:
    """Return a score with what stands behind ±; the interval where it is not symmetric."""
    if score.get("avg") is None:
        return "not scored"
    told = f"{100 * score['avg']:.1f} %"
    if score.get("interval") is None:
        return told
    low, high = score["interval"]
    if abs((low + high) / 2 - score["avg"]) < 0.0005:
        return f"{told} ± {50 * (high - low):.1f}"
    return f"{told} ({100 * low:.1f} – {100 * high:.1f})"


def _points(one: Mapping[str, Any]) -> str:
    told = f"{100 * one['difference']:+.1f}"
    if one["interval"] is None:
        return told
    low, high = one["interval"]
    return f"{told} ({100 * low:+.1f} – {100 * high:+.1f})"


def render(scores: Mapping[str, Any]) -> str:
    """Return the figures for a terminal."""
    head = (
        f"{'benchmark':<{_NAME_CHARS}}{'items':>7}{'k':>4}  {'avg@k':<24}{'maj@k':>8}{'pass@k':>8}"
        f"{'cut off':>9}{'no answer':>11}{'unverif.':>10}  if open wrong – right"
    )
    lines = [head]
    for name, score in scores["benchmarks"].items():
        row = _row(name, score)
        tries = row[6].split(" @")[0]
        lines.append(
            f"{name[:_NAME_CHARS]:<{_NAME_CHARS}}{row[1]:>7}{row[2]:>4}  {scored(score):<24}{row[7]:>8}{tries:>8}"
            f"{row[8]:>9}{row[9]:>11}{row[10]:>10}  {row[11]}"
        )
    if scores["overall"]:
        lines.append(f"{'mean of benchmarks':<{_NAME_CHARS}}{'':>11}  {scored(scores['overall'])}")
    lines += [*differences_told(scores), *_groups_told(scores), "", *notes(scores)]
    return "\n".join(lines).rstrip()


def differences_told(scores: Mapping[str, Any]) -> list[str]:
    """Return the paired differences from a baseline, a line a benchmark; nothing where there is none."""
    found = _differences(scores)
    baseline = scores.get("baseline")
    if not baseline:
        return []
    lines = ["", f"against {baseline['student']['model']} ({baseline['evaluation']}), item by item, in points:"]
    for name, one in found:
        row = _difference_row(name, one)
        lines.append(f"{name[:_NAME_CHARS]:<{_NAME_CHARS}}{row[1]:>7} items  {row[4]:<26} p {row[6]:<10} {row[8]}")
    if baseline["overall"]:
        told = f"{_points(baseline['overall'])}  {told_apart(baseline['overall'])}"
        lines.append(f"{'mean of benchmarks':<{_NAME_CHARS}}{'':>15}{told}")
    return lines if found else [*lines, "no item in common"]


def _groups_told(scores: Mapping[str, Any]) -> list[str]:
    rows = _group_rows(scores)
    if not rows:
        return []
    trained = scores["trained_on"]
    lines = ["", f"by how near an item is to {trained['name']} ({trained['prompts']:,} prompts):"]
    return lines + [
        f"{name[:_NAME_CHARS]:<{_NAME_CHARS}}{group:<8}{n:>6} items  {avg:>8}  {interval}"
        for name, group, n, avg, interval in rows
    ]


def markdown(scores: Mapping[str, Any]) -> str:
    """Return the figures as a page for Prefect's UI."""
    rows = [_row(name, score) for name, score in scores["benchmarks"].items()]
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}", *(f"| {' | '.join(row)} |" for row in rows)]
    if scores["overall"]:
        lines += ["", f"Mean of benchmarks: **{scored(scores['overall'])}**"]
    compared = differences_told(scores)
    return "\n".join([*lines, *(["", "```", *compared[1:], "```"] if compared else []), "", *_listed(notes(scores))])


def _listed(sentences: Iterable[str]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences]
