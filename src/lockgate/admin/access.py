"""Who may call an endpoint: the kinds of keys, and the scopes of which a key needs one.

Every endpoint declares its access; there is no default. Source: control-plane specification, sections 5.1 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, assert_never

from msgspec import Struct

from lockgate.errors import Forbidden
from lockgate.plan.snapshot import KeyKind

KeyClass: TypeAlias = Literal["organisation", "service", "user"]


class Access(Struct, frozen=True, kw_only=True):
    """Scopes for each kind of key, of which one is enough; a kind without any may not call."""

    organisation: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    is_any_key: bool = False
    """Every key may call, whatever its scopes."""
    is_public: bool = False
    """Callers without a key may call too."""


PUBLIC = Access(is_public=True)
ANY_KEY = Access(is_any_key=True)


def needs(*scopes: str, keys: Iterable[KeyClass] = ("organisation", "service", "user")) -> Access:
    """Return the access of keys of these kinds that have one of the scopes."""
    if not scopes:
        raise ValueError("an endpoint needs a scope, or ANY_KEY, or PUBLIC")
    kinds = set(keys)
    return Access(
        organisation=scopes if "organisation" in kinds else (),
        service=scopes if "service" in kinds else (),
        user=scopes if "user" in kinds else (),
    )


def scopes_for(access: Access, kind: KeyKind) -> tuple[str, ...]:
    """Return the scopes of which a key of this kind needs one."""
    match kind:
        case "organisation-service":
            return access.organisation
        case "workspace-service":
            return access.service
        case "workspace-user":
            return access.user
        case _:
            assert_never(kind)


def check_access(access: Access, kind: KeyKind, scopes: frozenset[str]) -> None:
    """Raise Forbidden, naming what is missing, unless a key of this kind with these scopes may call."""
    if access.is_public or access.is_any_key:
        return
    wanted = scopes_for(access, kind)
    if not wanted:
        raise Forbidden(f"A key of kind {kind} may not do this; {_who_may(access)}", wire_code="AB03")
    if scopes.isdisjoint(wanted):
        raise missing_scope(wanted)


def missing_scope(wanted: Iterable[str]) -> Forbidden:
    """Return the refusal of a key that has none of the scopes."""
    names = " or ".join(wanted)
    return Forbidden(f"The key lacks the scope {names}; use a key that has it", wire_code="AB03")


def _who_may(access: Access) -> str:
    kinds = [
        name
        for name, scopes in (
            ("organisation-service", access.organisation),
            ("workspace-service", access.service),
            ("workspace-user", access.user),
        )
        if scopes
    ]
    return f"use a key of kind {' or '.join(kinds)}"
