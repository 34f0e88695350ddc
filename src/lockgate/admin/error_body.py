"""The one body of every refusal: a union that the Portkey, OpenAI and Anthropic SDKs all read.

It never holds a key, a credential or a header. Source: control-plane specification, section 0.5.
"""

from __future__ import annotations

import msgspec

from lockgate.errors import (
    Conflict,
    Forbidden,
    GatewayError,
    InvalidConfig,
    InvalidDocument,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    TooLarge,
    Unauthenticated,
)

_CODES: tuple[tuple[type[GatewayError], str], ...] = (
    (Unauthenticated, "AB05"),
    (Forbidden, "AB03"),
    (NotFound, "AB02"),
    (MethodNotAllowed, "AB02"),
    (PreconditionFailed, "AB07"),
    (Conflict, "AB07"),
    (TooLarge, "AB01"),
    (InvalidRequest, "AB01"),
)
_INTERNAL = "AB04"
_KINDS: tuple[tuple[type[GatewayError], str], ...] = ((Conflict, "conflict_error"),)
_encode = msgspec.json.Encoder().encode


def error_code(error: GatewayError) -> str:
    """Return the control plane's code of an error: ``AB01`` and so on."""
    own = error.wire_code
    if own is not None and own.startswith("AB"):
        return own
    return next((code for kind, code in _CODES if isinstance(error, kind)), _INTERNAL)


def write_error(error: GatewayError, request_id: str) -> bytes:
    """Return the body."""
    code = error_code(error)
    kind = next((name for cls, name in _KINDS if isinstance(error, cls)), error.kind)
    message = error.message
    body: dict[str, object] = {
        "status": "failure",
        "success": False,
        "type": "error",
        "message": message,
        "error": {"message": message, "type": kind, "code": code, "param": error.path},
        "data": {"message": message, "errorCode": code},
        "request_id": request_id,
    }
    if isinstance(error, InvalidConfig | InvalidDocument):
        body["errors"] = [str(fault) for fault in error.faults]
    return _encode(body)
