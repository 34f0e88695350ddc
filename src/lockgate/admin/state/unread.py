"""References of a document to secrets that cannot be read here: told, not refused, as the gateway may run elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lockgate.admin.state.document import StateDocument, StateIntegration
from lockgate.errors import ConfigError
from lockgate.store.secrets import SecretReader

_REFERENCES = ("env:", "file:")


def unread_references(document: StateDocument, environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each reference of the document that leads to no secret in this environment."""
    read = SecretReader(environment, Path("/"))
    found = []
    for where, reference in _references(document):
        try:
            read(reference)
        except ConfigError as error:
            found.append(f"{where}: {error.message}; without it requests fail where the gateway runs")
    return found


def _references(document: StateDocument) -> Iterator[tuple[str, str]]:
    for integration in document.integrations or ():
        yield from _of_integration(integration)
    for reference in document.secret_references or ():
        if reference.manager_type in ("env", "file"):
            where = f"secret_references {reference.slug}.secret_path"
            yield where, f"{reference.manager_type}:{reference.secret_path}"


def _of_integration(integration: StateIntegration) -> Iterator[tuple[str, str]]:
    where = f"integrations {integration.slug}"
    if integration.key is not None:
        yield f"{where}.key", integration.key
    settings = [(f"{where}.configurations", integration.configurations)]
    settings += [(f"{where}.models {each.slug}.configurations", each.configurations) for each in integration.models]
    for place, given in settings:
        for name, value in given.items():
            if isinstance(value, str) and value.startswith(_REFERENCES):
                yield f"{place}.{name}", value
