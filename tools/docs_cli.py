"""docs/reference/cli.md, from the Typer app of lockgate.cli."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import typer.main

from lockgate.cli import cli
from tools.docstrings import cell, markdown

HEAD = """\
# Command line

`lockgate` is in the virtual environment that `make setup` creates: `.venv/bin/lockgate`. `make run ARGS="..."` passes
its arguments on to `lockgate up`.

| command | does |
|---|---|
"""

TYPES: dict[object, str] = {
    str: "TEXT",
    int: "NUMBER",
    float: "NUMBER",
    Path: "PATH",
    datetime: "TIME",
    list[str]: "TEXT",
    list[int]: "NUMBER",
}


def cli_page() -> str:
    """Return the page: a table of all commands, then a section for each."""
    found = list(commands())
    rows = ((name, f"#lockgate-{name.replace(' ', '-')}", cell(summary(command))) for name, command in found)
    table = "".join(f"| [`lockgate {name}`]({link}) | {about} |\n" for name, link, about in rows)
    return HEAD + table + "".join(section(name, command) for name, command in found)


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command that is not hidden, by its name, in the order of the source; of a group those in it."""
    group: Any = typer.main.get_command(cli)
    yield from _commands_of(group, "")


def _commands_of(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands_of(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def summary(command: Any) -> str:
    """Return the first sentence of a command's help."""
    return markdown(command.help or "").split("\n\n")[0]


def section(name: str, command: Any) -> str:
    """Return the section of one command: help, usage and its parameters."""
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    usage = " ".join(["lockgate", name, "[OPTIONS]" if options else "", *map(argument_usage, arguments)])
    lines = [f"\n## `lockgate {name}`\n\n{markdown(command.help or '')}\n\n```\n{' '.join(usage.split())}\n```\n"]
    if arguments or options:
        lines.append("\n| parameter | default | meaning |\n|---|---|---|\n")
        lines += [parameter_row(param) for param in (*arguments, *options)]
    return "".join(lines)


def argument_usage(param: Any) -> str:
    """Return an argument as the usage line shows it."""
    name = (param.metavar or param.name).upper().strip("[]")
    return name if param.required else f"[{name}]"


def parameter_row(param: Any) -> str:
    """Return the table row of one argument or option."""
    if param.param_type_name == "argument":
        name = f"`{argument_usage(param)}`"
    else:
        name = ", ".join(f"`{option}`" for option in (*param.opts, *param.secondary_opts))
        name += "" if param.is_flag else f" {(param.metavar or TYPES[param.type_descriptor.annotation])}"
    is_plain = param.default is None or param.default is False
    default = "required" if param.required else "-" if is_plain else f"`{param.default}`"
    variable = f" Environment: `{param.envvar}`." if isinstance(param.envvar, str) else ""
    return f"| {cell(name)} | {default} | {cell(markdown(param.help or ''))}{variable} |\n"
