"""Saving configs, and their versions. Secrets in a config are stored as secrets; whoever may read it sees it whole."""

from __future__ import annotations

import msgspec
from sqlalchemy import func, select

from lockgate.config.routes import mask_secrets
from lockgate.core.secret import Secret
from lockgate.entities import Config, ConfigVersion
from lockgate.errors import Conflict, NotFound
from lockgate.store.filters import is_storable
from lockgate.store.reading import Reading
from lockgate.store.rows import read_version
from lockgate.store.tables import config_versions
from lockgate.store.transaction import Secrets, Transaction


def create_config(tx: Transaction, config: Config) -> Config:
    """Store a new config, whose ``text`` is whole. Raises as ``tx.insert`` does."""
    masked, secrets = _apart(config, 1)
    return tx.insert(masked, secrets=secrets)


def save_config(tx: Transaction, config: Config, *, expected_version: int | None = None) -> Config:
    """Store a changed config, whose ``text`` is whole, as a new version. What is the same makes none,
    and a masked text means the stored one.

    Raises as ``tx.update`` does.
    """
    old = tx.get(Config, config.id)
    if config.text in (old.text, _find_text(tx, old)):
        masked, secrets = msgspec.structs.replace(config, text=old.text, secret_field=old.secret_field), None
    else:
        masked, secrets = _apart(config, old.version + 1)
    return tx.update(masked, secrets=secrets, expected_version=expected_version)


def text_of(view: Reading, config: Config | ConfigVersion) -> str:
    """Return the whole text. Raises Conflict when its secrets were wiped."""
    found = _find_text(view, config)
    if found is None:
        raise Conflict("the credentials in this config were wiped when it was deleted; save it again with new ones")
    return found


def versions_of(view: Reading, config: Config, *, page: int = 0, size: int = 100) -> tuple[list[ConfigVersion], int]:
    """Return one page of a config's versions, the newest first, and how many there are."""
    query = select(config_versions).where(config_versions.c.config_id == config.id)
    total = view.connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    rows = view.connection.execute(query.order_by(config_versions.c.number.desc()).limit(size).offset(page * size))
    return [read_version(row) for row in rows], total


def version_of(view: Reading, config: Config, name: str) -> ConfigVersion:
    """Return the version of that number or id. Raises NotFound."""
    columns = config_versions.c
    is_number = name.isascii() and name.isdigit() and len(name) < 10  # what an integer column holds
    named = columns.number == int(name) if is_number else columns.id == name
    query = select(config_versions).where(columns.config_id == config.id, named)
    row = view.connection.execute(query).one_or_none() if is_storable(name) else None
    if row is None:
        raise NotFound(f"the config {config.slug!r} has no version {name[:64]!r}")
    return read_version(row)


def _find_text(view: Reading, config: Config | ConfigVersion) -> str | None:
    if config.secret_field is None:
        return config.text
    owner = config.id if isinstance(config, Config) else config.config_id
    found = view.vault.get(view.connection, owner).get((owner, config.secret_field))
    return found.reveal() if found is not None else None


def _apart(config: Config, number: int) -> tuple[Config, Secrets]:
    """Split a config with a whole text into what may be shown and what is stored as a secret."""
    masked = mask_secrets(config.text.encode()).decode()
    if masked == config.text:
        return msgspec.structs.replace(config, secret_field=None), {}
    field = f"text.{number}"
    return msgspec.structs.replace(config, text=masked, secret_field=field), {field: Secret(config.text)}
