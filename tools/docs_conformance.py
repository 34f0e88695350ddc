"""docs/reference/conformance.md, from the rows of tests/conformance: each cell leads to the test that shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.conformance.documented import missing
from tests.conformance.rows import ROWS
from tests.conformance.table import MODES, ROUTES, SECTIONS, VERDICTS, Expect, Row

TESTS = "../../tests/conformance/test_conformance.py"
GAP = "🔴"
UNTESTED = "❌"
SIGNS = {"carried": "✅", "translated": "🔁", "used": "⚙️", "dropped": "🏷️", "hidden": "▫️", "refused": "⛔", "none": "–"}

HEAD = """\
# Conformance

What becomes of each documented request field, content block, tool type, stream event, stop reason and beta flag, by
route and for whole and streamed answers. *Chat* is `/v1/chat/completions` answered by Claude, strict or not (see
[headers](headers.md)); *messages* is `/v1/messages` answered by Claude; *adapter* is `/v1/messages` answered by a
provider of OpenAI's format. Each sign leads to the test that shows it: the part behind `#` is its id, as in
`pytest "tests/conformance/test_conformance.py::test_each_cell[ID]"`.

Every name in the types of the official Anthropic and OpenAI Python SDKs has a row. A name without one appears here as
{untested}, and `make check` fails.
"""


def conformance_page() -> str:
    """Return the page: legend, counts, what is missing, then a table for each section."""
    head = HEAD.format(untested=UNTESTED)
    return head + legend() + gaps() + "".join(section(kind) for kind in SECTIONS)


def untested() -> list[str]:
    """Return what the SDKs know and no row shows, for the gate."""
    return [f"{SECTIONS[kind]}: {name} has no row in tests/conformance" for kind, name in missing()]


def cells() -> Iterator[tuple[Row, str, str, Expect]]:
    """Yield every cell with its row, route and mode."""
    for row in ROWS:
        for route in ROUTES:
            for mode in MODES:
                yield row, route, mode, row.cell(route, mode)


def legend() -> str:
    """Return the meaning of the signs and how often each occurs."""
    counts = Counter("gap" if expect.gap else expect.verdict for *_, expect in cells())
    lines = ["\n| sign | meaning | cells |\n|---|---|---|\n"]
    lines += [f"| {SIGNS[verdict]} | {meaning} | {counts[verdict]} |\n" for verdict, meaning in VERDICTS.items()]
    red = "not as it should be yet: its test is expected to fail, and the build fails once it passes"
    lines.append(f"| {GAP} | {red} | {counts['gap']} |\n")
    lines.append(f"| {UNTESTED} | documented, and no test shows it | {len(missing()) * len(ROUTES) * len(MODES)} |\n")
    tested = sum(counts.values()) - counts["none"]
    return "".join(lines) + f"\n{len(ROWS)} rows, {tested} cells with a test each.\n"


def gaps() -> str:
    """Return the list of what is not as it should be."""
    found = dict.fromkeys((row.name, ROUTES[route], expect.gap) for row, route, _, expect in cells() if expect.gap)
    if not found:
        return ""
    lines = [f"- `{name}`, {route}: {reason}.\n" for name, route, reason in found]
    return f"\n## Gaps\n\n{''.join(lines)}"


def section(kind: str) -> str:
    """Return the table of one section."""
    titles = " | ".join(f"{title}, {mode}" for title in ROUTES.values() for mode in MODES)
    lines = [f"\n## {SECTIONS[kind]}\n\n| | {titles} |\n|---|{'---|' * len(ROUTES) * len(MODES)}\n"]
    lines += [line(row) for row in ROWS if row.section == kind]
    red = f" {UNTESTED} |" * len(ROUTES) * len(MODES)
    lines += [f"| `{name}` |{red}\n" for found, name in missing() if found == kind]
    return "".join(lines)


def line(row: Row) -> str:
    """Return the table row of one item."""
    shown = " | ".join(cell(row, route, mode) for route in ROUTES for mode in MODES)
    return f"| `{row.name}` | {shown} |\n"


def cell(row: Row, route: str, mode: str) -> str:
    """Return one cell: its sign, the test behind it, and a few words once per route."""
    expect = row.cell(route, mode)
    if expect.verdict == "none":
        return SIGNS["none"]
    sign = GAP if expect.gap else SIGNS[expect.verdict]
    other = row.cell(route, MODES[0])
    note = f" {expect.note}" if expect.note and (mode == MODES[0] or other is not expect) else ""
    return f"[{sign}]({TESTS}#{row.cell_id(route, mode)}){note}"
