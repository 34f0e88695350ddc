"""The key under which an answer is kept: everything that could have made it another answer, or another tenant's.

Two requests share a key only when tenant, credential, endpoint, body and partition agree. Bodies are compared by what
they say: the order of members and white space do not count, and neither does whether the answer was to be streamed.
Numbers count as they are written. Source: gateway protocol specification, section 4.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

import msgspec
from msgspec import Raw, Struct

from lockgate.core.metadata import TRACING_KEYS

VERSION = 1
"""Part of every key: a change of what a key is made of changes all keys."""

_UNCOUNTED = ("stream", "stream_options")
_MAX_REMEMBERED_BYTES = 8 * 1024
"""Of larger bodies it is not remembered what they say; of smaller ones it is, for who asks again asks the same."""


class CacheScope(Struct, frozen=True, kw_only=True):
    """All that makes a key beside the body."""

    organisation: str
    workspace: str
    operation: str
    method: str
    path: str
    """As received, in its normal form."""
    query: str = ""
    """As received; ``beta`` in it does not count."""
    provider: str
    """The id of the provider record, or the provider's name."""
    host: str
    """Scheme, host, port and base path that the request goes to."""
    credential: str
    """A hash of the credential, never the credential; for a record it may be empty."""
    namespace: str | None = None
    """``x-portkey-cache-namespace``: the partition, in place of metadata and headers."""
    metadata: Mapping[str, str] = {}
    """``x-portkey-metadata`` as the request brought it."""
    headers: tuple[tuple[str, str], ...] = ()
    """Forwarded headers, beta and version headers that go to the provider."""
    hooks: str = ""
    """A fingerprint of the checks that the answer passed."""
    is_strict: bool = True


def cache_key(scope: CacheScope, body: bytes) -> str | None:
    """Return the key of a shaped body, None for one that must not be cached: it can be read in more than one way."""
    said = _remembered(body) if len(body) <= _MAX_REMEMBERED_BYTES else canonical_body(body)
    if said is None:
        return None
    digest = sha256(_write([VERSION, _parts(scope)]))
    digest.update(b"\n")
    digest.update(said)
    return digest.hexdigest()


def canonical_body(body: bytes) -> bytes | None:
    """Return what a JSON object says, members sorted and without white space; None when a member comes twice.

    Providers differ in which of two members of one name they take, so an answer to such a body proves nothing.
    """
    try:
        said = _read_body.decode(body)
        canonical = _write(said)
    except (ValueError, RecursionError):
        return None
    if _has_twins(body, canonical):
        return None
    for name in _UNCOUNTED:
        if name in said:
            said = {key: value for key, value in said.items() if key not in _UNCOUNTED}
            return _write(said)
    return canonical


_remembered = lru_cache(maxsize=256)(canonical_body)


def _has_twins(body: bytes, canonical: bytes) -> bool:
    """Tell whether the canonical form lost members: those of which an object had a second one.

    Writing a body anew makes no token longer, so that without white space equal lengths mean that nothing was lost.
    """
    dense = msgspec.json.format(body, indent=-1)
    return len(dense) != len(canonical) and _members(dense) != _members(canonical)


def _members(text: bytes) -> int:
    """Count the members of all objects: there is one colon for each outside of strings."""
    outside = text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    return b"".join(outside).count(b":")


def _parts(scope: CacheScope) -> Sequence[object]:
    query = "&".join(sorted(part for part in scope.query.split("&") if part and part.partition("=")[0] != "beta"))
    if scope.namespace is not None:
        partition: object = {"namespace": scope.namespace}
    else:
        metadata = {key: value for key, value in scope.metadata.items() if key not in TRACING_KEYS}
        partition = {"metadata": metadata, "headers": sorted((name.lower(), value) for name, value in scope.headers)}
    return (
        scope.organisation,
        scope.workspace,
        scope.operation,
        scope.method,
        scope.path,
        query,
        scope.provider,
        scope.host,
        scope.credential,
        partition,
        scope.hooks,
        scope.is_strict,
    )


def _as_written(number: str) -> Raw:
    return Raw(number.encode())


_read_body = msgspec.json.Decoder(dict[str, object], float_hook=_as_written)
_write = msgspec.json.Encoder(order="sorted").encode
