"""Rules of a chat completion request beyond its shape. Raises :class:`ApiError` for what the real API refuses."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lockgate.simulator.json_schema import OPENAI_SUBSET, SchemaFault, check_schema, check_subset
from lockgate.simulator.openai.errors import ApiError
from lockgate.simulator.openai.models import Model

Body = Mapping[str, Any]

_REASONING_DEFAULTS: Mapping[str, float] = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
}
_NOT_WHEN_REASONING = ("logprobs", "top_logprobs", "logit_bias", "prediction")
_IMAGE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"RIFF")


def check_request(body: Body, model: Model) -> None:
    """Refuse what the model or the parameters' combination does not allow."""
    _check_lengths(body, model)
    _check_pairs(body)
    _check_reasoning(body, model)
    _check_model_switches(body, model)
    _check_tools(body)
    _check_tool_choice(body)
    _check_response_format(body, model)
    check_messages(body["messages"])


# --- parameters ---------------------------------------------------------------------------------------------------


def _check_lengths(body: Body, model: Model) -> None:
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise ApiError(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            param="max_tokens",
            code="invalid_parameter_combination",
        )
    if body.get("max_tokens") is not None and model.efforts:
        raise ApiError(
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        )
    for name in ("max_tokens", "max_completion_tokens"):
        value = body.get(name)
        if value is not None and value > model.max_output_tokens:
            raise ApiError(
                f"{name} is too large: {value}. This model supports at most {model.max_output_tokens} completion "
                f"tokens, whereas you provided {value}.",
                param=name,
                code="invalid_value",
            )


def _check_pairs(body: Body) -> None:
    """Parameters that only make sense beside another."""
    if body.get("stream_options") is not None and not body.get("stream"):
        raise ApiError(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise ApiError("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", param="top_logprobs")
    if body.get("metadata") and not body.get("store"):
        raise ApiError("The 'metadata' parameter is only allowed when 'store' is enabled.", param="metadata")
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in body and not body.get("tools"):
            raise ApiError(
                f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", param=name
            )
    if "function_call" in body and not body.get("functions"):
        raise ApiError(
            "Invalid value for 'function_call': 'function_call' is only allowed when 'functions' are specified.",
            param="function_call",
        )


def _check_reasoning(body: Body, model: Model) -> None:
    effort = body.get("reasoning_effort")
    if not model.efforts:
        if effort is not None:
            raise ApiError("Unrecognized request argument supplied: reasoning_effort")
        return
    if effort is not None and effort not in model.efforts:
        raise _unsupported_value("reasoning_effort", effort, model.efforts)
    if (effort or model.default_effort) == "none":
        return
    for name, default in _REASONING_DEFAULTS.items():
        if body.get(name) is not None and body[name] != default:
            raise ApiError(
                f"Unsupported value: '{name}' does not support {body[name]} with this model. "
                f"Only the default ({default}) value is supported.",
                param=name,
                code="unsupported_value",
            )
    for name in _NOT_WHEN_REASONING:
        if body.get(name):
            raise _unsupported(name)


def _check_model_switches(body: Body, model: Model) -> None:
    if body.get("stop") and not model.has_stop:
        raise _unsupported("stop")
    if "parallel_tool_calls" in body and not model.has_parallel_switch:
        raise _unsupported("parallel_tool_calls")
    if body.get("verbosity") not in (None, "medium") and not model.has_verbosity:
        raise _unsupported_value("verbosity", body["verbosity"], ("medium",))
    if "web_search_options" in body and not model.is_search:
        raise ApiError("Unknown parameter: 'web_search_options'.", param="web_search_options", code="unknown_parameter")
    if "audio" in (body.get("modalities") or ()):
        raise ApiError("This model does not support the requested modalities: audio.", param="modalities")


def _unsupported(name: str) -> ApiError:
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    return ApiError(message, param=name, code="unsupported_parameter")


def _unsupported_value(name: str, value: str, choices: Sequence[str]) -> ApiError:
    listed = ", ".join(f"'{choice}'" for choice in choices)
    message = f"Unsupported value: '{name}' does not support '{value}' with this model. Supported values are: {listed}."
    return ApiError(message, param=name, code="unsupported_value")


# --- tools and response format ------------------------------------------------------------------------------------


def tool_names(body: Body) -> list[str]:
    """Return the names of the offered tools."""
    return [tool[tool["type"]]["name"] for tool in body.get("tools", ())]


def _check_tools(body: Body) -> None:
    for index, tool in enumerate(body.get("tools", ())):
        if tool["type"] == "function":
            _check_function(tool["function"], f"tools[{index}].function.parameters")
    for index, function in enumerate(body.get("functions", ())):
        _check_function(function, f"functions[{index}].parameters")


def _check_function(function: Mapping[str, Any], param: str) -> None:
    schema = function.get("parameters")
    if schema:
        what = f"Invalid schema for function '{function['name']}'"
        _check_root(schema, what, param, "invalid_function_parameters", is_strict=bool(function.get("strict")))


def _check_root(schema: Mapping[str, Any], what: str, param: str, code: str, *, is_strict: bool) -> None:
    if schema.get("type") != "object":
        raise ApiError(
            f"{what}: schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'.",
            param=param,
            code=code,
        )
    try:
        check_schema(schema)
        if is_strict:
            check_subset(schema, OPENAI_SUBSET)
    except SchemaFault as fault:
        raise ApiError(f"{what}: In context={fault.path!r}, {_word_schema(fault)}", param=param, code=code) from fault


def _word_schema(fault: SchemaFault) -> str:
    match fault.kind:
        case "open":
            return "'additionalProperties' is required to be supplied and to be false."
        case "optional":
            return (
                "'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{fault.facts['name']}'."
            )
        case "keyword":
            return f"'{fault.facts['word']}' is not permitted."
        case "format":
            return f"'{fault.facts['value']}' is not a valid format."
        case "reference":
            return f"reference '{fault.facts['value']}' can't be resolved."
        case _:
            return "schema is not valid under any of the given schemas."


def _check_tool_choice(body: Body) -> None:
    choice = body.get("tool_choice")
    if isinstance(choice, str) or choice is None:
        return
    if choice["type"] == "allowed_tools":
        wanted = [tool.get(tool.get("type", ""), {}).get("name") for tool in choice["allowed_tools"]["tools"]]
    else:
        wanted = [choice[choice["type"]]["name"]]
    if any(name not in tool_names(body) for name in wanted):
        raise ApiError(
            "Invalid value for 'tool_choice': Tool choice not found in 'tools' parameter.", param="tool_choice"
        )


def _check_response_format(body: Body, model: Model) -> None:
    wanted = body.get("response_format") or {"type": "text"}
    if wanted["type"] == "json_object" and not _mentions_json(body["messages"]):
        raise ApiError(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        )
    if wanted["type"] != "json_schema":
        return
    if not model.has_json_schema:
        raise ApiError(
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
            param="response_format",
        )
    given = wanted["json_schema"]
    if given.get("schema") is None:
        where = "response_format.json_schema.schema"
        raise ApiError(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    what = f"Invalid schema for response_format '{given['name']}'"
    _check_root(given["schema"], what, "response_format", "invalid_json_schema", is_strict=bool(given.get("strict")))


def _mentions_json(messages: Sequence[Any]) -> bool:
    return any("json" in text.lower() for message in messages for text in texts_of(message))


def texts_of(message: Mapping[str, Any]) -> Iterator[str]:
    """Return the texts of a message."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if part["type"] == "text":
            yield part["text"]


# --- messages -----------------------------------------------------------------------------------------------------


def check_messages(messages: Sequence[Any]) -> None:
    """Refuse empty answers, calls without results, results without calls, and parts that cannot be read."""
    open_ids: list[str] = []
    caller = -1
    for index, message in enumerate(messages):
        role = message["role"]
        if role == "tool":
            if message["tool_call_id"] not in open_ids:
                raise ApiError(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'.",
                    param=f"messages.[{index}].role",
                )
            open_ids.remove(message["tool_call_id"])
            continue
        _refuse_unanswered(open_ids, index)
        if role == "assistant":
            _check_assistant(message, index)
            open_ids = [call["id"] for call in message.get("tool_calls", ())]
            caller = index
        elif role == "user":
            _check_parts(message, index)
    _refuse_unanswered(open_ids, caller)


def _refuse_unanswered(open_ids: Sequence[str], index: int) -> None:
    if open_ids:
        raise ApiError(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_ids)}",
            param=f"messages.[{index}].role",
        )


def _check_assistant(message: Mapping[str, Any], index: int) -> None:
    has_other = any(message.get(key) for key in ("tool_calls", "function_call", "refusal", "audio"))
    if message.get("content") is None and not has_other:
        raise ApiError("Invalid value for 'content': expected a string, got null.", param=f"messages.[{index}].content")
    ids = [call["id"] for call in message.get("tool_calls", ())]
    if len(set(ids)) < len(ids):
        raise ApiError(
            f"Invalid value for 'messages[{index}].tool_calls': duplicate tool call ids.",
            param=f"messages[{index}].tool_calls",
            code="invalid_value",
        )


def _check_parts(message: Mapping[str, Any], index: int) -> None:
    for number, part in enumerate(message["content"] if isinstance(message["content"], list) else ()):
        where = f"messages[{index}].content[{number}]"
        if part["type"] == "image_url":
            _check_image(part["image_url"]["url"], f"{where}.image_url.url")
        elif part["type"] == "input_audio":
            _decode(part["input_audio"]["data"], f"{where}.input_audio.data")
        elif part["type"] == "file":
            _check_file(part["file"], f"{where}.file")


def _check_image(url: str, where: str) -> None:
    if url.startswith(("https://", "http://")):
        return
    if not url.startswith("data:"):
        message = f"Invalid '{where}'. Expected a base64-encoded data URL with an image MIME type, or an http(s) URL."
        raise ApiError(message, param=where, code="invalid_value")
    data = _decode(url.partition(",")[2], where)
    if not url.startswith("data:image/") or not data.startswith(_IMAGE_MAGIC):
        raise ApiError(
            "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
            "['png', 'jpeg', 'gif', 'webp'].",
            param=where,
            code="invalid_image_format",
        )


def _check_file(file: Mapping[str, Any], where: str) -> None:
    if "file_id" in file:
        if "file_data" in file:
            raise ApiError(
                f"Mutually exclusive parameters: '{where}'.", param=where, code="mutually_exclusive_parameters"
            )
        return
    for name in ("file_data", "filename"):
        if name not in file:
            where = f"{where}.{name}"
            raise ApiError(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    if not file["file_data"].startswith("data:"):
        where = f"{where}.file_data"
        raise ApiError(f"Invalid '{where}'. Expected a base64-encoded data URL.", param=where, code="invalid_value")
    _decode(file["file_data"].partition(",")[2], f"{where}.file_data")


def _decode(data: str, where: str) -> bytes:
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise ApiError(f"Invalid '{where}': invalid base64 data.", param=where, code="invalid_base64")
    return raw
