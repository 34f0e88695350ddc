"""The Structs of a config as it is written. A field's docstring is its line in the reference.

All nodes, the root too, have the same shape. None means that the key is not there, which is what inheritance asks.
Source: gateway protocol specification, section 3.2.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Raw, Struct

from lockgate.core.secret import Secret

Code = Annotated[int, Meta(ge=100, le=599)]
Codes = tuple[Code, ...]
_CLAMPED = {"clamped": True}
"""Marks a number that is brought into its range in a request, and refused when it is saved."""
_CAPPED = {"clamped": True, "used_within": (None, 5)}
_AGED = {"used_within": (60, 7_776_000)}
"""``used_within`` bounds what a number is used as, in a request and in a saved config; others are warned of."""

CLOUD_KEYS = (
    r"^(azure|aws|amz|amzn|vertex|workers_ai|fireworks|snowflake|stability|oracle|databricks|huggingface|byteplus)_"
)
"""The keys that belong to one vendor each; their values are kept as they are, since some are secrets."""


class RetrySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``retry``: try the same target again."""

    attempts: Annotated[int, Meta(ge=0, extra=_CAPPED)]
    """How often, after the first try; more than 5 acts as 5."""
    on_status_codes: Codes | None = None
    """Upon which statuses, in place of 429, 500, 502, 503, 504 and 529."""
    use_retry_after_headers: bool | None = None
    """Wait as long as the provider says, up to 60 seconds in all."""
    use_retry_after_header: bool | None = None
    """An older spelling of ``use_retry_after_headers``."""


class CacheSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``cache``: answer from what was answered before. A text in its place is its mode."""

    SHORTHAND: ClassVar[str] = "mode"

    mode: Literal["simple", "semantic"]
    """``simple``: the same body; ``semantic``: one that means the same, but acts as ``simple`` so far."""
    max_age: Annotated[int, Meta(extra=_AGED)] | None = None
    """How long an answer may be used, in seconds; 604,800 when left out. It acts as the nearest of 60 to 7,776,000."""


class BreakerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``cb_config``: leave out a target that keeps failing. One of the two thresholds is required."""

    cooldown_interval: Annotated[float, Meta(ge=30000, extra=_CLAMPED)]
    """How long a target is left out, in milliseconds."""
    failure_threshold: Annotated[float, Meta(ge=1)] | None = None
    """How many failures leave it out."""
    failure_threshold_percentage: Annotated[float, Meta(gt=0, le=100)] | None = None
    """Which share of failures leaves it out."""
    minimum_requests: Annotated[int, Meta(ge=1)] | None = None
    """How many answers the share needs; 1 when left out."""
    failure_status_codes: Codes | None = None
    """Which statuses are failures, in place of 500 and above."""


class StickySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``sticky``: who has the same values goes to the same target."""

    enabled: bool | None = None
    """Off unless true."""
    hash_fields: tuple[str, ...] = ()
    """Paths such as ``metadata.user_id``; names without a root are looked up in the body."""
    ttl: Annotated[float, Meta(gt=0)] | None = None
    """How long, in seconds from the first request; 3600 when left out."""


class Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of ``conditions``."""

    query: dict[str, Raw]
    """What must hold: [a query](#queries) with keys such as ``metadata.tier`` and values or operators."""
    then: str
    """The name of the target."""


class Strategy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``strategy``: how one of ``targets`` is chosen."""

    mode: Literal["single", "fallback", "loadbalance", "conditional"]
    """``single``: the first; ``fallback``: the next when one fails; ``loadbalance``: by weight; ``conditional``: by
    what the request says."""
    on_status_codes: Codes | None = None
    """For ``fallback``: which statuses lead to the next target; all but 2xx when left out."""
    conditions: Annotated[tuple[Condition, ...], Meta(min_length=1)] | None = None
    """For ``conditional``: tried in order, the first that holds decides."""
    default: str | None = None
    """For ``conditional``: the name of the target when no condition holds."""
    sticky: StickySettings | None = None
    """For ``loadbalance``: keep a caller at its target."""
    cb_config: BreakerSettings | None = None
    """Leave out targets that keep failing."""


class Deployment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of ``deployments``."""

    deployment_id: str
    """The deployment's name."""
    alias: str
    """The model that requests ask for."""
    api_version: str
    """The API version of this deployment."""
    is_default: bool | None = None
    """Whether it serves other models too."""


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A target, or the way to several."""

    id: str | None = None
    """Ignored: the id is the one under which the config is saved."""
    name: str | None = None
    """What ``then`` and ``default`` of a condition call it."""
    strategy: Strategy | None = None
    """How one of ``targets`` is chosen."""
    targets: Annotated[tuple[Node, ...], Meta(min_length=1)] | None = None
    """The targets to choose from; each may have targets of its own."""
    weight: Annotated[float, Meta(ge=0, le=1e15)] | None = None
    """The share under ``loadbalance``; 1 when left out, 0 parks the target."""
    provider: str | None = None
    """``@slug`` of a provider record, or the name of a provider."""
    virtual_key: str | None = None
    """The slug of a provider record, in its older form."""
    api_key: Secret | None = None
    """The credential for a provider that is named without ``@``."""
    passthrough: bool | None = None
    """Take the provider from the request."""
    prompt_id: str | None = None
    """The stored prompt for this target."""
    override_params: dict[str, Raw] | None = None
    """Fields of the body that are set, whatever the request says."""
    default_params: dict[str, Raw] | None = None
    """Fields of the body that are set when the request lacks them."""
    drop_params: tuple[str, ...] | None = None
    """Paths that are cut out of the body, such as ``tools[*].function.strict``."""
    retry: RetrySettings | None = None
    """Try the same target again."""
    cache: CacheSettings | None = None
    """Answer from what was answered before."""
    request_timeout: Annotated[int, Meta(gt=0)] | None = None
    """How long one try may take until its answer is whole or its stream begins, in milliseconds. A stream that has
    begun may pause as long as ``timeouts.idle_s`` of the configuration says."""
    custom_host: Annotated[str, Meta(max_length=2048)] | None = None
    """The base URL in place of the provider's own."""
    forward_headers: tuple[str, ...] | None = None
    """The request's headers that are sent on."""
    strict_open_ai_compliance: bool | None = None
    """Answer with nothing that OpenAI's API does not have."""
    normalize_finish_reason: bool | None = None
    """Answer chat clients with OpenAI's words for why the model stopped, also those that are not strict."""
    stream_commit: Literal["first_event", "first_content"] | None = None
    """Up to where a stream that fails can be replaced by another target's: its first event, or what announces an answer
    before its content, for five seconds at most."""
    map_thinking: bool | None = None
    """Turn ``thinking`` of Messages calls into an effort, for providers of OpenAI's format; else it is left out."""
    anthropic_service_tier_mapping: Literal["speed", "native", "auto"] | None = None
    """How ``service_tier`` of chat calls is said to Claude: ``speed`` as a speed on every model, where ``auto`` of a
    client means the fast one, which costs more; ``native`` as Anthropic's tier; ``auto``, as without it, by what
    the model knows, and fast only where the client says fast."""
    forced_tool_choice: Literal["emulate", "pass"] | None = None
    """What becomes of a forced tool in chat calls to models of Claude's that refuse one: ``emulate``, as without it,
    asks for the call in the system prompt; ``pass`` sends it as it is."""
    repair_tool_history: bool | None = None
    """In chat calls to Claude, which else refuses them: put an error in for each tool result that is missing, and leave
    out those without a call."""
    mid_conversation_system: bool | None = None
    """Leave system messages of chat calls that stand behind a user's message where they are, for models of Claude's
    that take them there; else all are moved into the system prompt."""
    on_status_codes: Codes | None = None
    """An older place of the ``on_status_codes`` of a fallback."""
    cb_config: BreakerSettings | None = None
    """An older place of the ``cb_config`` of a strategy."""
    input_guardrails: tuple[Raw, ...] | None = None
    """Not supported yet; must be empty."""
    output_guardrails: tuple[Raw, ...] | None = None
    """Not supported yet; must be empty."""
    input_mutators: tuple[Raw, ...] | None = None
    """Not supported yet; must be empty."""
    output_mutators: tuple[Raw, ...] | None = None
    """Not supported yet; must be empty."""
    before_request_hooks: tuple[Raw, ...] | None = None
    """Not supported yet; must be empty."""
    after_request_hooks: tuple[Raw, ...] | None = None
    """Not supported yet; must be empty."""
    fetch_integrated_models: bool | None = None
    """List the models of all providers."""
    metadata: dict[str, Raw] | None = None
    """Metadata for requests that bring none of the same name; read at the root only."""
    resource_name: str | None = None
    """Azure OpenAI: the resource."""
    deployment_id: str | None = None
    """Azure OpenAI: the deployment."""
    api_version: str | None = None
    """Azure OpenAI: the API version."""
    deployments: tuple[Deployment, ...] | None = None
    """Azure OpenAI: the deployments by the model that requests ask for."""
    openai_organization: str | None = None
    """OpenAI: the organization to charge."""
    openai_project: str | None = None
    """OpenAI: the project to charge."""
    openai_beta: str | None = None
    """OpenAI: the header of the same name."""
    anthropic_version: str | None = None
    """Anthropic: the header of the same name."""
    anthropic_beta: str | tuple[str, ...] | None = None
    """Anthropic: beta flags to add."""
    anthropic_inspect_stream_for_overloaded_error: bool | None = None
    """Anthropic: no effect, since in a config a stream whose first event is an error always counts as that error."""
    mistral_fim_completion: str | bool | None = None
    """Mistral: call the endpoint that fills in the middle."""
    cloud: dict[str, Secret] = {}
    """The keys of one vendor, such as ``aws_region``: texts, or the JSON of what is no text."""


GUARDRAILS = (
    "input_guardrails",
    "output_guardrails",
    "input_mutators",
    "output_mutators",
    "before_request_hooks",
    "after_request_hooks",
)
"""The keys that name guardrails."""
