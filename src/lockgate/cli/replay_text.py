"""What a replay came to, beside what is stored: a table of values, then how the answers differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lockgate.cli.log_cells import cell, one_line, shown_moment
from lockgate.cli.log_json import json_of
from lockgate.core.plain_text import printable
from lockgate.records.comparing import Side
from lockgate.records.query.fields import Field, find_field
from lockgate.records.row import Row

if TYPE_CHECKING:
    from lockgate.app.replaying import Answered
    from lockgate.records.replay import Again

_MOST_LINES = 60
_NUMBERS = frozenset({"money", "time"})


def report(row: Row, sent: str, stored: Side, found: Sequence[Answered], diffs: Sequence[Sequence[str]]) -> str:
    """Return the report as text."""
    lines = [f"{row.id} of {shown_moment(row.started_us)} UTC, sent again: {sent}", ""]
    sides = [answered.side for answered in found]
    lines += _table(stored, sides)
    missing = [answered.record_id for answered in found if answered.row is None]
    if missing:
        lines += ["", f"Tokens and cost of {', '.join(missing)} are not known: no such record is in this state folder."]
    for number, (answered, diff) in enumerate(zip(found, diffs, strict=True), 1):
        lines += ["", *_answer(number if len(found) > 1 else 0, answered, diff)]
    return "\n".join(lines)


def report_json(
    row: Row, again: Again, stored: Side, found: Sequence[Answered], diffs: Sequence[Sequence[str]]
) -> Mapping[str, object]:
    """Return the report for programs."""
    return {
        "replay_of": row.id,
        "is_exact": again.is_exact,
        "body_bytes": len(again.body),
        "stored": _side_json(stored),
        "replays": [
            {"id": answered.record_id, "has_record": answered.row is not None, **_side_json(answered.side),
             "same_answer": not diff, "answer_diff": diff}
            for answered, diff in zip(found, diffs, strict=True)
        ],
    }  # fmt: skip


def _side_json(side: Side) -> Mapping[str, object]:
    return {**side.values, "events": side.events, "answer": json_of(side.answer)}


def _table(stored: Side, sides: Sequence[Side]) -> Iterator[str]:
    heads = ["", "stored", *(["replay"] if len(sides) == 1 else [f"replay {n}" for n in range(1, len(sides) + 1)])]
    rows = [heads, *_rows(stored, sides)]
    widths = [max(len(row[number]) for row in rows) for number in range(len(heads))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _rows(stored: Side, sides: Sequence[Side]) -> Iterator[list[str]]:
    for name, value in stored.values.items():
        field = find_field(name)
        assert field is not None
        others = [side.values[name] for side in sides]
        if value or any(others):
            shown = name.removesuffix("_us").removesuffix("_nano").removesuffix("_code")
            yield [shown, _cell(field, value), *(_beside(field, value, other) for other in others)]
    kinds = dict.fromkeys(kind for side in (stored, *sides) for kind in side.events)
    if kinds:
        totals = [sum(side.events.values()) for side in (stored, *sides)]
        yield ["events", str(totals[0]), *(_change(total, totals[0]) for total in totals[1:])]
    for kind in kinds:
        count = stored.events.get(kind, 0)
        changes = [_change(side.events.get(kind, 0), count) for side in sides]
        yield [one_line(f"  {kind}"), str(count), *changes]


def _beside(field: Field, stored: object, value: object) -> str:
    text = _cell(field, value)
    if isinstance(stored, int) and isinstance(value, int) and stored != value and field.column != "status_code":
        if field.unit in _NUMBERS:
            return f"{text} ({(value - stored) / stored:+.0%})" if stored else text
        return _change(value, stored)
    return text if stored == value or value is None else f"{text} (!)"


def _change(value: int, stored: int) -> str:
    return str(value) if value == stored else f"{value} ({value - stored:+d})"


def _cell(field: Field, value: object) -> str:
    return one_line(cell(field, value)) or "-"


def _answer(number: int, answered: Answered, diff: Sequence[str]) -> Iterator[str]:
    name = f"answer {number}" if number else "answer"
    if not diff:
        yield f"{name} ({answered.record_id}): the same"
        return
    yield f"{name} ({answered.record_id}):"
    yield from ("  " + printable(line, instead="�", keep="\t") for line in diff[:_MOST_LINES])
    if len(diff) > _MOST_LINES:
        yield f"  ... and {len(diff) - _MOST_LINES} lines more; see all of them with --json"
