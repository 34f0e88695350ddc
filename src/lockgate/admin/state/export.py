"""What there is, as the document of the declarative state. Secrets are not in it; references to them are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, structs

from lockgate.admin.conditions import ConditionBody, write_conditions
from lockgate.admin.credentials import MappingBody, write_settings
from lockgate.admin.limits import AnchorBody, write_amount, write_rate_limit
from lockgate.admin.recording import write_recording
from lockgate.admin.state.document import (
    StateAccess,
    StateConfig,
    StateDefaults,
    StateDocument,
    StateGlobalAccess,
    StateIntegration,
    StateKey,
    StateKeyDefaults,
    StateModel,
    StateProvider,
    StateRateLimit,
    StateRatePolicy,
    StateRecording,
    StateSecretReference,
    StateUsageLimit,
    StateUsagePolicy,
    StateWorkspace,
)
from lockgate.entities import (
    NULL,
    ApiKey,
    Condition,
    Config,
    Integration,
    IntegrationModel,
    ProviderRecord,
    RateLimit,
    RatePolicy,
    RecordingChoice,
    SecretReference,
    UsageLimit,
    UsagePolicy,
    Workspace,
    WorkspaceAccess,
)
from lockgate.entities.secret_fields import CUSTOM_HEADERS, KEY
from lockgate.plan.limit_input import PERMILLE, WEEKDAYS
from lockgate.store.reading import Reading

N = TypeVar("N", StateKey, StateUsagePolicy, StateRatePolicy)


def export_state(view: Reading) -> StateDocument:
    """Return the state of an organisation, each part in the order of names."""
    slugs = {each.id: each.slug for each in view.all(Workspace)}
    integrations = view.all(Integration, is_hidden=False)
    by_id = {each.id: each.slug for each in integrations}
    references = {each.id: each.slug for each in view.all(SecretReference)}
    return StateDocument(
        workspaces=sorted(map(_workspace, view.all(Workspace)), key=lambda each: each.slug),
        secret_references=sorted(
            (_secret_reference(each, slugs) for each in view.all(SecretReference)), key=lambda each: each.slug
        ),
        integrations=sorted(
            (_integration(view, each, slugs, references) for each in integrations), key=lambda each: each.slug
        ),
        providers=sorted(
            (
                _provider(each, slugs, by_id)
                for each in view.all(ProviderRecord)
                if each.integration_id in by_id and each.workspace_id in slugs
            ),
            key=lambda each: (each.workspace, each.slug),
        ),
        configs=sorted(
            (_config(each, slugs) for each in view.all(Config) if each.workspace_id in slugs),
            key=lambda each: each.slug,
        ),
        keys=_told_apart(
            _key(each, slugs) for each in view.all(ApiKey, kind=["organisation-service", "workspace-service"])
        ),
        usage_policies=_told_apart(_usage_policy(each, slugs) for each in view.all(UsagePolicy)),
        rate_policies=_told_apart(_rate_policy(each, slugs) for each in view.all(RatePolicy)),
    )


def _told_apart(given: Iterable[N]) -> list[N]:
    """Return entries in the order of their names; an id stays only with those that have a name together."""
    entries = list(given)
    counts = Counter((each.workspace, each.name) for each in entries)
    told = [each if counts[each.workspace, each.name] > 1 else structs.replace(each, id=None) for each in entries]
    return sorted(told, key=lambda each: (each.workspace or "", each.name, each.id or ""))


def _workspace(workspace: Workspace) -> StateWorkspace:
    defaults = workspace.defaults
    return StateWorkspace(
        slug=workspace.slug,
        name=workspace.name,
        description=workspace.description,
        icon=workspace.icon,
        defaults=StateDefaults(
            metadata=dict(defaults.metadata),
            config_id=defaults.config_id,
            recording=_recording(defaults.recording),
        ),
        usage_limits=usage_limits(workspace.usage_limits),
        rate_limits=rate_limits(workspace.rate_limits),
        security_settings=dict(workspace.security_settings),
        settings=dict(workspace.settings),
    )


def _recording(choice: RecordingChoice | None) -> StateRecording | None:
    written = write_recording(choice)
    return StateRecording(**structs.asdict(written)) if written is not None else None


def _secret_reference(reference: SecretReference, slugs: Mapping[str, str]) -> StateSecretReference:
    return StateSecretReference(
        slug=reference.slug,
        name=reference.name,
        description=reference.description,
        manager_type=reference.manager,
        auth_config={name: _json(each) for name, each in reference.settings.items()},
        secret_path=reference.secret_path,
        secret_key=reference.secret_key,
        allowed_workspaces=None
        if reference.allow_all_workspaces
        else sorted(slugs[id] for id in reference.allowed_workspaces if id in slugs),
        tags=list(reference.tags),
    )


def _config(config: Config, slugs: Mapping[str, str]) -> StateConfig:
    return StateConfig(
        slug=config.slug,
        workspace=slugs[config.workspace_id],
        name=config.name,
        config=msgspec.json.decode(config.text) if config.secret_field is None else None,
    )


def _integration(
    view: Reading, integration: Integration, slugs: Mapping[str, str], references: Mapping[str, str]
) -> StateIntegration:
    access = integration.global_access
    return StateIntegration(
        slug=integration.slug,
        name=integration.name,
        ai_provider_id=integration.provider,
        workspace=slugs.get(integration.workspace_id or ""),
        description=integration.description,
        key=integration.references.get(KEY),
        configurations=_settings(integration.configurations, integration.references),
        secret_mappings=[
            MappingBody(
                target_field=each.target_field,
                secret_reference_id=references.get(each.secret_reference_id, each.secret_reference_id),
                secret_key=each.secret_key,
                value_format=each.value_format,
            )
            for each in integration.secret_mappings
        ],
        pricing_adjustments=_json(integration.pricing_adjustments),
        allow_all_models=integration.allow_all_models,
        tags=list(integration.tags),
        status="disabled" if integration.status == "disabled" else "active",
        usage_limits=usage_limits(integration.usage_limits),
        rate_limits=rate_limits(integration.rate_limits),
        global_workspace_access=StateGlobalAccess(
            enabled=access.is_enabled,
            usage_limits=usage_limits(access.usage_limits),
            rate_limits=rate_limits(access.rate_limits),
        ),
        workspaces=sorted(
            (
                StateAccess(
                    workspace=slugs[each.workspace_id],
                    enabled=each.is_enabled,
                    usage_limits=usage_limits(each.usage_limits),
                    rate_limits=rate_limits(each.rate_limits),
                )
                for each in view.all(WorkspaceAccess, integration_id=integration.id)
                if each.workspace_id in slugs
            ),
            key=lambda each: each.workspace,
        ),
        models=sorted(
            map(_model, view.all(IntegrationModel, integration_id=integration.id)), key=lambda each: each.slug
        ),
    )


def _model(model: IntegrationModel) -> StateModel:
    return StateModel(
        slug=model.slug,
        name=model.name,
        enabled=model.is_enabled,
        is_custom=model.is_custom,
        is_finetune=model.is_finetune,
        base_model_slug=model.base_model_slug,
        configurations=_settings(model.configurations, model.references),
        pricing_config=_json(model.pricing),
        capabilities=list(model.capabilities),
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
    )


def _provider(record: ProviderRecord, slugs: Mapping[str, str], integrations: Mapping[str, str]) -> StateProvider:
    return StateProvider(
        workspace=slugs[record.workspace_id],
        slug=record.slug,
        integration=integrations[record.integration_id],
        name=record.name,
        note=record.note,
        usage_limits=usage_limits(record.usage_limits),
        rate_limits=rate_limits(record.rate_limits),
        expires_at=as_written(record.expires_at),
        tags=list(record.tags),
        status="disabled" if record.status == "disabled" else "active",
    )


def _key(key: ApiKey, slugs: Mapping[str, str]) -> StateKey:
    defaults = key.defaults
    return StateKey(
        name=key.name,
        id=key.id,
        workspace=slugs.get(key.workspace_id or ""),
        description=key.description,
        scopes=sorted(key.scopes),
        providers=list(key.providers),
        defaults=StateKeyDefaults(
            metadata=dict(defaults.metadata),
            config_id=defaults.config_id,
            allow_config_override=defaults.allow_config_override,
            recording=_recording(defaults.recording),
        ),
        usage_limits=usage_limits(key.usage_limits),
        rate_limits=rate_limits(key.rate_limits),
        expires_at=as_written(key.expires_at),
        alert_emails=list(key.alert_emails),
        status="disabled" if key.status == "disabled" else "active",
    )


def _usage_policy(policy: UsagePolicy, slugs: Mapping[str, str]) -> StateUsagePolicy:
    return StateUsagePolicy(
        workspace=slugs[policy.workspace_id],
        name=policy.name,
        id=policy.id,
        description=policy.description,
        conditions=_conditions(policy.conditions),
        group_by=list(policy.group_by),
        **_fields(usage_limits([policy.limit])[0]),
    )


def _rate_policy(policy: RatePolicy, slugs: Mapping[str, str]) -> StateRatePolicy:
    return StateRatePolicy(
        workspace=slugs[policy.workspace_id],
        name=policy.name,
        id=policy.id,
        description=policy.description,
        conditions=_conditions(policy.conditions),
        group_by=list(policy.group_by),
        target=policy.target,
        **_fields(rate_limits([policy.limit])[0]),
    )


def as_written(moment: datetime | None) -> datetime | None:
    """Return a time without what is finer than a document writes: its milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000) if moment is not None else None


def usage_limits(limits: Iterable[UsageLimit]) -> list[StateUsageLimit]:
    """Return budgets as they are written."""
    found = []
    for limit in limits:
        anchor, day = limit.anchor, limit.reset_on
        found.append(
            StateUsageLimit(
                type=limit.unit,
                credit_limit=write_amount(limit.cap, limit.unit),
                alert_threshold=write_amount(limit.alert_at, limit.unit) if limit.alert_at is not None else None,
                periodic_reset=limit.reset if limit.reset != "days" else None,
                periodic_reset_days=limit.reset_days,
                next_usage_reset_at=datetime.combine(day, time(), UTC) if day is not None else None,
                mode=limit.mode,
                admission=limit.admission,
                alert_thresholds=[permille / PERMILLE for permille in limit.alert_permille],
                reset_anchor=AnchorBody(
                    weekday=WEEKDAYS[anchor.weekday] if anchor.weekday is not None else None,
                    day_of_month=anchor.day_of_month,
                    timezone=anchor.timezone,
                )
                if anchor is not None
                else None,
                effective_from=limit.effective_from,
                on_unpriced=limit.on_unpriced,
                on_outage=limit.on_outage,
                note=limit.note,
            )
        )
    return found


def rate_limits(limits: Iterable[RateLimit]) -> list[StateRateLimit]:
    """Return rate limits as they are written."""
    return [
        msgspec.convert(msgspec.to_builtins(write_rate_limit(limit)), StateRateLimit, strict=False) for limit in limits
    ]


def _conditions(conditions: Sequence[Condition]) -> list[ConditionBody]:
    return [
        ConditionBody(key=each.key, value=each.value, excludes=each.excludes) for each in write_conditions(conditions)
    ]


def _fields(limit: StateUsageLimit | StateRateLimit) -> dict[str, Any]:
    return {name: getattr(limit, name) for name in limit.__struct_fields__}


def _settings(plain: Mapping[str, Raw], references: Mapping[str, str]) -> dict[str, Any]:
    """Return settings without what is secret; custom headers are left out, since some may be."""
    shown = write_settings(plain, references, {})
    shown.pop(CUSTOM_HEADERS, None)
    return {name: _json(each) if isinstance(each, Raw) else each for name, each in shown.items()}


def _json(raw: Raw) -> Any:
    return None if raw == NULL else msgspec.json.decode(raw)
