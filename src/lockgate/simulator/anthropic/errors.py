"""How the Anthropic API words a refusal, and the body it puts it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lockgate.simulator.directives import Fault
from lockgate.simulator.shapes import ShapeError

ERROR_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_MESSAGES: Mapping[int, str] = {
    401: "invalid x-api-key",
    402: "Your credit balance is too low to access the Anthropic API.",
    403: "Your API key does not have permission to use the specified resource.",
    404: "Not Found",
    408: "Request timed out",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your organization's rate limit.",
    500: "Internal server error",
    504: "Request timed out",
    529: "Overloaded",
}
_TYPE_NAMES = {
    "string": "a valid string",
    "integer": "a valid integer",
    "number": "a valid number",
    "boolean": "a valid boolean",
    "list": "a valid list",
    "mapping": "a valid dictionary",
    "object": "a valid dictionary or object to extract fields from",
}


class ApiError(Exception):
    """The API refuses the request."""

    def __init__(
        self, message: str, *, status: int = 400, type: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type or ERROR_TYPES[status]
        self.details = details


def type_for(status: int) -> str:
    """Return the error type that belongs to a status."""
    return ERROR_TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


def write_error(error: ApiError, request_id: str) -> bytes:
    """Return the error body."""
    inner: dict[str, Any] = {"type": error.type, "message": error.message}
    if error.details is not None:
        inner["details"] = error.details
    return msgspec.json.encode({"type": "error", "error": inner, "request_id": request_id})


def from_fault(fault: Fault) -> ApiError:
    """Return the error that a fault asks for."""
    status = fault.status or 500
    details = {"error_code": fault.error_code} if fault.error_code else None
    if fault.error_code == "thread_unsupported_request":
        details = {"error_code": fault.error_code, "unsupported": []}  # type: ignore[dict-item]
    return ApiError(
        fault.message or _MESSAGES.get(status, "Simulated failure"),
        status=status,
        type=fault.error_type or type_for(status),
        details=details,
    )


def write_stream_error(fault: Fault, request_id: str) -> bytes:
    """Return the ``error`` event of a stream that fails after its 200."""
    status = next((status for status, type in ERROR_TYPES.items() if type == fault.stream_error), 500)
    inner = {
        "details": {"error_code": fault.error_code} if fault.error_code else None,
        "type": fault.stream_error,
        "message": fault.message or _MESSAGES.get(status, "Internal server error"),
    }
    data = msgspec.json.encode({"type": "error", "error": inner, "request_id": request_id})
    return b"event: error\ndata: " + data + b"\n\n"


def from_shape(error: ShapeError) -> ApiError:
    """Return the refusal of a request that has the wrong shape."""
    path = list(error.path)
    if error.kind == "tag":
        return ApiError(_word_tag(path, error.facts))
    return ApiError(f"{write_path(path)}: {_word(error.kind, error.facts)}" if path else _word(error.kind, error.facts))


def write_path(path: Sequence[str | int]) -> str:
    """Return ``messages.0.content.1.text``."""
    return ".".join(str(step) for step in path)


def _word_tag(path: list[str | int], facts: Mapping[str, Any]) -> str:
    key, value, choices = facts["key"], facts["value"], facts["choices"]
    if key == "role":
        return (
            f'messages: Unexpected role "{value}". Allowed roles are "user" or "assistant". '
            "The Messages API accepts a top-level `system` parameter."
        )
    if len(choices) == 1:
        return f"{write_path([*path, key])}: Input should be {_quote(choices)}"
    listed = ", ".join(f"'{choice}'" for choice in choices)
    return (
        f"{write_path(path)}: Input tag '{value}' found using '{key}' does not match any of the expected tags: {listed}"
    )


def _word(kind: str, facts: Mapping[str, Any]) -> str:
    match kind:
        case "missing":
            return "Field required"
        case "extra":
            return "Extra inputs are not permitted"
        case "type":
            expected = facts["expected"]
            return f"Input should be {_TYPE_NAMES.get(expected, expected)}"
        case "choice":
            return f"Input should be {_quote(facts['choices'])}"
        case "below":
            return f"Input should be greater than or equal to {facts['least']}"
        case "above":
            return f"Input should be less than or equal to {facts['most']}"
        case "too_short":
            return f"String should have at least {_count(facts['least'], 'character')}"
        case "too_long":
            return f"String should have at most {_count(facts['most'], 'character')}"
        case "pattern":
            return f"String should match pattern '{facts['pattern']}'"
        case "too_few":
            least, found = _count(facts["least"], "item"), len(facts["value"])
            return f"List should have at least {least} after validation, not {found}"
        case "too_many":
            most, found = _count(facts["most"], "item"), len(facts["value"])
            return f"List should have at most {most} after validation, not {found}"
        case _:
            return "Input is not valid"


def _quote(choices: Sequence[str]) -> str:
    quoted = [f"'{choice}'" for choice in choices]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
