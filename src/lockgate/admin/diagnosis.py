"""What a test call to a provider shows, in plain words: what is wrong, and what to do about it.

Judged by status, structured codes and the kinds of errors, never by the words of a message. Nothing here repeats a
secret: where a provider's own words hold a part of one, they are left out.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable

from msgspec import Struct

from lockgate.core.secret import Secret
from lockgate.errors import Broken, GatewayError, InvalidRequest, Malformed, Rejected, TimedOut, Unreachable

_MAX_WORDS = 300
_TELLING = 8
"""So many characters of a secret in a row would tell something of it."""
_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_PHASES = {
    "pool": "no connection became free in time",
    "connect": "the connection could not be opened in time; a firewall may drop it, or the address is wrong",
    "tls": "the TLS handshake did not end in time",
    "write": "the provider did not take the request in time",
    "first_byte": "the provider took the request and did not answer in time",
    "idle": "the answer stopped in the middle",
    "total": "the whole call took too long",
}


class Diagnosis(Struct, frozen=True, kw_only=True):
    """One finding."""

    code: str
    """Stable, for programs."""
    message: str
    provider_message: str | None = None
    """The provider's own words, when it had any and they may be shown."""


def of_status(status: int, rejected: Rejected | None, model: str | None) -> Diagnosis:
    """Return what an answer's status says. ``model`` is the one that was called, None when models were listed."""
    code, message = _judge(status, rejected, model)
    return Diagnosis(code=code, message=message, provider_message=rejected.message if rejected is not None else None)


def _judge(status: int, rejected: Rejected | None, model: str | None) -> tuple[str, str]:
    kind, wire_code = (rejected.kind, rejected.wire_code) if rejected is not None else ("", None)
    if 200 <= status < 300:
        return "ok", "The provider accepts the credential."
    if status == 402 or kind == "billing_error" or wire_code in _QUOTA:
        return "quota", f"The credential is right, but its account has no credit or quota left ({status}): add some."
    if status == 401:
        return "wrong_key", "The provider refuses the credential (401): it is wrong, revoked, or of another service."
    if status == 403:
        return (
            "forbidden",
            "The provider knows the credential and forbids this (403): look at its permissions, its account's region "
            "and the addresses that it may be used from.",
        )
    if status in (404, 405) and model is not None:
        return "no_model", f"The provider answers, but has no model {model!r} for this credential ({status})."
    if status in (404, 405):
        return "wrong_host", f"There is no such API at this address ({status}): look at custom_host and its path."
    if status == 429:
        return "rate_limited", "The credential is right, but its rate or quota is used up (429): wait, or raise it."
    if 300 <= status < 400:
        return "wrong_host", f"The address leads elsewhere ({status}), which is not followed: look at custom_host."
    if status >= 500:
        return "provider_down", f"The provider has trouble of its own ({status}): try again later."
    return "refused", f"The provider refuses the test call ({status})."


def of_error(error: GatewayError) -> Diagnosis:
    """Return what a call that got no answer says."""
    match error:
        case Unreachable():
            return _of_unreachable(error)
        case TimedOut():
            return Diagnosis(code="timeout", message=f"Timed out: {_PHASES.get(error.phase, error.message)}.")
        case InvalidRequest():
            return Diagnosis(
                code="blocked_host",
                message=f"The gateway may not call this host: {error.message}. If it is a host of yours, list it in "
                "server.trusted_custom_hosts of the configuration file.",
            )
        case Broken():
            return Diagnosis(code="broken", message="The connection broke before the answer was complete.")
        case Malformed():
            return Diagnosis(
                code="wrong_host",
                message="Something answers at this address, but not as this API does: look at custom_host.",
            )
        case _:
            return Diagnosis(code="configuration", message=f"The integration cannot be used as it is: {error.message}.")


def _of_unreachable(error: Unreachable) -> Diagnosis:
    cause = error.__cause__
    if isinstance(cause, socket.gaierror | UnicodeError):
        return Diagnosis(
            code="dns", message="The host name cannot be resolved: look at its spelling, and at the gateway's DNS."
        )
    if isinstance(cause, ConnectionRefusedError):
        return Diagnosis(
            code="connection_refused", message="Nothing listens at this address and port: look at custom_host."
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Diagnosis(
            code="tls",
            message="The host's TLS certificate cannot be verified: it has expired, is for another name, or is signed "
            "by an authority that the gateway's machine does not trust.",
        )
    if isinstance(cause, ssl.SSLError):
        return Diagnosis(
            code="tls", message="The TLS handshake fails: the host may speak plain http, or only an old version of TLS."
        )
    return Diagnosis(code="unreachable", message=f"The provider cannot be reached: {error.message}.")


def shown_words(text: str | None, secrets: Iterable[Secret]) -> str | None:
    """Return a provider's words as far as they may be shown: short, and without any part of a secret."""
    if not text:
        return None
    for secret in secrets:
        hidden = secret.reveal()
        pieces = (hidden[i : i + _TELLING] for i in range(max(1, len(hidden) - _TELLING + 1)))
        if any(piece and piece in text for piece in pieces):
            return "(not shown: it repeats a part of the credential)"
    return text if len(text) <= _MAX_WORDS else text[:_MAX_WORDS] + "..."
