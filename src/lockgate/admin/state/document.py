"""The document of the declarative state: what stands in it, and under which names.

Names are those of the API; workspaces, integrations and providers are named by their slugs. What is left out of an
entry has its default, so an entry says all there is to say about a thing, but for secrets: those stay where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import NODEFAULT, Meta, Struct, field, structs

from lockgate.admin.conditions import ConditionBody
from lockgate.admin.credentials import MappingBody
from lockgate.admin.limits import RateLimitBody, UsageLimitBody
from lockgate.admin.recording import RecordingBody

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
State: TypeAlias = Literal["active", "disabled"]


class StateUsageLimit(UsageLimitBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A budget, as in the API."""


class StateRateLimit(RateLimitBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate limit, as in the API."""


UsageLimits: TypeAlias = list[StateUsageLimit]
RateLimits: TypeAlias = list[StateRateLimit]


class StateRecording(RecordingBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of requests and answers, as in the API."""


class StateDefaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for requests that bring nothing of their own."""

    metadata: dict[str, str] = {}
    config_id: Name | None = None
    recording: StateRecording | None = None


class StateWorkspace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workspace."""

    slug: Name
    name: Name
    description: str | None = None
    icon: str | None = None
    defaults: StateDefaults = StateDefaults()
    usage_limits: UsageLimits = []
    rate_limits: RateLimits = []
    security_settings: dict[str, bool] = {}
    settings: dict[str, int] = {}


class StateSecretReference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a secret is kept. Secrets of ``auth_config`` are left out: they are set through the API and stay."""

    slug: Name
    name: Name
    description: str | None = None
    manager_type: Literal["aws_sm", "azure_kv", "hashicorp_vault", "env", "file"]
    auth_config: dict[str, Any] = {}
    secret_path: str
    secret_key: Name | None = None
    allowed_workspaces: list[Name] | None = None
    """None: all."""
    tags: list[Name] = []


class StateModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is special about a model of an integration."""

    slug: Name
    name: Name | None = None
    enabled: bool = True
    is_custom: bool = False
    is_finetune: bool = False
    base_model_slug: Name | None = None
    configurations: dict[str, Any] = {}
    pricing_config: dict[str, Any] | None = None
    capabilities: list[Name] = []
    context_window: int | None = None
    max_output_tokens: int | None = None


class StateAccess(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workspace that may use an integration of the organisation."""

    workspace: Name
    enabled: bool = True
    usage_limits: UsageLimits = []
    rate_limits: RateLimits = []


class StateGlobalAccess(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What workspaces that are made later get."""

    enabled: bool = False
    usage_limits: UsageLimits = []
    rate_limits: RateLimits = []


class StateIntegration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A credential for a provider, its models, and who may use it. Those of virtual keys are left out."""

    slug: Name
    name: Name
    ai_provider_id: Name
    workspace: Name | None = None
    """Whose own it is; left out: the organisation's."""
    description: str | None = None
    key: Annotated[str, Meta(pattern=r"^(env|file):.+$")] | None = None
    """``env:NAME`` or ``file:PATH``; left out: the credential that is stored stays."""
    configurations: dict[str, Any] = {}
    secret_mappings: list[MappingBody] = []
    pricing_adjustments: dict[str, Any] | None = None
    allow_all_models: bool = True
    tags: list[Name] = []
    status: State = "active"
    usage_limits: UsageLimits = []
    rate_limits: RateLimits = []
    global_workspace_access: StateGlobalAccess = StateGlobalAccess()
    workspaces: list[StateAccess] = []
    models: list[StateModel] = []


class StateProvider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``@slug`` names in a workspace. Virtual keys are left out."""

    workspace: Name
    slug: Name
    integration: Name
    name: Name
    note: str | None = None
    usage_limits: UsageLimits = []
    rate_limits: RateLimits = []
    expires_at: datetime | None = None
    tags: list[Name] = []
    status: State = "active"


class StateConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A routing config."""

    slug: Name
    workspace: Name
    name: Name
    config: dict[str, Any] | None = None
    """What it says; left out: what is stored stays, as where it holds secrets."""


class StateKeyDefaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for requests of a key that bring nothing of their own."""

    metadata: dict[str, str] = {}
    config_id: Name | None = None
    allow_config_override: bool = True
    recording: StateRecording | None = None


class StateKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service key, by its name, without its text. Keys of people are theirs and left out."""

    name: Name
    id: Name | None = None
    """Which one, where several have the name; it must be there already."""
    workspace: Name | None = None
    """None: a key of the organisation."""
    description: str | None = None
    scopes: list[Name]
    providers: list[Name] = []
    defaults: StateKeyDefaults = StateKeyDefaults()
    usage_limits: UsageLimits = []
    rate_limits: RateLimits = []
    expires_at: datetime | None = None
    alert_emails: list[Name] = []
    status: State = "active"


class StateUsagePolicy(UsageLimitBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A budget on the requests that meet conditions."""

    workspace: Name
    name: Name
    id: Name | None = None
    """Which one, where several have the name; it must be there already."""
    description: str | None = None
    conditions: list[ConditionBody] = field(default_factory=list)
    group_by: list[Name] = field(default_factory=list)


class StateRatePolicy(RateLimitBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate limit on the requests that meet conditions."""

    workspace: Name
    name: Name
    id: Name | None = None
    """Which one, where several have the name; it must be there already."""
    description: str | None = None
    conditions: list[ConditionBody] = field(default_factory=list)
    group_by: list[Name] = field(default_factory=list)
    target: Literal["llm", "mcp_tools"] = "llm"


class StateDocument(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole. A part that is left out is not looked at; one that is there is all there is of its kind, when what
    is not in it shall be deleted."""

    version: Literal[1] = 1
    workspaces: list[StateWorkspace] | None = None
    secret_references: list[StateSecretReference] | None = None
    integrations: list[StateIntegration] | None = None
    providers: list[StateProvider] | None = None
    configs: list[StateConfig] | None = None
    keys: list[StateKey] | None = None
    usage_policies: list[StateUsagePolicy] | None = None
    rate_policies: list[StateRatePolicy] | None = None


def plain(value: Any) -> Any:
    """Return an entry as it is written: without what has its default."""
    if isinstance(value, Struct):
        shown = {}
        for name in value.__struct_fields__:
            part = getattr(value, name)
            if part != _default(type(value), name):
                shown[name] = plain(part)
        return shown
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def _default(kind: type[Struct], name: str) -> Any:
    for each in structs.fields(kind):
        if each.name == name:
            return each.default_factory() if each.default_factory is not NODEFAULT else each.default
    return NODEFAULT
