"""Which names a document's entries speak of, and which of them nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from lockgate.admin.state.document import (
    StateConfig,
    StateDocument,
    StateIntegration,
    StateKey,
    StateProvider,
    StateRatePolicy,
    StateSecretReference,
    StateUsagePolicy,
    StateWorkspace,
)
from lockgate.config.converting import Flaw, nearest
from lockgate.entities import Config, Entity, Integration, ProviderRecord, SecretReference, Workspace
from lockgate.plan.snapshot import Snapshot
from lockgate.store.reading import Reading

Names: TypeAlias = Mapping[str, frozenset[str]]
"""What there is, by part of the document."""

_NOUNS = {
    "workspaces": "workspace",
    "secret_references": "secret reference",
    "integrations": "integration",
    "providers": "provider",
    "configs": "config",
}
_KINDS: Mapping[str, type[Entity]] = {
    "workspaces": Workspace,
    "secret_references": SecretReference,
    "integrations": Integration,
    "providers": ProviderRecord,
    "configs": Config,
}


def names_of(view: Reading, document: StateDocument, snapshot: Snapshot) -> Names:
    """Return the slugs and ids of everything that is stored, declared in a file, or in the document."""
    known: dict[str, set[str]] = {}
    for part, kind in _KINDS.items():
        stored: Any = view.all(kind)
        known[part] = {name for one in stored for name in (one.slug, one.id)}
        known[part] |= {entry.slug for entry in getattr(document, part) or ()}
    known["providers"] |= snapshot.targets.keys() | snapshot.raw_targets.keys()
    known["configs"] |= snapshot.workspaces[snapshot.default_workspace].configs.keys()
    return {part: frozenset(names) for part, names in known.items()}


def unknown_names(entry: Any, known: Names) -> list[Flaw]:
    """Return where an entry names something that nobody knows, with what may have been meant."""
    return [
        Flaw(keys, f"there is no {_NOUNS[part]} {name!r}{nearest(name, _shown(known[part]))}")
        for keys, part, name in _references(entry)
        if name is not None and name.partition("@")[0] not in known[part]
    ]


def names_in(entry: Struct) -> set[str]:
    """Return everything in an entry that may be the name of another one."""
    return {name for text in _texts(msgspec.to_builtins(entry)) for name in (text, text.removeprefix("@"))} - {
        getattr(entry, "slug", None),
        getattr(entry, "name", None),
    }


def _shown(names: frozenset[str]) -> set[str]:
    """Return the names that people use: ids tell them nothing."""
    return {name for name in names if not _is_id(name)}


def _is_id(name: str) -> bool:
    return len(name) == len("01a22492-f892-7001-9d66-4f27fef28785") and name.count("-") == 4


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _references(entry: Any) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
    """Yield where an entry names what."""
    match entry:
        case StateWorkspace():
            yield ("defaults", "config_id"), "configs", entry.defaults.config_id
        case StateSecretReference():
            for i, name in enumerate(entry.allowed_workspaces or ()):
                yield ("allowed_workspaces", str(i)), "workspaces", name
        case StateIntegration():
            yield ("workspace",), "workspaces", entry.workspace
            for i, access in enumerate(entry.workspaces):
                yield ("workspaces", str(i), "workspace"), "workspaces", access.workspace
            for i, mapping in enumerate(entry.secret_mappings):
                where = ("secret_mappings", str(i), "secret_reference_id")
                yield where, "secret_references", mapping.secret_reference_id
        case StateProvider():
            yield ("workspace",), "workspaces", entry.workspace
            yield ("integration",), "integrations", entry.integration
        case StateKey():
            yield ("workspace",), "workspaces", entry.workspace
            yield ("defaults", "config_id"), "configs", entry.defaults.config_id
            for i, name in enumerate(entry.providers):
                yield ("providers", str(i)), "providers", name.removeprefix("@")
        case StateConfig() | StateUsagePolicy() | StateRatePolicy():
            yield ("workspace",), "workspaces", entry.workspace
        case _:
            pass
