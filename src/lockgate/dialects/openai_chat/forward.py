"""The byte path of chat completions: the client's bytes with the model spliced, and usage asked for in streams.

A stream tells what it used only when it is asked to, and without that nobody would pay for it.
Source: OpenAI API reference, "Create chat completion", ``stream_options``; control-plane specification, section 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from lockgate.core.body import Peek, model_name, peek, splice_model
from lockgate.core.chat import Call
from lockgate.core.json_edit import Edit, read_members
from lockgate.core.native import ID_HEADERS
from lockgate.dialects import Added, Written

_ASKED = b'{"include_usage":true}'
_RENAMED = "max_tokens: sent as max_completion_tokens"
_PASSED = (b"openai-organization", b"openai-project", b"openai-beta")


def forward(
    body: bytes, seen: Peek, model: str | None, client: Mapping[bytes, bytes], added: Added | None = None
) -> Written:
    """Prepare a chat body for a provider that speaks chat completions."""
    adjusted: tuple[str, ...] = ()
    if added is not None and _says_old_limit(seen, added):
        # the client wrote for another model: it cannot know what the one that the config names refuses
        body, adjusted = _rename_limit(body), (_RENAMED,)
        seen = peek(body)
    if model is not None and model_name(seen) != model:
        body = splice_model(body, seen, model)
    options = seen.stream_options
    hides_usage = seen.is_stream and not (options is not None and options.include_usage)
    if hides_usage:
        body = _ask_usage(body, seen)
    return Written(
        body=body,
        headers=client_headers(client),
        dropped=_foreign_ids(client),
        adjusted=adjusted,
        hides_usage=hides_usage,
    )


def _says_old_limit(seen: Peek, added: Added) -> bool:
    """Whether a config has changed the model of a call whose limit OpenAI's newer models refuse by its name."""
    if added.provider != "openai" or "model" not in added.fields or "max_tokens" in added.fields:
        return False
    return seen.max_tokens is not None and seen.max_completion_tokens is None


def _rename_limit(body: bytes) -> bytes:
    """Write ``max_tokens`` as ``max_completion_tokens``, which all of OpenAI's models take."""
    edit = Edit(body)
    for member in read_members(body):
        if member.key == "max_tokens":
            edit.replace(member.start, member.key_end, b'"max_completion_tokens"')
    return edit.apply()


def _ask_usage(body: bytes, seen: Peek) -> bytes:
    """Set ``stream_options.include_usage``; every other byte stays."""
    if seen.stream_options is None and b'"stream_options"' not in body:
        # at the end: of two members with one name, the last one counts
        return _append(body, len(body), b'"stream_options":' + _ASKED)
    found = [member for member in read_members(body) if member.key == "stream_options"][-1]
    if body[found.value : found.value + 1] != b"{":  # null
        return body[: found.value] + _ASKED + body[found.end :]
    inner = [member for member in read_members(body, found.value) if member.key == "include_usage"]
    if not inner:
        return _append(body, found.end, b'"include_usage":true')
    return body[: inner[-1].value] + b"true" + body[inner[-1].end :]


def _append(body: bytes, end: int, member: bytes) -> bytes:
    """Put a member behind those of the object that ends at ``end``."""
    at = body.rindex(b"}", 0, end)
    comma = b"" if body[:at].rstrip().endswith(b"{") else b","
    return b"".join((body[:at], comma, member, body[at:]))


def client_headers(client: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return organization, project and beta of a client's headers, with or without Portkey's prefix."""
    found = ((name, client.get(name) or client.get(b"x-portkey-" + name)) for name in _PASSED)
    return tuple((name, value) for name, value in found if value)


def with_headers(call: Call, client: Mapping[bytes, bytes]) -> Call:
    """Return the call with the names of the headers that only Anthropic would obey; no other changes what it says."""
    foreign = _foreign_ids(client)
    return structs.replace(call, unknown=(*call.unknown, *foreign)) if foreign else call


def _foreign_ids(client: Mapping[bytes, bytes]) -> tuple[str, ...]:
    return tuple(name for name, header in ID_HEADERS.items() if header in client)
