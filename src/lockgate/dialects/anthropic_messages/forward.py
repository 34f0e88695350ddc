"""The byte path of Messages: the client's bytes with the model spliced, and what has to be a header as a header.

Body members ``betas``, ``anthropic_beta`` and ``anthropic_version`` are header values at the first party and an
unknown field in its body. What else may change is in ``native_body``. Source: Anthropic integration specification,
sections 0.3, 0.4 and 5.1; addendum of November 2026, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw, structs

from lockgate.core.body import Peek, model_name, remove_members, splice_model
from lockgate.core.chat import Call
from lockgate.core.json_text import write_json
from lockgate.core.native import ID_HEADERS, split_flags
from lockgate.core.seals import IsForeign
from lockgate.dialects import Added, Written
from lockgate.dialects.anthropic_messages.native_body import adjust
from lockgate.errors import InvalidRequest

DEFAULT_VERSION = b"2023-06-01"
"""For clients that name no version: it accepts a superset of what later versions accept."""

_WITHOUT_SAMPLING = b"2026-10-21"
"""The first version that refuses sampling parameters."""
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_MEMBERS = frozenset({"betas", "anthropic_beta", "anthropic_version"})
_OTHER_FAMILIES = (b"bedrock-", b"vertex-")
"""How versions begin that only other hosts of Claude know."""
_read_beta = msgspec.json.Decoder(str | list[str] | None).decode
_read_version = msgspec.json.Decoder(str | None).decode


def forward(
    body: bytes,
    seen: Peek,
    model: str | None,
    client: Mapping[bytes, bytes],
    added: Added | None = None,
    is_foreign: IsForeign | None = None,
) -> Written:
    """Prepare a Messages body for a provider that speaks Messages. Raises InvalidRequest for unusable betas."""
    betas = [
        *header_betas(client),
        *body_betas("anthropic_beta", seen.anthropic_beta),
        *body_betas("betas", seen.betas),
    ]
    version = header_version(client) or _first_party(_body_version(seen.anthropic_version)) or DEFAULT_VERSION
    if model is not None and model_name(seen) != model:
        body = splice_model(body, seen, model)
    body, adjusted = adjust(body, seen, betas, is_foreign)
    if bytes(seen.betas) or bytes(seen.anthropic_beta) or bytes(seen.anthropic_version):
        body = remove_members(body, _MEMBERS)
    if added is not None and version >= _WITHOUT_SAMPLING:
        body, version, adjusted = _with_sampling(body, version, adjusted, added)
    return Written(body=body, headers=_headers(version, betas, client), adjusted=adjusted)


def _with_sampling(
    body: bytes, version: bytes, adjusted: tuple[str, ...], added: Added
) -> tuple[bytes, bytes, tuple[str, ...]]:
    """Let a config's sampling parameters work for a client of a version that refuses them.

    A model that samples is asked in the older version; for one that does not, the parameters are left out: an
    operator's setting must not break every new client.
    """
    names = [name for name in added.fields if name in _SAMPLING]
    if not names:
        return body, version, adjusted
    if added.facts.sampling == "none":
        left_out = tuple(f"{name}: left out, the model does not sample" for name in names)
        return remove_members(body, frozenset(names)), version, (*adjusted, *left_out)
    shown = DEFAULT_VERSION.decode()
    return body, DEFAULT_VERSION, (*adjusted, f"anthropic-version: {shown}, for {names[0]} of the config")


def client_headers(client: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return version, betas and ids of a client's headers."""
    return _headers(header_version(client) or DEFAULT_VERSION, header_betas(client), client)


def header_version(client: Mapping[bytes, bytes]) -> bytes | None:
    """Return the API version that the client's headers name, None when it is one of another host's.

    What the client names is sent as it is, also when it is newer than anything we know: its errors are the right
    answers. A configuration that adds sampling parameters to a request will have to lower it here.
    """
    named = client.get(b"x-portkey-anthropic-version"), client.get(b"anthropic-version")
    return _first_party(named[0]) or _first_party(named[1])


def _first_party(version: bytes | None) -> bytes | None:
    """Return a version that the first party can know, None for one of another host's."""
    return None if version is None or version.startswith(_OTHER_FAMILIES) else version


def header_betas(client: Mapping[bytes, bytes]) -> list[str]:
    """Return the beta flags of the client's headers, in order."""
    values = (client.get(b"anthropic-beta"), client.get(b"x-portkey-anthropic-beta"))
    return [flag for value in values if value for flag in split_flags(value.decode("latin-1"))]


def join_flags(flags: Iterable[str]) -> bytes:
    """Join flags in their first order, each once."""
    return ",".join(dict.fromkeys(flags)).encode("latin-1", "replace")


def _headers(version: bytes, betas: list[str], client: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    headers = [(b"anthropic-version", version)]
    if betas:
        headers.append((b"anthropic-beta", join_flags(betas)))
    headers += [(name, client[name]) for name in ID_HEADERS.values() if name in client]
    return tuple(headers)


def request_headers(betas: list[str], client: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return version, betas and ids for a request whose flags are known."""
    return _headers(header_version(client) or DEFAULT_VERSION, betas, client)


def body_betas(name: str, raw: Raw) -> list[str]:
    """Return the flags that a member of a body holds. Raises InvalidRequest for what is no text or list of texts."""
    data = bytes(raw)
    if not data:
        return []
    try:
        value = _read_beta(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidRequest(f"{name}: expected a string or a list of strings", path=name) from None
    items = [value] if isinstance(value, str) else value or []
    return [flag for item in items for flag in split_flags(item)]


def _body_version(raw: Raw) -> bytes | None:
    data = bytes(raw)
    if not data:
        return None
    try:
        value = _read_version(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidRequest("anthropic_version: expected a string", path="anthropic_version") from None
    return value.encode("latin-1", "replace") if value else None


def with_headers(call: Call, client: Mapping[bytes, bytes]) -> Call:
    """Return the call with what the client's headers name: API version, ids, and betas after those of its body."""
    version = header_version(client)
    if version is not None:
        call = structs.replace(call, api_version=version.decode("latin-1"))
    betas = header_betas(client)
    if betas:
        call = structs.replace(call, betas=tuple(dict.fromkeys((*call.betas, *betas))))
    ids = {name: client[header] for name, header in ID_HEADERS.items() if header in client}
    if ids:
        found = {name: Raw(write_json(value.decode("latin-1"))) for name, value in ids.items()}
        call = structs.replace(call, native={**call.native, **found})
    return call
