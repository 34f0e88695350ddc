"""A config that has everything, and how the tests read configs."""

from __future__ import annotations

import json

import msgspec

from lockgate.config.routes import Config, ConfigRules, read_config
from lockgate.errors import InvalidConfig

RULES = ConfigRules(providers=frozenset({"openai", "anthropic"}))

BREAKER = {
    "failure_threshold": 5,
    "failure_threshold_percentage": 50,
    "minimum_requests": 10,
    "cooldown_interval": 60000,
    "failure_status_codes": [500, 529],
}

LEAF: dict[str, object] = {
    "name": "a",
    "weight": 0.5,
    "provider": "openai",
    "api_key": "sk-1",
    "passthrough": True,
    "prompt_id": "pp-1",
    "override_params": {"maxTokens": {"aB": 1}},
    "default_params": {"topP": 1},
    "drop_params": ["tools[*].function.strict"],
    "retry": {"attempts": 3, "on_status_codes": [429], "use_retry_after_headers": True},
    "cache": {"mode": "simple", "max_age": 3600},
    "request_timeout": 45000,
    "custom_host": "https://host.example/v1",
    "forward_headers": ["x-a"],
    "strict_open_ai_compliance": False,
    "on_status_codes": [500],
    "cb_config": BREAKER,
    "fetch_integrated_models": True,
    "metadata": {"teamName": "x"},
    "resource_name": "r",
    "deployment_id": "d",
    "api_version": "v",
    "deployments": [{"deployment_id": "d", "alias": "a", "api_version": "v", "is_default": True}],
    "openai_organization": "o",
    "openai_project": "p",
    "openai_beta": "b",
    "anthropic_version": "2023-06-01",
    "anthropic_beta": ["x"],
    "normalize_finish_reason": True,
    "map_thinking": False,
    "stream_commit": "first_content",
    "anthropic_service_tier_mapping": "native",
    "forced_tool_choice": "pass",
    "repair_tool_history": True,
    "mid_conversation_system": True,
    "anthropic_inspect_stream_for_overloaded_error": True,
    "mistral_fim_completion": "true",
    "vertex_service_account_json": {"privateKey": "k"},
    "vertex_region": "eu",
    "aws_access_key_id": "i",
    "azure_deployment_type": "managed",
}

EVERYTHING: dict[str, object] = {
    "strategy": {
        "mode": "conditional",
        "conditions": [{"query": {"metadata.userTier": {"$eq": "x"}}, "then": "a"}],
        "default": "b",
        "cb_config": BREAKER,
    },
    "targets": [
        LEAF,
        {
            "name": "b",
            "virtual_key": "vk",
            "strategy": {
                "mode": "loadbalance",
                "on_status_codes": [429],
                "sticky": {"enabled": True, "hash_fields": ["metadata.user_id"], "ttl": 60},
            },
            "targets": [{"provider": "@x", "id": "ignored"}],
        },
    ],
}


def read(config: object, **rules: object) -> Config:
    """Read a config that is given as data, or as text."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    return read_config(text, msgspec.structs.replace(RULES, **rules))


def faults(config: object, **rules: object) -> dict[str, str]:
    """Return the faults of a config, by their paths; an empty dict when it has none."""
    try:
        read(config, **rules)
    except InvalidConfig as error:
        assert error.status == 400
        return dict(error.faults)
    return {}
