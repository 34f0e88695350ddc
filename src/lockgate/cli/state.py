"""``lockgate export`` and ``lockgate apply``: all there is as one file under version control."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lockgate.cli.desk import desk, show_json
from lockgate.cli.options import ConfigOption, JsonOption, give_up

_FORMATS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
_SIGNS = {"create": "+", "update": "~", "delete": "-"}
_MOST_SHOWN = 70
_AT_LINE = re.compile(r"^line (\d+): ", re.MULTILINE)
"""How the API says where in the text a fault is."""


def export(
    config: ConfigOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; its ending says YAML or JSON.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON rather than YAML.")] = False,
) -> None:
    """Write workspaces, providers, models, configs, policies and keys as one document, without secrets."""
    format = "yaml" if output is None else _FORMATS.get(output.suffix.lower())
    if format not in ("yaml", "json") and not json:
        give_up(f"{output}: the name must end in .yaml, .yml or .json; TOML is read by lockgate apply, not written")
    is_json = json or format == "json"
    with desk(config) as at:
        if is_json:
            from lockgate.admin.state.text import state_of, write_state

            found = at.do("GET", "/admin/state/export")
            parts = {name: part for name, part in found.items() if name not in ("text", "object")}
            text = write_state(state_of(parts), "json")
        else:
            text = at.do("GET", "/admin/state/export", format="yaml")["text"]
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        give_up(f"cannot write {output}: {error.strerror}")
    typer.echo(f"{output} is written.", err=True)


def apply(
    file: Annotated[Path, typer.Argument(help="A YAML, JSON or TOML file; - reads YAML from the input.")],
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would change.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what a part of the document does not name.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --prune: also what others name.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a document so: all of it, or nothing. A second time changes nothing.

    Everything that is wrong with it is told at once, with file and line, before anything is changed.
    """
    text, format = _read(file)
    body = {"text": text, "format": format, "prune": prune, "force_delete": force}
    with desk(config) as at, _working("Trying" if dry_run else "Applying"):
        reply = at.ask("POST", f"/admin/state/{'plan' if dry_run else 'apply'}", body)
    if not reply.is_done:
        give_up(_AT_LINE.sub(lambda found: f"{_name_of(file)}:{found[1]}: ", reply.body["message"]))
    found = reply.body
    if json:
        show_json(found)
        return
    for line in lines_of(found):
        typer.echo(line)


def lines_of(found: dict[str, Any]) -> list[str]:
    """Return what changed, or would, one line for each thing and one for each of its fields."""
    lines = []
    for step in found["steps"]:
        lines.append(f"{_SIGNS[step['action']]} {step['part']} {step['name']}")
        if step["action"] == "update":
            lines += [
                f"    {name}: {_short(change['before'])} -> {_short(change['after'])}"
                for name, change in step["changes"].items()
            ]
    for key in found["keys"]:
        lines.append(f"  the text of key {key['name']!r}, shown this once: {key['key']}")
    lines += [f"warning: {each}" for each in found.get("warnings", ())]
    count = len(found["steps"])
    done = f"{count} change{'s' if count != 1 else ''}{' made' if found['applied'] else ' to make'}"
    lines.append(f"{done}." if count else "Nothing to change.")
    return lines


def _read(file: Path) -> tuple[str, str]:
    if str(file) == "-":
        return sys.stdin.read(), "yaml"
    format = _FORMATS.get(file.suffix.lower())
    if format is None:
        give_up(f"{file}: the name must end in .yaml, .yml, .json or .toml")
    try:
        return file.read_text("utf-8"), format
    except OSError as error:
        give_up(f"cannot read {file}: {error.strerror}")
    except UnicodeDecodeError:
        give_up(f"{file} is not UTF-8 text")


def _name_of(file: Path) -> str:
    return "the input" if str(file) == "-" else str(file)


def _short(value: object) -> str:
    import msgspec

    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


def _working(what: str) -> Any:
    """Show on a terminal that something is going on."""
    from rich.console import Console

    return Console(stderr=True).status(f"{what} ...")
