"""The report: three Markdown tables and what was void, as text."""

from __future__ import annotations

from collections.abc import Sequence

from bench.metrics import METRIC, METRICS, Figure, Metric, figure, reference_s
from bench.rounds import Run
from bench.targets import verdicts

OURS = "lockgate"


def write_report(runs: Sequence[Run], systems: Sequence[str], notes: Sequence[str]) -> str:
    """All tables, with the notes and the void trials below."""
    parts = [_medians(runs, systems), _multiples(runs, systems), _targets(runs), _remarks(runs, notes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with even columns, the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    rule = [("-" * width if i == 0 else "-" * (width - 1) + ":") for i, width in enumerate(widths)]
    lines = []
    for row in [head, rule, *rows]:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _medians(runs: Sequence[Run], systems: Sequence[str]) -> str:
    rounds = {name: sum(1 for run in runs if run.system == name and run.failure is None) for name in systems}
    head = ["median of n rounds", *(f"{name} (n {rounds[name]})" for name in systems)]
    rows = []
    for metric in METRICS:
        cells = [_cell(figure(runs, name, metric), metric, rounds[name]) for name in systems]
        if any(cell != "-" for cell in cells):
            rows.append([metric.title, *cells])
    if not rows:
        return "Nothing was measured."
    reference_ms = reference_s(runs) * 1e3
    caption = (
        "CPU time is of all processes that serve requests, and apart of the one that tends records; it is "
        f"scaled to the fastest moment of this run (calibration "
        f"{reference_ms:.0f} ms). Added times are over `direct`. Compare figures of one run only."
    )
    return write_table(head, rows) + "\n\n" + caption


def _cell(found: Figure | None, metric: Metric, rounds: int) -> str:
    if found is None:
        return "-"
    text = f"{found.median:.{metric.decimals}f}"
    if found.missed_rate is not None:
        return f"does not hold ({found.missed_rate:.0f}/s)"
    if metric.kind == "rate":
        text = f"{'>= ' if found.is_floor else ''}{text} (best {found.best:.0f})"
    return text if found.n == rounds else f"{text} (n {found.n})"


def _multiples(runs: Sequence[Run], systems: Sequence[str]) -> str:
    """CPU of every system as a multiple of ours."""
    others = [name for name in systems if name != OURS]
    rows = []
    for metric in METRICS:
        ours = figure(runs, OURS, metric)
        if metric.kind == "cpu" and ours and ours.median > 0:
            found = [figure(runs, name, metric) for name in others]
            rows.append([metric.title, *(f"{f.median / ours.median:.2f}" if f else "-" for f in found)])
    return write_table([f"as a multiple of {OURS}", *others], rows) if rows and others else ""


def _targets(runs: Sequence[Run]) -> str:
    rows = [
        [
            METRIC[v.metric].title,
            _number(v.reached),
            _number(v.most),
            v.basis,
            f"{v.reached / v.most:.2f}",
            "met" if v.is_met else "MISSED",
        ]
        for v in verdicts(runs, OURS)
    ]
    return write_table(["target", OURS, "at most", "which is", "part used", "verdict"], rows) if rows else ""


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _remarks(runs: Sequence[Run], notes: Sequence[str]) -> str:
    lines = [f"- {note}" for note in notes]
    for run in runs:
        if run.failure:
            lines.append(f"- {run.system}, round {run.round + 1}: failed: {run.failure}")
        for name, outcome in run.outcomes.items():
            if outcome.void is not None:
                lines.append(f"- {run.system}, {name}, round {run.round + 1}: void: {outcome.void}")
    return "\n".join(lines)
