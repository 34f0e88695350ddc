"""Who is calling, and with which provider credential of its own.

SDKs put the gateway key into ``x-portkey-api-key``, ``Authorization`` or ``x-api-key``. What is not our key may be
the caller's credential for a provider. A value that served as gateway key never goes upstream.
Source: gateway protocol specification, section 2.1; SDK addendum, section 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from lockgate.core.secret import Secret
from lockgate.dataplane.headers import decode
from lockgate.errors import Unauthenticated
from lockgate.plan.keys import digest_of, is_well_formed
from lockgate.plan.snapshot import GatewayKey, Snapshot

_PLACEHOLDERS = frozenset({"", "OPENAI_API_KEY", "DUMMY-KEY", "dummy"})
"""What SDKs and examples put where they have nothing to say."""
_WRONG_KEY = "Portkey Error: Invalid API Key. Error Code: 03"


class Caller(Struct, frozen=True):
    """Who is calling. ``consumed`` names the headers that held a gateway key."""

    key: GatewayKey | None
    credential: Secret | None
    consumed: frozenset[bytes]


def authenticate(snapshot: Snapshot, headers: Mapping[bytes, bytes]) -> Caller:
    """Find the gateway key. Raises Unauthenticated when there is none that we know."""
    candidates = _candidates(headers)
    key: GatewayKey | None = None
    own: list[str] = []
    consumed: list[bytes] = []
    for name, text in candidates:
        found = _look_up(snapshot, text)
        if found is None and name == b"x-portkey-api-key":
            raise Unauthenticated(_WRONG_KEY, wire_code="03")
        if found is None:
            own.append(text)
            continue
        consumed.append(name)
        key = key or found
    if key is None and not snapshot.is_open:
        raise Unauthenticated(_WRONG_KEY, wire_code="03")
    credential = next((text for text in own if text not in _PLACEHOLDERS), None)
    return Caller(key, Secret(credential) if credential is not None else None, frozenset(consumed))


def _candidates(headers: Mapping[bytes, bytes]) -> list[tuple[bytes, str]]:
    found = []
    for name in (b"x-portkey-api-key", b"authorization", b"x-api-key"):
        value = headers.get(name)
        if value is None:
            continue
        text = decode(value).strip()
        if name == b"authorization":
            text = _token(text)
        if text:
            found.append((name, text))
    return found


def _token(authorization: str) -> str:
    """Return the token of ``Bearer`` or of no scheme at all; other schemes hold nothing that we could use."""
    scheme, space, token = authorization.partition(" ")
    if not space:
        return authorization
    return token.strip() if scheme.lower() == "bearer" else ""


def holds_key(snapshot: Snapshot, value: bytes) -> bool:
    """Tell whether a header's or a query's value is a gateway key, alone or after a scheme."""
    text = decode(value).strip()
    return any(_look_up(snapshot, part) is not None for part in (text, text.rpartition(" ")[2]) if part)


def _look_up(snapshot: Snapshot, text: str) -> GatewayKey | None:
    """Find a key by its digest. The look-up compares digests of secrets, so its time tells nothing about the key."""
    return snapshot.keys.get(digest_of(text)) if is_well_formed(text) else None
