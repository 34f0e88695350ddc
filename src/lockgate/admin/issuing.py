"""New gateway keys: their texts, what is kept of them, and which scopes somebody may give to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from difflib import get_close_matches

from lockgate.admin.principal import Principal
from lockgate.admin.scopes import CALLING, KNOWN, ORGANISATION, WORKSPACE, is_scope, normal_scope
from lockgate.entities import KeyKind, KeyText
from lockgate.entities.secret_fields import mask
from lockgate.errors import Forbidden, InvalidRequest
from lockgate.plan.keys import digest_of
from lockgate.store.api_keys import new_text

_MAX_SCOPES = 300
_MAX_SCOPE = 100


def issue(now: datetime) -> tuple[str, KeyText]:
    """Return a new key's text, to be shown once, and what is stored of it."""
    text = new_text().reveal()
    return text, KeyText(digest=digest_of(text).hex(), mask=mask(text), created_at=now)


def read_scopes(given: Sequence[str], kind: KeyKind, old: Sequence[str] = ()) -> tuple[str, ...]:
    """Return scopes in their normal form, each once. ``old`` are those that the key has, which may stay.

    Raises InvalidRequest for a scope that there is not, or that this kind of key cannot have.
    """
    if len(given) > _MAX_SCOPES or any(not scope.strip() or len(scope) > _MAX_SCOPE for scope in given):
        raise InvalidRequest(f"scopes: at most {_MAX_SCOPES} names of 1 to {_MAX_SCOPE} characters", path="scopes")
    scopes = tuple(dict.fromkeys(normal_scope(scope) for scope in given))
    unknown = next((scope for scope in scopes if scope not in old and not is_scope(scope)), None)
    if unknown is not None:
        near = get_close_matches(unknown, sorted(KNOWN), n=1)
        hint = f"did you mean {near[0]}?" if near else "the scopes are in the control-plane API's reference"
        raise InvalidRequest(f"scopes: there is no scope {unknown!r}; {hint}", path="scopes")
    possible = ORGANISATION if kind == "organisation-service" else WORKSPACE
    wrong = next((scope for scope in scopes if scope in KNOWN and scope not in possible), None)
    if wrong is not None:
        raise InvalidRequest(f"scopes: a key of kind {kind} cannot have {wrong}; leave it out", path="scopes")
    return scopes


def check_grant(principal: Principal, scopes: Iterable[str]) -> None:
    """Refuse to give a key what its maker may not do. Raises Forbidden.

    An organisation's key calls no models itself, and still makes the keys that do.
    """
    own = principal.scopes | CALLING if principal.is_organisations else principal.scopes
    beyond = sorted(scope for scope in scopes if scope in KNOWN and scope not in own)
    if beyond:
        raise Forbidden(
            f"The key cannot give what it lacks itself: {', '.join(beyond[:5])}", path="scopes", wire_code="AB03"
        )
