"""The document as text: YAML, JSON or TOML, in and out. Numbers are taken as they are written, never through a float.

YAML is read without its guesses: a time is a text, as in JSON, and the typed reading decides.
"""

from __future__ import annotations

import tomllib
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec
import yaml

from lockgate.admin.refusals import refusal_of
from lockgate.admin.state.document import StateDocument, plain
from lockgate.admin.times import write_time
from lockgate.errors import InvalidRequest

Format: TypeAlias = Literal["yaml", "json", "toml"]

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
    """Read a document. Raises InvalidRequest that says where the fault is."""
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
    return state_of(value)


def _parse(text: str, format: Format) -> object:
    if format == "yaml":
        return yaml.load(text, _Loader)  # noqa: S506  # a safe loader with fewer guesses
    return _decode(text) if format == "json" else tomllib.loads(text, parse_float=Decimal)


def state_of(value: object) -> StateDocument:
    """Return the document that plain values make up. Raises InvalidRequest."""
    try:
        return msgspec.convert(_exact(value if value is not None else {}), StateDocument, strict=False)
    except msgspec.ValidationError as error:
        raise refusal_of(error, StateDocument) from None


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
