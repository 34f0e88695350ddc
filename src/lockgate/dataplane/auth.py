"""Who is calling, and with which provider credential of its own.

SDKs put the gateway key into ``x-portkey-api-key``, ``Authorization`` or ``x-api-key``. What is not our key may be
the caller's credential for a provider. A value that served as gateway key never goes upstream.
Source: gateway protocol specification, section 2.1; SDK addendum, section 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from lockgate.core.secret import Secret
from lockgate.dataplane.headers import decode
from lockgate.errors import Forbidden, Unauthenticated
from lockgate.plan.keys import PREFIX, digest_of, is_well_formed
from lockgate.plan.snapshot import GatewayKey, Snapshot

_PLACEHOLDERS = frozenset({"", "OPENAI_API_KEY", "DUMMY-KEY", "dummy"})
"""What SDKs and examples put where they have nothing to say."""
_WRONG_KEY = "Portkey Error: Invalid API Key. Error Code: 03"
"""What SDKs and those who wrote programs for Portkey know; what to do follows it."""
_HOW = "The first start of the gateway shows a key, and `lockgate keys create NAME` makes one"
_UNKNOWN = (
    f"{_WRONG_KEY}. This gateway does not know the key: it is mistyped, was deleted, or belongs elsewhere. {_HOW}"
)
_DAMAGED = f"{_WRONG_KEY}. The key begins as one of this gateway does, but is damaged or cut off: copy it again, whole"
_MISSING = (
    f"{_WRONG_KEY}. No key of this gateway was sent: send one in x-portkey-api-key, as Authorization: Bearer, or in "
    f"x-api-key. {_HOW}"
)
_CLOSED = f"{_WRONG_KEY}. The key %s: ask whoever manages this gateway, or use another key"
_EXPIRED = (
    "Portkey Error: The API key has expired. Error Code: 03. Give it a later end or a new text: "
    "PUT /v1/api-keys/{id}, or POST /v1/api-keys/{id}/rotate"
)


class Caller(Struct, frozen=True, gc=False):
    """Who is calling. ``consumed`` names the headers that held a gateway key."""

    key: GatewayKey | None
    credential: Secret | None
    consumed: frozenset[bytes]


def authenticate(snapshot: Snapshot, headers: Mapping[bytes, bytes], now: float) -> Caller:
    """Find the gateway key. Raises Unauthenticated when there is none that we know, or when it has expired.

    ``now`` is in seconds since 1970: each look-up compares it, so that an expired key dies at its second.
    """
    candidates = _candidates(snapshot, headers)
    key: GatewayKey | None = None
    own: list[str] = []
    consumed: list[bytes] = []
    for name, text in candidates:
        found = _look_up(snapshot, text)
        if found is None and name == b"x-portkey-api-key":
            raise _refusal(snapshot, [text])
        if found is None:
            if not text.startswith(PREFIX) and not (snapshot.closed and digest_of(text) in snapshot.closed):
                # what looks like a key of ours, such as a revoked one, is nobody else's credential
                own.append(text)
            continue
        consumed.append(name)
        key = key or found
    if key is None and not snapshot.is_open:
        raise _refusal(snapshot, [text for _, text in candidates if text not in _PLACEHOLDERS])
    if key is not None and key.expires_at is not None and key.expires_at <= now:
        raise Unauthenticated(_EXPIRED, wire_code="03")
    credential = next((text for text in own if text not in _PLACEHOLDERS), None)
    return Caller(key, Secret(credential) if credential is not None else None, frozenset(consumed))


def _refusal(snapshot: Snapshot, sent: Sequence[str]) -> Unauthenticated:
    """Return the refusal of texts that are no keys, which says what to do and nothing of the texts."""
    if not sent:
        return Unauthenticated(_MISSING, wire_code="03")
    for text in sent:
        why = snapshot.closed.get(digest_of(text)) if is_well_formed(text) else None
        if why is not None:
            return Unauthenticated(_CLOSED % why, wire_code="03")
    damaged = any(text.startswith(PREFIX) and not is_well_formed(text) for text in sent)
    return Unauthenticated(_DAMAGED if damaged else _UNKNOWN, wire_code="03")


def check_scope(key: GatewayKey | None, *scopes: str) -> None:
    """Raise Forbidden for a key that has none of the scopes, or that manages and does not call models."""
    if key is None:
        return
    if key.kind == "organisation-service" and "models.list" not in scopes:
        raise Forbidden(
            f"The key {key.name} manages the organisation and cannot call models; use a workspace's key",
            wire_code="AB03",
        )
    if key.scopes.isdisjoint(scopes):
        raise Forbidden(f"The key {key.name} lacks the scope {scopes[0]}", wire_code="AB03")


def check_manages(key: GatewayKey | None) -> None:
    """Raise Forbidden unless the key manages the organisation, or nobody needs a key at all."""
    if key is not None and key.kind != "organisation-service":
        raise Forbidden(
            f"The key {key.name} belongs to one workspace; this shows all of them and needs a key of the organisation",
            wire_code="AB03",
        )


def _candidates(snapshot: Snapshot, headers: Mapping[bytes, bytes]) -> list[tuple[bytes, str]]:
    found = []
    for name in (b"x-portkey-api-key", b"authorization", b"x-api-key"):
        value = headers.get(name)
        if value is None:
            continue
        read = _token if name == b"authorization" else str.strip
        tokens = [read(decode(value))]
        if b"," in value and _look_up(snapshot, tokens[0]) is None:
            # A header that came several times was joined by commas; a key among them is a key all the same.
            tokens = [read(text) for text in decode(value).split(",")]
        found += [(name, token) for token in tokens if token]
    return found


def _token(authorization: str) -> str:
    """Return the token of ``Bearer`` or of no scheme at all; other schemes hold nothing that we could use."""
    authorization = authorization.strip()
    scheme, space, token = authorization.partition(" ")
    if not space:
        return authorization
    return token.strip() if scheme.lower() == "bearer" else ""


def holds_key(snapshot: Snapshot, value: bytes) -> bool:
    """Tell whether a header's or a query's value is a gateway key, alone, after a scheme or among others."""
    text = decode(value).strip()
    parts = [text, *text.replace(",", " ").split()]
    return any(part.startswith(PREFIX) or _is_ours(snapshot, part) for part in parts if part)


def _is_ours(snapshot: Snapshot, text: str) -> bool:
    """Tell whether a text is a key that we know, also one that does not open."""
    digest = digest_of(text)
    return digest in snapshot.keys or digest in snapshot.closed


def _look_up(snapshot: Snapshot, text: str) -> GatewayKey | None:
    """Find a key by its digest. The look-up compares digests of secrets, so its time tells nothing about the key."""
    return snapshot.keys.get(digest_of(text)) if is_well_formed(text) else None
