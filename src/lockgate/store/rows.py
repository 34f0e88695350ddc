"""From an entity to its row and back. Nothing is lost on the way: what has no column is in the document."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Raw
from sqlalchemy import Row

from lockgate.entities import Config, ConfigVersion, Entity
from lockgate.errors import ConfigError, InvalidRequest
from lockgate.store.filters import is_storable
from lockgate.store.kinds import COMMON, Kind

E = TypeVar("E", bound=Entity)

_encoder = msgspec.json.Encoder()
_fields = msgspec.json.Decoder(dict[str, Raw])


def write_row(kind: Kind[E], entity: E) -> dict[str, object]:
    """Return the values of an entity's columns. Raises InvalidRequest for text that no database can hold."""
    names = (*COMMON, *kind.columns)
    row: dict[str, object] = {name: getattr(entity, name) for name in names}
    row |= {name: make(entity) for name, make in kind.computed.items()}
    for name, value in row.items():
        _check_text(name, value)
    try:
        fields = _fields.decode(_encoder.encode(entity))
    except UnicodeEncodeError:
        raise InvalidRequest("a text is not valid Unicode: it holds half of a surrogate pair") from None
    for name in names:
        del fields[name]
    row["document"] = _encoder.encode(fields).decode()
    return row


def read_row(kind: Kind[E], row: Row[Any]) -> E:
    """Return the entity of a row. Raises ConfigError when the document cannot be read."""
    values = row._mapping
    columns = {name: Raw(_encoder.encode(values[name])) for name in (*COMMON, *kind.columns)}
    try:
        fields = _fields.decode(values["document"]) | columns
        return msgspec.json.decode(_encoder.encode(fields), type=kind.type)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"the stored {kind.noun} {values['id']} cannot be read: {error}") from None


def read_version(row: Row[Any]) -> ConfigVersion:
    """Return the version of a config."""
    return ConfigVersion(**{name: row._mapping[name] for name in ConfigVersion.__struct_fields__})


def write_version(config: Config) -> dict[str, object]:
    """Return the columns of the version that a write of a config makes."""
    return {
        "id": config.version_id,
        "config_id": config.id,
        "number": config.version,
        "name": config.name,
        "text": config.text,
        "secret_field": config.secret_field,
        "created_at": config.updated_at,
        "created_by": config.updated_by,
    }


def _check_text(name: str, value: object) -> None:
    if isinstance(value, str) and not is_storable(value):
        raise InvalidRequest("the text holds a character that cannot be stored", path=name)
