"""The shapes of OpenAI's chat completions API as Structs, with their decoders. Data only.

What clients write is typed narrowly, so that a fault has a path. What providers write is typed widely: they vary.
Source: OpenAI Python SDK 3.54.0, types of chat completions, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from lockgate.core.json_text import ABSENT

# ---- what clients write


class FunctionCall(Struct, gc=False):
    """The function of a tool call; ``arguments`` is JSON as text, possibly cut short."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(Struct, gc=False):
    """One entry of ``tool_calls``."""

    id: str | None = None
    type: str | None = None
    index: int | None = None
    function: FunctionCall | None = None
    cache_control: Raw = ABSENT
    toolset_name: str | None = None
    caller: Raw = ABSENT


class MessageIn(Struct, gc=False):
    """One message of a call."""

    role: str
    content: str | list[Raw] | None = None
    tool_calls: Sequence[ToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    cache_control: Raw = ABSENT
    content_blocks: list[Raw] | None = None
    thinking_blocks: list[Raw] | None = None
    function_call: FunctionCall | None = None
    is_error: bool | None = None
    reasoning_content: Raw = ABSENT
    reasoning: Raw = ABSENT


class FunctionIn(Struct, gc=False):
    """The definition of a function tool."""

    name: str | None = None
    description: str | None = None
    parameters: Raw = ABSENT
    strict: bool | None = None
    cache_control: Raw = ABSENT
    defer_loading: Raw = ABSENT
    allowed_callers: Raw = ABSENT
    input_examples: Raw = ABSENT
    eager_input_streaming: Raw = ABSENT


class ToolIn(Struct, gc=False):
    """One entry of ``tools``; anything but a function is read from its bytes."""

    type: str | None = None
    function: FunctionIn | None = None
    cache_control: Raw = ABSENT
    defer_loading: Raw = ABSENT
    allowed_callers: Raw = ABSENT
    input_examples: Raw = ABSENT
    eager_input_streaming: Raw = ABSENT


class StreamOptions(Struct, gc=False):
    """``stream_options`` of a call."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class JsonSchemaIn(Struct, gc=False):
    """``response_format.json_schema``."""

    name: str | None = None
    description: str | None = None
    schema: Raw = ABSENT
    strict: bool | None = None


class FormatIn(Struct, gc=False):
    """``response_format``, and Anthropic's ``output_config.format``, which holds the schema itself."""

    type: str
    json_schema: JsonSchemaIn | None = None
    schema: Raw = ABSENT


class ReasoningIn(Struct, gc=False):
    """``reasoning`` as some clients write it on chat calls."""

    effort: str | None = None


class CallIn(Struct, gc=False):
    """A call. The last group of fields has no home in the canonical form."""

    model: str
    messages: Sequence[MessageIn]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: Sequence[ToolIn] | ToolIn | None = None
    functions: Sequence[FunctionIn] | None = None
    tool_choice: Raw = ABSENT
    function_call: Raw = ABSENT
    parallel_tool_calls: bool | None = None
    response_format: Raw = ABSENT
    reasoning_effort: str | None = None
    reasoning: ReasoningIn | None = None
    thinking: Raw = ABSENT
    output_config: Raw = ABSENT
    output_format: Raw = ABSENT
    web_search_options: Raw = ABSENT
    user: str | None = None
    safety_identifier: str | None = None
    metadata: Raw = ABSENT
    service_tier: str | None = None
    anthropic_beta: str | list[str] | None = None
    betas: str | list[str] | None = None
    anthropic_version: str | None = None

    n: Raw = ABSENT
    seed: Raw = ABSENT
    frequency_penalty: Raw = ABSENT
    presence_penalty: Raw = ABSENT
    logit_bias: Raw = ABSENT
    logprobs: Raw = ABSENT
    top_logprobs: Raw = ABSENT
    store: Raw = ABSENT


# The same without any field beyond those above, at any depth: most calls are such, and need no second look.


class ExactFunctionCall(FunctionCall, forbid_unknown_fields=True, gc=False):
    """A FunctionCall and nothing else."""


class ExactToolCall(ToolCall, forbid_unknown_fields=True, gc=False):
    """A ToolCall and nothing else."""

    function: ExactFunctionCall | None = None


class ExactMessageIn(MessageIn, forbid_unknown_fields=True, gc=False):
    """A MessageIn and nothing else."""

    tool_calls: Sequence[ExactToolCall] | None = None
    function_call: ExactFunctionCall | None = None


class ExactFunctionIn(FunctionIn, forbid_unknown_fields=True, gc=False):
    """A FunctionIn and nothing else."""


class ExactToolIn(ToolIn, forbid_unknown_fields=True, gc=False):
    """A ToolIn and nothing else."""

    function: ExactFunctionIn | None = None


class ExactStreamOptions(StreamOptions, forbid_unknown_fields=True, gc=False):
    """StreamOptions and nothing else."""


class ExactReasoningIn(ReasoningIn, forbid_unknown_fields=True, gc=False):
    """A ReasoningIn and nothing else."""


class ExactCallIn(CallIn, forbid_unknown_fields=True, gc=False):
    """A CallIn and nothing else."""

    messages: Sequence[ExactMessageIn]
    stream_options: ExactStreamOptions | None = None
    tools: Sequence[ExactToolIn] | ExactToolIn | None = None
    functions: Sequence[ExactFunctionIn] | None = None
    reasoning: ExactReasoningIn | None = None


class ToolsIn(Struct, gc=False):
    """The bytes of each tool."""

    tools: Raw = ABSENT


read_tools = msgspec.json.Decoder(ToolsIn)
read_exact_call = msgspec.json.Decoder(ExactCallIn)
read_lax_call = msgspec.json.Decoder(CallIn)
read_format = msgspec.json.Decoder(FormatIn)

# ---- what providers write


class FunctionDelta(Struct, gc=False):
    """Part of a function call."""

    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(Struct, gc=False):
    """Part of a tool call. Some providers leave out the index, the id, or both."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(Struct, gc=False):
    """``delta`` of a chunk and ``message`` of a reply."""

    content: str | list[Raw] | None = None
    refusal: str | None = None
    reasoning_content: Raw = ABSENT
    reasoning: Raw = ABSENT
    reasoning_details: Raw = ABSENT
    thinking_blocks: list[Raw] | None = None
    tool_calls: list[ToolCallDelta] | None = None
    function_call: FunctionDelta | None = None
    content_blocks: list[Raw] | None = None
    annotations: Raw = ABSENT
    audio: Raw = ABSENT


class Choice(Struct, gc=False):
    """One choice of a reply or of a chunk."""

    index: int | None = None
    message: Delta | None = None
    delta: Delta | None = None
    finish_reason: str | None = None


class Body(Struct, gc=False):
    """A whole reply, or one chunk of a stream."""

    id: str | None = None
    kind: str | None = field(default=None, name="object")
    model: str | None = None
    choices: list[Choice] | None = None
    usage: Raw = ABSENT
    service_tier: str | None = None
    error: Raw = ABSENT
    message: Raw = ABSENT
    """Some providers put an error's text here, beside ``object: error``."""


class PromptDetails(Struct, gc=False):
    """``prompt_tokens_details``."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None


class CompletionDetails(Struct, gc=False):
    """``completion_tokens_details``."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class UsageIn(Struct, gc=False):
    """Usage as providers write it, with the spellings of those that are not OpenAI, and what gateways hand on."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None
    cache_creation: Raw = ABSENT
    server_tool_use: Raw = ABSENT
    speed: Raw = ABSENT
    inference_geo: Raw = ABSENT


class CacheCreation(Struct, gc=False):
    """``cache_creation``."""

    ephemeral_1h_input_tokens: int | None = None


read_body = msgspec.json.Decoder(Body)
read_usage_in = msgspec.json.Decoder(UsageIn)
read_cache_creation = msgspec.json.Decoder(CacheCreation)

# ---- what we write to clients


class FunctionOut(Struct, gc=False):
    """The function of a tool call."""

    name: str
    arguments: str


class ToolCallOut(Struct, gc=False):
    """A whole tool call."""

    id: str
    type: str
    function: FunctionOut
    toolset_name: str | UnsetType = UNSET
    caller: Raw | UnsetType = UNSET
    cache_control: Raw | UnsetType = UNSET


class MessageOut(Struct, kw_only=True, gc=False):
    """The assistant's message."""

    role: str = "assistant"
    content: str
    refusal: str | None = None
    tool_calls: list[ToolCallOut] | UnsetType = UNSET
    annotations: list[AnnotationOut] | UnsetType = UNSET
    content_blocks: list[Raw] | UnsetType = UNSET
    stop_details: Raw | UnsetType = UNSET


class UrlCitationOut(Struct, kw_only=True, gc=False):
    """A web page that a stretch of the content cites."""

    url: str
    title: str
    start_index: int
    end_index: int


class AnnotationOut(Struct, kw_only=True, gc=False):
    """OpenAI's form of a citation."""

    type: str = "url_citation"
    url_citation: UrlCitationOut


class ChoiceOut(Struct, kw_only=True, gc=False):
    """The one choice."""

    index: int = 0
    message: MessageOut
    logprobs: None = None
    finish_reason: str
    stop_sequence: str | UnsetType = UNSET


class ReplyOut(Struct, kw_only=True, gc=False):
    """A whole reply."""

    id: str
    kind: str = field(default="chat.completion", name="object")
    created: int
    model: str
    provider: str
    choices: list[ChoiceOut]
    usage: dict[str, object] | UnsetType = UNSET
    service_tier: str | UnsetType = UNSET


class ErrorOut(Struct, kw_only=True, gc=False):
    """``error`` of an error body; ``code`` is text or null."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None
    limit: Mapping[str, object] | UnsetType = UNSET
    """Which budget or rate refuses, and when it resets."""


class OurErrorBody(Struct, kw_only=True, gc=False):
    """An error of the gateway: what each SDK looks for is there."""

    status: str = "failure"
    message: str
    error: ErrorOut
    errors: tuple[str, ...] | UnsetType = UNSET
    """Every fault of a config."""


class ProviderErrorBody(Struct, kw_only=True, gc=False):
    """An error of the provider."""

    error: ErrorOut
    provider: str | UnsetType = UNSET


# ---- what we write to providers


class FunctionToolOut(Struct, omit_defaults=True, gc=False):
    """The definition of a function."""

    name: str
    description: str | None = None
    parameters: Raw | None = None
    strict: bool | None = None


class ToolOut(Struct, gc=False):
    """A function tool."""

    type: str
    function: FunctionToolOut


class CallMessageOut(Struct, omit_defaults=True, gc=False):
    """One message of a call. ``content`` may have to be an explicit null."""

    role: str
    content: str | list[Raw] | UnsetType | None = UNSET
    tool_calls: list[ToolCallOut] | None = None
    tool_call_id: str | None = None


class StreamOptionsOut(Struct, gc=False):
    """We always ask for usage."""

    include_usage: bool = True


class CallOut(Struct, omit_defaults=True, kw_only=True, gc=False):
    """A call to a provider."""

    model: str
    messages: list[CallMessageOut]
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] | None = None
    stream: bool = False
    stream_options: StreamOptionsOut | None = None
    tools: list[ToolOut] | None = None
    tool_choice: str | dict[str, object] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, object] | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    service_tier: str | None = None
