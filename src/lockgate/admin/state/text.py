"""The document as text: YAML, JSON or TOML, in and out. Numbers are taken as they are written, never through a float.

YAML is read without its guesses: a time is a text, as in JSON, and the typed reading decides.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec
import yaml
from msgspec import structs

from lockgate.admin.state.document import StateDocument, plain
from lockgate.admin.times import write_time
from lockgate.config.converting import Flaw, convert_all, structs_in
from lockgate.config.lines import find_json_line, find_line
from lockgate.errors import InvalidDocument, InvalidRequest, PlacedFault

Format: TypeAlias = Literal["yaml", "json", "toml"]
Keys: TypeAlias = tuple[str, ...]

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class _Loader(yaml.SafeLoader):
    """YAML's safe loader without times, and with exact numbers."""


class _Dumper(yaml.SafeDumper):
    """YAML's safe dumper that writes numbers as they are."""


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    text = str(node.value).replace("_", "")
    return Decimal(text) if text.lower().lstrip("+-") not in (".inf", ".nan") else text


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Dumper.add_representer(
    Decimal, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", _plain_number(value))
)


def read_state(text: str, format: Format) -> StateDocument:
    """Read a document. Raises InvalidRequest for what is no text of the format, InvalidDocument for other faults."""
    try:
        value = _parse(text, format)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise InvalidRequest(f"not valid YAML: {getattr(error, 'problem', None) or 'unreadable'}{where}") from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidRequest(f"not valid JSON: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"not valid TOML: {error}") from None
    return state_of(value, line_finder(text, format))


def line_finder(text: str, format: Format) -> Callable[[Keys], int]:
    """Return what says in which line of a text something stands."""
    return lambda keys: _LINES[format](text, keys)


def find_yaml_line(text: str, keys: tuple[str, ...]) -> int:
    """Return the 1-based line of the longest part of ``keys`` that a YAML text holds; items of lists have numbers."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return 1
    line = 1
    for key in keys:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if str(pair[0].value) == key), None)
        elif isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
            found = (node.value[int(key)],) * 2
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


_LINES: Mapping[Format, Callable[[str, Keys], int]] = {
    "yaml": find_yaml_line,
    "json": find_json_line,
    "toml": find_line,
}


def _parse(text: str, format: Format) -> object:
    if format == "yaml":
        return yaml.load(text, _Loader)  # noqa: S506  # a safe loader with fewer guesses
    return _decode(text) if format == "json" else tomllib.loads(text, parse_float=Decimal)


def state_of(value: object, line_of: Callable[[Keys], int | None] = lambda keys: None) -> StateDocument:
    """Return the document that plain values make up. Raises InvalidDocument with all that is wrong.

    ``line_of`` says in which line of the text something stands.
    """
    exact = _exact(value if value is not None else {})
    flaws: list[Flaw] = []
    if isinstance(exact, dict):
        # part for part and entry for entry, so that one fault hides no other
        for name, kind in _ENTRIES.items():
            for i, entry in enumerate(exact[name] if isinstance(exact.get(name), list) else ()):
                at = (name, str(i))
                flaws += [Flaw((*at, *flaw.keys), flaw.what) for flaw in convert_all(entry, kind, strict=False).flaws]
        rest = {name: part for name, part in exact.items() if name not in _ENTRIES or not isinstance(part, list)}
        flaws += convert_all(rest, StateDocument, strict=False).flaws
    else:
        flaws += convert_all(exact, StateDocument, strict=False).flaws
    if flaws:
        raise InvalidDocument([PlacedFault(path_of(flaw.keys), flaw.what, line_of(flaw.keys)) for flaw in flaws])
    return msgspec.convert(exact, StateDocument, strict=False)


def keys_of(path: str) -> Keys:
    """Return the keys and numbers of a path."""
    return tuple(_KEY.findall(path))


def path_of(keys: Keys) -> str:
    """Return keys and numbers of items as a path."""
    steps = "".join(f"[{key}]" if key.isdigit() else f".{key}" for key in keys)
    return steps.removeprefix(".") or "the body"


def write_state(document: StateDocument, format: Format) -> str:
    """Return the document's text; a part that is empty is written, so that nobody takes it for forgotten."""
    value = {"version": document.version} | {
        name: part for name in _PARTS if (part := plain_part(document, name)) is not None
    }
    if format == "json":
        return msgspec.json.format(_encode(value), indent=2).decode() + "\n"
    if format == "toml":
        raise InvalidRequest("format: a state is written as yaml or json; toml can be read", path="format")
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


_PARTS = tuple(name for name in StateDocument.__struct_fields__ if name != "version")
_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ENTRIES = {field.name: next(structs_in(field.type)) for field in structs.fields(StateDocument) if field.name in _PARTS}


def plain_part(document: StateDocument, name: str) -> Any:
    """Return one part as it is written, None for one that is not there."""
    return _writable(plain(getattr(document, name)))


def _exact(value: Any) -> Any:
    """Return plain values with exact numbers, and times as text."""
    if isinstance(value, dict):
        return {str(name): _exact(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_exact(part) for part in value]
    if isinstance(value, float):
        return Decimal(repr(value))
    return value.isoformat() if isinstance(value, datetime | date) else value


def _writable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _writable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_writable(part) for part in value]
    return write_time(value) if isinstance(value, datetime) else value


def _plain_number(value: Decimal) -> str:
    text = f"{value:f}"
    return text if "." in text else f"{text}.0"
