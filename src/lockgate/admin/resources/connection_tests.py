"""``POST /integrations/{slug}/test``: does the credential work? One cheap call to the provider, and what it shows.

Source: control-plane specification, section 5.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from lockgate.admin.call import Call, Services
from lockgate.admin.catalog import MOUNTS, find_integration, level_access
from lockgate.admin.diagnosis import Diagnosis, of_error, of_status, shown_words
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.core.http import Timeouts, UpstreamRequest
from lockgate.core.secret import Secret
from lockgate.entities import IntegrationModel
from lockgate.errors import ConfigError, GatewayError, InvalidRequest
from lockgate.plan.snapshot import Target

_TIMEOUTS = Timeouts(pool_s=5.0, connect_s=5.0, tls_s=5.0, write_s=5.0, first_byte_s=15.0, idle_s=10.0, total_s=20.0)
_ANSWER_BYTES = 8 * 1024 * 1024
_MULTIPLE_CHOICES = 300
_NO_LIST = frozenset({404, 405, 501})
_JSON = b"application/json"


class TrialBody(Struct, frozen=True, kw_only=True):
    """What to call."""

    model: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    """A model, to be asked for one token; when left out, models are listed, which costs nothing."""


class TrialView(Struct, frozen=True, kw_only=True):
    """What the call showed."""

    ok: bool
    status: str
    """``success`` or ``failure``."""
    code: str
    """What was found, for programs: ``ok``, ``wrong_key``, ``dns``, ..."""
    message: str
    """What was found, and what to do about it."""
    provider_message: str | None
    provider_status: int | None
    """The status of the provider's answer, when there was one."""
    checked: str
    """``models``: its models were listed; ``chat``: a model was asked for one token; ``nothing``: no call was made."""
    model: str | None
    model_count: int | None
    host: str | None
    latency_ms: int | None
    object: str = "connection-test"


class _Answered(Struct, frozen=True, kw_only=True):
    """What a call led to."""

    diagnosis: Diagnosis
    status: int | None = None
    model: str | None = None
    model_count: int | None = None
    latency_s: float | None = None


def try_connection(call: Call[TrialBody, Nothing]) -> Awaitable[TrialView]:
    """Try an integration's credential."""
    with call.view() as view:
        integration = find_integration(call, view, "update")
        models = view.all(IntegrationModel, integration_id=integration.id)
        secrets = list(view.secrets_of(integration).values())
    model = call.body.model
    try:
        target = call.services.lead_to(integration)
    except GatewayError as error:
        return _fail(of_error(error), model)
    if target.secret is not None:
        secrets.append(target.secret)
    return _run(call.services, target, model, _a_model(models), secrets)


def _a_model(models: Iterable[IntegrationModel]) -> str | None:
    """Return a model that somebody has set up, for providers that list none."""
    return next((each.slug for each in models if each.is_enabled), None)


async def _fail(diagnosis: Diagnosis, model: str | None) -> TrialView:
    return _result(_Answered(diagnosis=diagnosis, model=model), None, "nothing", ())


async def _run(
    services: Services, target: Target, model: str | None, spare_model: str | None, secrets: Iterable[Secret]
) -> TrialView:
    if model is None and target.provider.models is not None:
        answered = await _try(services, target, None)
        if answered.status not in _NO_LIST or spare_model is None:
            return _result(answered, target, "models", secrets)
    model = model or spare_model
    if model is None:
        raise InvalidRequest(
            "model: this provider lists no models; name one, and it is asked for one token", path="model"
        )
    return _result(await _try(services, target, model), target, "chat", secrets)


async def _try(services: Services, target: Target, model: str | None) -> _Answered:
    begun_s = asyncio.get_running_loop().time()
    try:
        response = await services.upstream.send(_request(services, target, model))
        try:
            body = await response.read(_ANSWER_BYTES)
        finally:
            response.close()
        dialect = services.dialects[target.provider.dialect]
        is_refused = response.status >= _MULTIPLE_CHOICES
        rejected = dialect.read_error(response.status, body) if is_refused else None
        count = len(dialect.read_models(body)) if rejected is None and model is None else None
    except GatewayError as error:
        return _Answered(diagnosis=of_error(error), model=model)
    return _Answered(
        diagnosis=of_status(response.status, rejected, model),
        status=response.status,
        model=model,
        model_count=count,
        latency_s=asyncio.get_running_loop().time() - begun_s,
    )


def _request(services: Services, target: Target, model: str | None) -> UpstreamRequest:
    """Return a list of models, or the smallest call of one. Raises ConfigError."""
    provider = target.provider
    dialect = services.dialects.get(provider.dialect)
    if dialect is None:
        raise ConfigError(f"nothing is known about the dialect of {provider.name}")
    headers = dict(dialect.client_headers({}))
    headers |= {b"accept": _JSON, b"accept-encoding": b"identity", b"user-agent": b"lockgate"}
    headers |= dict(target.extra_headers)
    if target.auth_also is not None:
        name, value = target.auth_also
        headers[name] = headers[name] + b"," + value if name in headers else value
    headers |= dict(target.auth_headers)
    body = b""
    if model is None:
        assert provider.models is not None
        path = target.path_of(provider.models.path)
        if provider.models.page_query:
            path += b"?" + provider.models.page_query.encode("ascii")
    else:
        path = target.path_of(provider.chat.path)
        headers[b"content-type"] = _JSON
        message = {"role": "user", "content": "Hi"}
        body = msgspec.json.encode({"model": model, "max_tokens": 1, "messages": [message]})
    return UpstreamRequest(
        method="POST" if body else "GET",
        origin=target.origin,
        target=path,
        headers=list(headers.items()),
        body=body,
        timeouts=_TIMEOUTS,
    )


def _result(answered: _Answered, target: Target | None, checked: str, secrets: Iterable[Secret]) -> TrialView:
    diagnosis = answered.diagnosis
    is_ok = diagnosis.code == "ok"
    return TrialView(
        ok=is_ok,
        status="success" if is_ok else "failure",
        code=diagnosis.code,
        message=diagnosis.message,
        provider_message=shown_words(diagnosis.provider_message, secrets),
        provider_status=answered.status,
        checked=checked,
        model=answered.model,
        model_count=answered.model_count,
        host=target.origin.host if target is not None else None,
        latency_ms=round(answered.latency_s * 1000) if answered.latency_s is not None else None,
    )


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST",
        path="/integrations/{slug}/test",
        access=level_access("update"),
        summary="Try an integration's credential with one cheap call",
        body=TrialBody,
        reply=TrialView,
        handler=try_connection,
        is_waiting=True,
        mounts=MOUNTS,
    ),
)
