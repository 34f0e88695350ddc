"""How the OpenAI API words a refusal, and the body it puts it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lockgate.simulator.directives import Fault
from lockgate.simulator.shapes import ShapeError, Tag

_FAILURES: Mapping[int, tuple[str, str, str | None]] = {
    400: ("Simulated failure", "invalid_request_error", None),
    401: ("Incorrect API key provided: ***.", "invalid_request_error", "invalid_api_key"),
    403: ("You are not allowed to do this.", "invalid_request_error", "unsupported_country_region_territory"),
    404: ("The requested resource does not exist.", "invalid_request_error", "model_not_found"),
    408: ("Request timed out.", "server_error", "request_timeout"),
    409: ("Conflict", "invalid_request_error", None),
    413: ("Request body is too large.", "invalid_request_error", None),
    422: ("Unprocessable entity", "invalid_request_error", None),
    429: ("Rate limit reached for requests.", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request. Sorry about that!", "server_error", None),
    502: ("Bad gateway.", "server_error", None),
    503: ("The engine is currently overloaded, please try again later.", "server_error", "overloaded"),
    504: ("Gateway timeout.", "server_error", None),
}
_TYPE_NAMES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a decimal",
    "boolean": "a boolean",
    "list": "an array of objects",
    "mapping": "an object",
    "object": "an object",
}
_BOUND_NAMES = {"integer": "integer", "number": "decimal"}


class ApiError(Exception):
    """The API refuses the request."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.param = param
        self.code = code


def write_error(error: ApiError) -> bytes:
    """Return the error body."""
    return msgspec.json.encode({"error": _inner(error)})


def _inner(error: ApiError) -> dict[str, Any]:
    return {"message": error.message, "type": error.type, "param": error.param, "code": error.code}


def from_fault(fault: Fault) -> ApiError:
    """Return the error that a fault asks for."""
    status = fault.status or 500
    message, type, code = _FAILURES.get(status, ("Simulated failure", "server_error", None))
    return ApiError(
        fault.message or message,
        status=status,
        type=fault.error_type or type,
        code=fault.error_code or code,
    )


def write_stream_error(fault: Fault) -> bytes:
    """Return the event of a stream that fails after its 200."""
    error = ApiError(fault.message or _FAILURES[500][0], type=fault.stream_error, code=fault.error_code or None)
    return b"data: " + write_error(error) + b"\n\n"


def write_path(path: Sequence[str | int]) -> str:
    """Return ``messages[0].content[1].type``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif not isinstance(step, Tag):
            text += f".{step}" if text else step
    return text


def from_shape(error: ShapeError) -> ApiError:
    """Return the refusal of a request that has the wrong shape."""
    path = list(error.path)
    if error.kind == "tag":
        path.append(error.facts["key"])
    where = write_path(path)
    facts = error.facts
    match error.kind:
        case "missing" if where == "model":
            return ApiError("you must provide a model parameter")
        case "missing":
            return ApiError(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
        case "extra" if len(path) == 1:
            return ApiError(f"Unrecognized request argument supplied: {where}")
        case "extra":
            return ApiError(f"Unknown parameter: '{where}'.", param=where, code="unknown_parameter")
        case "type":
            return _word_type(where, facts)
        case "choice" | "tag":
            listed = _list_choices(facts["choices"])
            message = f"Invalid value: {_show(facts['value'])}. Supported values are: {listed}."
            return ApiError(message, param=where, code="invalid_value")
        case _:
            return _word_bound(error.kind, where, facts)


def _word_type(where: str, facts: Mapping[str, Any]) -> ApiError:
    expected = " or ".join(_TYPE_NAMES.get(name, name) for name in facts["expected"].split(" or "))
    message = f"Invalid type for '{where}': expected {expected}, but got {_name_type(facts['value'])} instead."
    return ApiError(message, param=where, code="invalid_type")


def _word_bound(kind: str, where: str, facts: Mapping[str, Any]) -> ApiError:
    value = facts["value"]
    match kind:
        case "below" | "above":
            name = _BOUND_NAMES[facts["expected"]]
            side, sign, bound = ("below minimum", ">=", facts.get("least")) if kind == "below" else (
                "above maximum", "<=", facts.get("most"),
            )  # fmt: skip
            what = f"{name} {side} value. Expected a value {sign} {bound}, but got {value} instead."
            code = f"{name}_{'below_min' if kind == 'below' else 'above_max'}_value"
        case "too_few" if not value:
            what = (
                f"empty array. Expected an array with minimum length {facts['least']}, but got an empty array instead."
            )
            code = "empty_array"
        case "too_few" | "too_many":
            side, word = ("short", "minimum") if kind == "too_few" else ("long", "maximum")
            bound = facts.get("least") or facts.get("most")
            what = (
                f"array too {side}. Expected an array with {word} length {bound}, "
                f"but got an array with length {len(value)} instead."
            )
            code = f"array_{'below_min' if kind == 'too_few' else 'above_max'}_length"
        case "too_short" | "too_long":
            side, word = ("short", "minimum") if kind == "too_short" else ("long", "maximum")
            bound = facts.get("least") or facts.get("most")
            what = (
                f"string too {side}. Expected a string with {word} length {bound}, "
                f"but got a string with length {len(value)} instead."
            )
            code = f"string_{'below_min' if kind == 'too_short' else 'above_max'}_length"
        case _:
            what = f"string does not match pattern. Expected a string that matches the pattern '{facts['pattern']}'."
            code = "invalid_value"
    return ApiError(f"Invalid '{where}': {what}", param=where, code=code)


def _list_choices(choices: Sequence[str]) -> str:
    quoted = [f"'{choice}'" for choice in choices]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def _show(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else _name_type(value)


def _name_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
