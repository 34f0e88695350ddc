"""``/integrations/{slug}/models``: which models an integration offers, the operator's own ones, and what they cost.

Source: control-plane specification, section 2.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from lockgate.admin.call import Call
from lockgate.admin.catalog import MOUNTS, find_integration, level_access
from lockgate.admin.changes import given
from lockgate.admin.credentials import Settings, SettingsBody, read_settings, write_settings
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.times import write_time
from lockgate.catalog.prices_terms import (
    CENTS,
    PER_MILLION,
    in_cents,
    in_dollars_per_million,
    read_pricing_config,
)
from lockgate.entities import NULL, Integration, IntegrationModel
from lockgate.errors import InvalidRequest, NotFound
from lockgate.store.reading import Reading

Slug: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


class ModelBody(Struct, frozen=True, kw_only=True):
    """One model: what is missing stays, null clears."""

    slug: Slug
    """Its id, as it is sent to the provider."""
    name: Slug | UnsetType | None = UNSET
    enabled: bool | UnsetType | None = UNSET
    is_custom: bool | UnsetType | None = UNSET
    """Whether it is the operator's own."""
    is_finetune: bool | UnsetType | None = UNSET
    base_model_slug: Slug | UnsetType | None = UNSET
    """The model whose dialect and facts a custom one has."""
    configurations: SettingsBody | UnsetType | None = UNSET
    """``custom_host`` and ``custom_headers``."""
    pricing_config: dict[str, Any] | UnsetType | None = UNSET
    """US cents per token, or with ``"unit": "usd_per_million_tokens"`` dollars; the page of prices has an example."""
    capabilities: list[Slug] | UnsetType | None = UNSET
    context_window: Annotated[int, Meta(ge=1, le=10**9)] | UnsetType | None = UNSET
    max_output_tokens: Annotated[int, Meta(ge=1, le=10**9)] | UnsetType | None = UNSET
    deprecated_at: datetime | UnsetType | None = UNSET


class ModelsPatch(Struct, frozen=True, kw_only=True):
    """What changes. Models that are not listed stay as they are."""

    allow_all_models: bool | None = None
    models: Annotated[list[ModelBody], Meta(max_length=2000)] | None = None


class ModelsGone(Struct, frozen=True, kw_only=True):
    """Which models to remove, or to put back to what they were."""

    models: list[Slug] | None = None


class SlugsQuery(Struct, frozen=True, kw_only=True):
    """The same in the query, with commas between them."""

    slugs: str | None = None


class ModelView(Struct, frozen=True, kw_only=True):
    """A model that the integration knows."""

    slug: str
    name: str | None
    enabled: bool
    is_custom: bool
    is_finetune: bool
    base_model_slug: str | None
    configurations: dict[str, Any]
    pricing_config: dict[str, Any] | None
    capabilities: list[str]
    context_window: int | None
    max_output_tokens: int | None
    deprecated_at: str | None
    created_at: str | None
    last_updated_at: str | None


class ModelsView(Struct, frozen=True, kw_only=True):
    """The models of an integration: those that somebody set up, then those that the price book knows."""

    models: list[ModelView]
    allow_all_models: bool
    total: int
    object: str = "list"


class ModelsChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What looks wrong, though it was done."""

    warnings: list[str] = []


def retrieve(call: Call[Nothing, Nothing]) -> Answer:
    """List the models of an integration."""
    with call.view() as view:
        integration = find_integration(call, view, "read")
        own = view.all(IntegrationModel, integration_id=integration.id)
    models = [_view(each) for each in reversed(own)]
    models += _others(call, integration, {each.slug for each in own})
    body = ModelsView(models=models, allow_all_models=integration.allow_all_models, total=len(models))
    return Answer(body=body, version=integration.version)


def update(call: Call[ModelsPatch, Nothing]) -> Answer:
    """Say which models there are, which may be used, and what they cost."""
    body = call.body
    warnings: list[str] = []
    with call.change() as tx:
        integration = find_integration(call, tx, "update")
        version = call.expect(integration)
        if body.allow_all_models is not None:
            changed = msgspec.structs.replace(integration, allow_all_models=body.allow_all_models)
            integration = tx.update(changed, expected_version=version)
        for i, each in enumerate(body.models or ()):
            old = _find(tx, integration, each.slug)
            model, settings, found = _patched(call, integration, old, each, f"models[{i}]")
            warnings += found
            if old is None:
                warnings += _unknown(call, integration, model)
                secrets = {name: secret for name, secret in settings.secrets.items() if secret is not None}
                tx.insert(model, secrets=secrets)
            else:
                tx.update(model, secrets=settings.secrets)
    return Answer(body=ModelsChanged(warnings=warnings), version=integration.version)


def delete(call: Call[ModelsGone, SlugsQuery]) -> None:
    """Remove models of the operator's own; others are as they were at first."""
    slugs = [slug.strip() for slug in (call.query.slugs or "").split(",") if slug.strip()]
    slugs += call.body.models or []
    if not slugs:
        raise InvalidRequest("slugs: is missing; name the models, with commas between them", path="slugs")
    with call.change() as tx:
        integration = find_integration(call, tx, "update")
        for slug in dict.fromkeys(slugs):
            model = _find(tx, integration, slug)
            if model is None:
                if slug in call.services.snapshot().prices.models_of(integration.provider):
                    continue
                raise NotFound(f"Integration '{integration.slug}' has no model {slug[:64]!r}", path="slugs")
            tx.archive(model)


def _find(view: Reading, integration: Integration, slug: str) -> IntegrationModel | None:
    found = view.all(IntegrationModel, integration_id=integration.id, slug=slug)
    return found[0] if found else None


def _patched(
    call: Call[Any, Any], integration: Integration, old: IntegrationModel | None, body: ModelBody, where: str
) -> tuple[IntegrationModel, Settings, Sequence[str]]:
    """Return a model as a partial update leaves it, its changed secrets, and what looks wrong."""
    model = old or IntegrationModel(integration_id=integration.id, slug=body.slug)
    settings = Settings(plain=model.configurations, references=model.references)
    if body.configurations is None:
        settings = Settings(secrets=dict.fromkeys(model.masks))
    elif not isinstance(body.configurations, UnsetType):
        settings = read_settings(call, body.configurations, settings)
    pricing: Raw = model.pricing
    warnings: tuple[str, ...] = ()
    if not isinstance(body.pricing_config, UnsetType):
        pricing, warnings = _pricing(body.pricing_config, where, body.slug)
    deprecated_at = body.deprecated_at
    changed = msgspec.structs.replace(
        model,
        name=given(body.name, model.name),
        is_enabled=_flag(body.enabled, model.is_enabled, usual=True),
        is_custom=_flag(body.is_custom, model.is_custom),
        is_finetune=_flag(body.is_finetune, model.is_finetune),
        base_model_slug=given(body.base_model_slug, model.base_model_slug),
        configurations=settings.plain,
        references=settings.references,
        pricing=pricing,
        capabilities=model.capabilities if isinstance(body.capabilities, UnsetType) else tuple(body.capabilities or ()),
        context_window=given(body.context_window, model.context_window),
        max_output_tokens=given(body.max_output_tokens, model.max_output_tokens),
        deprecated_at=model.deprecated_at
        if isinstance(deprecated_at, UnsetType)
        else write_time(deprecated_at)
        if deprecated_at is not None
        else None,
    )
    return changed, settings, warnings


def _unknown(call: Call[Any, Any], integration: Integration, model: IntegrationModel) -> Iterator[str]:
    """Yield a warning of a new model that may be misspelt: it is said to be the provider's, and has no price."""
    prices, provider = call.services.snapshot().prices, integration.provider
    if model.is_custom or model.is_finetune or model.base_model_slug is not None or model.pricing != NULL:
        return
    known = prices.models_of(provider)
    if not known or prices.find(provider, model.slug, call.now.timestamp()) is not None:
        return
    near = get_close_matches(model.slug, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    yield f"{model.slug}: {provider} has no such model in the price book, so that it has no price{hint}"


def _flag(asked: bool | UnsetType | None, old: bool, *, usual: bool = False) -> bool:
    """Return a switch: what is missing stays, null puts it back to what it usually is."""
    if isinstance(asked, UnsetType):
        return old
    return usual if asked is None else asked


def _pricing(asked: dict[str, Any] | None, where: str, slug: str) -> tuple[Raw, tuple[str, ...]]:
    if not asked:
        return NULL, ()
    raw = msgspec.json.encode({name: value for name, value in asked.items() if name not in (PER_MILLION, "warnings")})
    try:
        stated = read_pricing_config(raw)
    except ValueError as error:
        path = f"{where}.{str(error).partition(':')[0]}"
        raise InvalidRequest(f"{where}.{error}", path=path) from None
    return Raw(raw), tuple(f"{slug}: {warning}" for warning in stated.warnings)


def _others(call: Call[Any, Any], integration: Integration, known: set[str]) -> Iterator[ModelView]:
    """Return the models that the price book knows of the provider and that nobody has changed."""
    for slug in sorted(call.services.snapshot().prices.models_of(integration.provider)):
        if slug not in known:
            yield ModelView(
                slug=slug,
                name=None,
                enabled=integration.allow_all_models,
                is_custom=False,
                is_finetune=False,
                base_model_slug=None,
                configurations={},
                pricing_config=None,
                capabilities=[],
                context_window=None,
                max_output_tokens=None,
                deprecated_at=None,
                created_at=None,
                last_updated_at=None,
            )


def _view(model: IntegrationModel) -> ModelView:
    return ModelView(
        slug=model.slug,
        name=model.name,
        enabled=model.is_enabled,
        is_custom=model.is_custom,
        is_finetune=model.is_finetune,
        base_model_slug=model.base_model_slug,
        configurations=write_settings(model.configurations, model.references, model.masks),
        pricing_config=write_pricing(model.pricing),
        capabilities=list(model.capabilities),
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        deprecated_at=model.deprecated_at,
        created_at=write_time(model.created_at),
        last_updated_at=write_time(model.updated_at),
    )


def write_pricing(raw: Raw) -> dict[str, Any] | None:
    """Return a stated price in both units: cents per token, and dollars per million tokens."""
    if raw == NULL:
        return None
    stated = read_pricing_config(bytes(raw))
    card, batch = stated.terms.card, stated.terms.batch
    assert card is not None
    shown: dict[str, Any] = {
        "type": "static",
        "unit": CENTS,
        "currency": "USD",
        "pay_as_you_go": in_cents(card),
        PER_MILLION: in_dollars_per_million(card),
    }
    if batch is not None:
        shown["batch_config"] = in_cents(batch)
    if stated.warnings:
        shown["warnings"] = list(stated.warnings)
    return shown


_PATH = "/integrations/{slug}/models"

ENDPOINTS = (
    Endpoint(
        method="GET",
        path=_PATH,
        access=level_access("read"),
        summary="List the models of an integration",
        reply=ModelsView,
        handler=retrieve,
        mounts=MOUNTS,
    ),
    Endpoint(
        method="PUT",
        path=_PATH,
        access=level_access("update"),
        summary="Say which models an integration offers, and what they cost",
        body=ModelsPatch,
        reply=ModelsChanged,
        handler=update,
        mounts=MOUNTS,
    ),
    Endpoint(
        method="DELETE",
        path=_PATH,
        access=level_access("update"),
        summary="Remove custom models, and put others back to what they were",
        body=ModelsGone,
        query=SlugsQuery,
        handler=delete,
        mounts=MOUNTS,
    ),
)
