"""Entries of a document in the one form in which they can be compared with what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs

from lockgate.admin.conditions import RATE_KEYS, TOOL_KEYS, USAGE_KEYS, ConditionBody, read_conditions, write_conditions
from lockgate.admin.scopes import normal_scope
from lockgate.admin.state.document import (
    RateLimits,
    StateConfig,
    StateIntegration,
    StateKey,
    StateModel,
    StateProvider,
    StateRateLimit,
    StateRatePolicy,
    StateSecretReference,
    StateUsageLimit,
    StateUsagePolicy,
    UsageLimits,
)
from lockgate.admin.state.export import as_written, rate_limits, usage_limits
from lockgate.entities.secret_fields import CUSTOM_HEADERS, is_secret_setting
from lockgate.errors import InvalidRequest
from lockgate.plan.limit_input import read_rate_limit, read_usage_limit

S = TypeVar("S", bound=Struct)

_encode = msgspec.json.Encoder(decimal_format="number").encode
_REFERENCES = ("env:", "file:")


class Normaliser:
    """Brings entries into their normal form; ``references`` are slugs of secret references by their ids."""

    def __init__(self, today: date, references: Mapping[str, str]) -> None:
        self._today = today
        self._references = references

    def __call__(self, entry: S, current: S | None, path: str) -> S:
        """Return an entry as it would be exported once it is stored. Raises InvalidRequest with the path."""
        changed: dict[str, Any] = {}
        names = entry.__struct_fields__
        if "usage_limits" in names:
            limited: Any = entry
            before = getattr(current, "usage_limits", [])
            changed["usage_limits"] = self._usage(limited.usage_limits, before, f"{path}.usage_limits")
            changed["rate_limits"] = self._rates(limited.rate_limits, f"{path}.rate_limits")
        if isinstance(entry, StateKey | StateProvider):
            changed["expires_at"] = as_written(entry.expires_at)
        if isinstance(entry, StateIntegration):
            changed |= self._integration(entry, current if isinstance(current, StateIntegration) else None, path)
        elif isinstance(entry, StateSecretReference):
            changed |= _secret_reference(entry, path)
        elif isinstance(entry, StateConfig):
            changed["config"] = _json(entry.config)
        elif isinstance(entry, StateKey):
            changed["scopes"] = sorted({normal_scope(scope) for scope in entry.scopes})
        elif isinstance(entry, StateUsagePolicy):
            changed |= self._usage_policy(entry, current if isinstance(current, StateUsagePolicy) else None, path)
        elif isinstance(entry, StateRatePolicy):
            changed |= self._rate_policy(entry, path)
        return structs.replace(entry, **changed)

    def _integration(self, entry: StateIntegration, current: StateIntegration | None, path: str) -> dict[str, Any]:
        known = {each.workspace: each for each in current.workspaces} if current is not None else {}
        was = current.global_workspace_access if current is not None else None
        return {
            "configurations": _settings(entry.configurations, path),
            "pricing_adjustments": _json(entry.pricing_adjustments),
            "secret_mappings": [
                structs.replace(
                    each,
                    secret_reference_id=self._references.get(each.secret_reference_id, each.secret_reference_id),
                    value_format=each.value_format or "string",
                )
                for each in entry.secret_mappings
            ],
            "global_workspace_access": self(entry.global_workspace_access, was, f"{path}.global_workspace_access"),
            "workspaces": sorted(
                (
                    self(each, known.get(each.workspace), f"{path}.workspaces[{i}]")
                    for i, each in enumerate(entry.workspaces)
                ),
                key=lambda each: each.workspace,
            ),
            "models": sorted(
                (_model(each, f"{path}.models[{i}]") for i, each in enumerate(entry.models)),
                key=lambda each: each.slug,
            ),
        }

    def _usage(self, given: UsageLimits, current: Sequence[StateUsageLimit], path: str) -> UsageLimits:
        found: UsageLimits = []
        for i, body in enumerate(given):
            stored = read_usage_limit(body, None, f"{path}[{i}]", self._today, body.effective_from)
            (limit,) = usage_limits([stored])
            found.append(_same_days(body, limit, current))
        return found

    def _rates(self, given: RateLimits, path: str) -> RateLimits:
        return rate_limits(read_rate_limit(body, f"{path}[{i}]") for i, body in enumerate(given))

    def _usage_policy(self, entry: StateUsagePolicy, current: StateUsagePolicy | None, path: str) -> dict[str, Any]:
        stored = read_usage_limit(entry, None, path, self._today, entry.effective_from)
        (limit,) = usage_limits([stored])
        says_no_day = entry.next_usage_reset_at is None
        if current is not None and says_no_day and current.periodic_reset_days == limit.periodic_reset_days:
            limit = structs.replace(limit, next_usage_reset_at=current.next_usage_reset_at)
        fields = {name: getattr(limit, name) for name in limit.__struct_fields__}
        return fields | {"conditions": _conditions(entry.conditions, USAGE_KEYS)}

    def _rate_policy(self, entry: StateRatePolicy, path: str) -> dict[str, Any]:
        (limit,) = rate_limits([read_rate_limit(entry, path)])
        fields = {name: getattr(limit, name) for name in StateRateLimit.__struct_fields__}
        keys = TOOL_KEYS if entry.target == "mcp_tools" else RATE_KEYS
        return fields | {"conditions": _conditions(entry.conditions, keys)}


def _same_days(body: StateUsageLimit, limit: StateUsageLimit, current: Sequence[StateUsageLimit]) -> StateUsageLimit:
    """Return a limit that says no day of its own with the day from which the stored one counts."""
    if body.next_usage_reset_at is not None or body.periodic_reset_days is None:
        return limit
    for other in current:
        if (other.type, other.periodic_reset_days) == (limit.type, limit.periodic_reset_days):
            return structs.replace(limit, next_usage_reset_at=other.next_usage_reset_at)
    return limit


def _conditions(given: Sequence[ConditionBody], keys: frozenset[str]) -> list[ConditionBody]:
    return [
        ConditionBody(key=each.key, value=each.value, excludes=each.excludes)
        for each in write_conditions(read_conditions(given, keys))
    ]


def _secret_reference(entry: StateSecretReference, path: str) -> dict[str, Any]:
    """Return what changes. Raises InvalidRequest for a secret: a document must not hold one."""
    for name in entry.auth_config:
        if is_secret_setting(name):
            where = f"{path}.auth_config.{name}"
            raise InvalidRequest(f"{where}: is a secret, so it is set through the API alone", path=where)
    allowed = entry.allowed_workspaces
    return {
        "auth_config": _json(entry.auth_config),
        "allowed_workspaces": sorted(set(allowed)) if allowed is not None else None,
    }


def _model(entry: StateModel, path: str) -> StateModel:
    return structs.replace(
        entry,
        configurations=_settings(entry.configurations, path),
        pricing_config=_json(entry.pricing_config),
    )


def _settings(given: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return settings as JSON has them. Raises InvalidRequest for a secret: a document must not hold one."""
    for name, value in given.items():
        where = f"{path}.configurations.{name}"
        if name == CUSTOM_HEADERS:
            raise InvalidRequest(f"{where}: may hold secrets, so it is set through the API alone", path=where)
        if is_secret_setting(name) and not (isinstance(value, str) and value.startswith(_REFERENCES)):
            raise InvalidRequest(f"{where}: holds a secret; write env:NAME or file:PATH", path=where)
    found: dict[str, Any] = _json(dict(given))
    return found


def _json(value: Any) -> Any:
    """Return what JSON makes of a value, which is what is stored of it."""
    return msgspec.json.decode(_encode(value))


def shown_exactly(value: Any) -> Any:
    """Return a value in which equal numbers are written alike."""
    if isinstance(value, dict):
        return {name: shown_exactly(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shown_exactly(part) for part in value]
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value
