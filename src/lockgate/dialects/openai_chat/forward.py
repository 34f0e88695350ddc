"""The byte path of chat completions: the client's bytes with the model spliced."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.core.body import Peek, model_name, splice_model
from lockgate.core.chat import Call
from lockgate.dialects import Written

_PASSED = (b"openai-organization", b"openai-project", b"openai-beta")


def forward(body: bytes, seen: Peek, model: str | None, client: Mapping[bytes, bytes]) -> Written:
    """Prepare a chat body for a provider that speaks chat completions."""
    if model is not None and model_name(seen) != model:
        body = splice_model(body, seen, model)
    return Written(body=body, headers=client_headers(client))


def client_headers(client: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return organization, project and beta of a client's headers, with or without Portkey's prefix."""
    found = ((name, client.get(name) or client.get(b"x-portkey-" + name)) for name in _PASSED)
    return tuple((name, value) for name, value in found if value)


def with_headers(call: Call, client: Mapping[bytes, bytes]) -> Call:
    """Return the call as it is: no header of a client changes what a chat body says."""
    return call
