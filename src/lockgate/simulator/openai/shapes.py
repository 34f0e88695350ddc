"""The shape of a chat completion request, as data.

Derived from the types of the OpenAI Python SDK 3.54.0; a test compares each named shape with the installed SDK.
"""

from __future__ import annotations

from lockgate.simulator.shapes import (
    Field,
    Shape,
    Tagged,
    anything,
    boolean,
    by_type,
    integer,
    list_of,
    mapping_of,
    nullable,
    number,
    one_of,
    opt,
    req,
    string,
)

NAME_PATTERN = "^[a-zA-Z0-9_-]+$"

_STR = string()
_MAYBE_STR = nullable(_STR)
_ANY_OBJECT = mapping_of()
_FUNCTION_NAME = string(min_length=1, max_length=64, pattern=NAME_PATTERN)
_CALL_ID = string(min_length=1, max_length=40)
_SPEAKER = opt(string(min_length=1, max_length=64, pattern=r"^[^\s<|\\/>]+$"))
_MAYBE_BOOL = nullable(boolean)


def _tag(value: str) -> Field:
    return req(one_of(value))


# --- content parts ------------------------------------------------------------------------------------------------

_BREAKPOINT = opt(Shape("PromptCacheBreakpoint", {"mode": _tag("explicit"), "ttl": opt(one_of("30m", "12h"))}))
TEXT_PART = Shape(
    "ChatCompletionContentPartTextParam",
    {"type": _tag("text"), "text": req(_STR), "prompt_cache_breakpoint": _BREAKPOINT},
)
IMAGE_PART = Shape(
    "ChatCompletionContentPartImageParam",
    {
        "type": _tag("image_url"),
        "image_url": req(
            Shape("ImageURL", {"url": req(_STR), "detail": opt(one_of("auto", "low", "high", "original"))})
        ),
        "prompt_cache_breakpoint": _BREAKPOINT,
    },
)
AUDIO_PART = Shape(
    "ChatCompletionContentPartInputAudioParam",
    {
        "type": _tag("input_audio"),
        "input_audio": req(Shape("InputAudio", {"data": req(_STR), "format": req(one_of("wav", "mp3"))})),
        "prompt_cache_breakpoint": _BREAKPOINT,
    },
)
FILE_PART = Shape(
    "File",
    {
        "type": _tag("file"),
        "file": req(Shape("FileFile", {"file_data": opt(_STR), "file_id": opt(_STR), "filename": opt(_STR)})),
        "prompt_cache_breakpoint": _BREAKPOINT,
    },
)
REFUSAL_PART = Shape("ChatCompletionContentPartRefusalParam", {"type": _tag("refusal"), "refusal": req(_STR)})
_TEXTS = by_type(text=_STR, items=list_of(Tagged({"text": TEXT_PART}), least=1))
_USER_CONTENT = by_type(
    text=_STR,
    items=list_of(
        Tagged({"text": TEXT_PART, "image_url": IMAGE_PART, "input_audio": AUDIO_PART, "file": FILE_PART}), least=1
    ),
)
_ASSISTANT_CONTENT = nullable(
    by_type(text=_STR, items=list_of(Tagged({"text": TEXT_PART, "refusal": REFUSAL_PART}), least=1))
)

# --- messages -----------------------------------------------------------------------------------------------------

_CALLED = Shape("Function", {"name": req(_FUNCTION_NAME), "arguments": req(_STR)})
TOOL_CALL = Tagged(
    {
        "function": Shape(
            "ChatCompletionMessageFunctionToolCallParam",
            {"id": req(_CALL_ID), "type": _tag("function"), "function": req(_CALLED)},
        ),
        "custom": Shape(
            "ChatCompletionMessageCustomToolCallParam",
            {
                "id": req(_CALL_ID),
                "type": _tag("custom"),
                "custom": req(Shape("", {"name": req(_FUNCTION_NAME), "input": req(_STR)})),
            },
        ),
    }
)
MESSAGE = Tagged(
    {
        "system": Shape(
            "ChatCompletionSystemMessageParam", {"role": _tag("system"), "content": req(_TEXTS), "name": _SPEAKER}
        ),
        "assistant": Shape(
            "ChatCompletionAssistantMessageParam",
            {
                "role": _tag("assistant"),
                "content": opt(_ASSISTANT_CONTENT),
                "name": _SPEAKER,
                "refusal": opt(_MAYBE_STR),
                "audio": opt(nullable(Shape("Audio", {"id": req(_STR)}))),
                "function_call": opt(nullable(Shape("FunctionCall", {"name": req(_STR), "arguments": req(_STR)}))),
                "tool_calls": opt(list_of(TOOL_CALL, least=1, most=128)),
                "annotations": opt(anything),
            },
        ),
        "user": Shape(
            "ChatCompletionUserMessageParam", {"role": _tag("user"), "content": req(_USER_CONTENT), "name": _SPEAKER}
        ),
        "function": Shape(
            "ChatCompletionFunctionMessageParam",
            {"role": _tag("function"), "content": req(_MAYBE_STR), "name": req(_STR)},
        ),
        "tool": Shape(
            "ChatCompletionToolMessageParam",
            {
                "role": _tag("tool"),
                "content": req(_TEXTS),
                "tool_call_id": req(string(min_length=1, max_length=40)),
                # not in the SDK's types, but older guides show it and clients still send it
                "name": opt(_STR),
            },
        ),
        "developer": Shape(
            "ChatCompletionDeveloperMessageParam", {"role": _tag("developer"), "content": req(_TEXTS), "name": _SPEAKER}
        ),
    },
    key="role",
)

# --- tools --------------------------------------------------------------------------------------------------------

_DESCRIBED = {"description": opt(_STR)}
TOOL = Tagged(
    {
        "function": Shape(
            "ChatCompletionFunctionToolParam",
            {
                "type": _tag("function"),
                "function": req(
                    Shape(
                        "FunctionDefinition",
                        {
                            "name": req(_FUNCTION_NAME),
                            **_DESCRIBED,
                            "parameters": opt(_ANY_OBJECT),
                            "strict": opt(_MAYBE_BOOL),
                        },
                    )
                ),
            },
        ),
        "custom": Shape(
            "ChatCompletionCustomToolParam",
            {
                "type": _tag("custom"),
                "custom": req(
                    Shape(
                        "",
                        {
                            "name": req(_FUNCTION_NAME),
                            **_DESCRIBED,
                            "format": opt(
                                Tagged(
                                    {
                                        "text": Shape("CustomFormatText", {"type": _tag("text")}),
                                        "grammar": Shape(
                                            "CustomFormatGrammar",
                                            {
                                                "type": _tag("grammar"),
                                                "grammar": req(
                                                    Shape(
                                                        "CustomFormatGrammarGrammar",
                                                        {
                                                            "definition": req(_STR),
                                                            "syntax": req(one_of("lark", "regex")),
                                                        },
                                                    )
                                                ),
                                            },
                                        ),
                                    }
                                )
                            ),
                        },
                    )
                ),
            },
        ),
    }
)
_NAMED = Shape("", {"name": req(_STR)})
TOOL_CHOICE = by_type(
    text=one_of("none", "auto", "required"),
    keys=Tagged(
        {
            "function": Shape(
                "ChatCompletionNamedToolChoiceParam", {"type": _tag("function"), "function": req(_NAMED)}
            ),
            "custom": Shape(
                "ChatCompletionNamedToolChoiceCustomParam", {"type": _tag("custom"), "custom": req(_NAMED)}
            ),
            "allowed_tools": Shape(
                "ChatCompletionAllowedToolChoiceParam",
                {
                    "type": _tag("allowed_tools"),
                    "allowed_tools": req(
                        Shape(
                            "ChatCompletionAllowedToolsParam",
                            {"mode": req(one_of("auto", "required")), "tools": req(list_of(_ANY_OBJECT, least=1))},
                        )
                    ),
                },
            ),
        }
    ),
)

# --- the request --------------------------------------------------------------------------------------------------

RESPONSE_FORMAT = Tagged(
    {
        "text": Shape("ResponseFormatText", {"type": _tag("text")}),
        "json_object": Shape("ResponseFormatJSONObject", {"type": _tag("json_object")}),
        "json_schema": Shape(
            "ResponseFormatJSONSchema",
            {
                "type": _tag("json_schema"),
                "json_schema": req(
                    Shape(
                        "JSONSchema",
                        {
                            "name": req(_FUNCTION_NAME),
                            **_DESCRIBED,
                            "schema": opt(_ANY_OBJECT),
                            "strict": opt(_MAYBE_BOOL),
                        },
                    )
                ),
            },
        ),
    }
)
_PENALTY = nullable(number(least=-2, most=2))
_LIMIT = nullable(integer(least=1))
_PLACE = Shape(
    "WebSearchOptionsUserLocationApproximate",
    {name: opt(_STR) for name in ("city", "country", "region", "timezone")},
)
_MODERATED = nullable(Shape("ModerationPolicyInput", {"mode": req(one_of("score", "block"))}))
CREATE = Shape(
    "CompletionCreateParamsBase",
    {
        "model": req(_STR),
        "messages": req(list_of(MESSAGE, least=1)),
        "audio": opt(nullable(Shape("ChatCompletionAudioParam", {"format": req(_STR), "voice": req(anything)}))),
        "frequency_penalty": opt(_PENALTY),
        "function_call": opt(by_type(text=one_of("none", "auto"), keys=_NAMED)),
        "functions": opt(
            list_of(
                Shape("", {"name": req(_FUNCTION_NAME), **_DESCRIBED, "parameters": opt(_ANY_OBJECT)}),
                least=1,
                most=128,
            )
        ),
        "logit_bias": opt(nullable(mapping_of(integer(least=-100, most=100)))),
        "logprobs": opt(_MAYBE_BOOL),
        "max_completion_tokens": opt(_LIMIT),
        "max_tokens": opt(_LIMIT),
        "metadata": opt(nullable(mapping_of(string(max_length=512), most=16))),
        "modalities": opt(nullable(list_of(one_of("text", "audio")))),
        "moderation": opt(
            nullable(
                Shape(
                    "Moderation",
                    {
                        "model": req(_STR),
                        "policy": opt(
                            nullable(Shape("ModerationPolicy", {"input": opt(_MODERATED), "output": opt(_MODERATED)}))
                        ),
                    },
                )
            )
        ),
        "n": opt(nullable(integer(least=1, most=128))),
        "parallel_tool_calls": opt(boolean),
        "prediction": opt(
            nullable(Shape("ChatCompletionPredictionContentParam", {"type": _tag("content"), "content": req(_TEXTS)}))
        ),
        "presence_penalty": opt(_PENALTY),
        "prompt_cache_key": opt(_MAYBE_STR),
        "prompt_cache_options": opt(
            Shape("PromptCacheOptions", {"mode": opt(one_of("implicit", "explicit")), "ttl": opt(one_of("30m"))})
        ),
        "prompt_cache_retention": opt(nullable(one_of("in_memory", "24h"))),
        "reasoning_effort": opt(nullable(one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"))),
        "response_format": opt(RESPONSE_FORMAT),
        "safety_identifier": opt(nullable(string(max_length=64))),
        "seed": opt(nullable(integer())),
        "service_tier": opt(nullable(one_of("auto", "default", "flex", "scale", "priority", "fast"))),
        "stop": opt(nullable(by_type(text=_STR, items=list_of(_STR, most=4)))),
        "store": opt(_MAYBE_BOOL),
        "stream": opt(_MAYBE_BOOL),
        "stream_options": opt(
            nullable(
                Shape(
                    "ChatCompletionStreamOptionsParam",
                    {"include_obfuscation": opt(boolean), "include_usage": opt(boolean)},
                )
            )
        ),
        "temperature": opt(nullable(number(least=0, most=2))),
        "tool_choice": opt(TOOL_CHOICE),
        "tools": opt(list_of(TOOL, least=1, most=128)),
        "top_logprobs": opt(nullable(integer(least=0, most=20))),
        "top_p": opt(nullable(number(least=0, most=1))),
        "user": opt(string(max_length=64)),
        "verbosity": opt(nullable(one_of("low", "medium", "high"))),
        "web_search_options": opt(
            Shape(
                "WebSearchOptions",
                {
                    "search_context_size": opt(one_of("low", "medium", "high")),
                    "user_location": opt(
                        nullable(
                            Shape(
                                "WebSearchOptionsUserLocation",
                                {"type": _tag("approximate"), "approximate": req(_PLACE)},
                            )
                        )
                    ),
                },
            )
        ),
    },
)
