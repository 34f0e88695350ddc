"""Credentials and settings of integrations as clients send them: what is secret, what is kept elsewhere, what is shown.

A secret is never sent back. Whoever sends the mask in its place would overwrite the secret with it, so that is refused.
Source: control-plane specification, sections 2.3 and 2.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, UnsetType

from lockgate.admin.call import Call
from lockgate.core.secret import Secret
from lockgate.entities import Scope, SecretMapping, SecretReference
from lockgate.entities.secret_fields import (
    CONFIGURATIONS,
    CUSTOM_HEADERS,
    KEY,
    is_mask,
    is_secret_header,
    is_secret_setting,
    mask,
)
from lockgate.errors import ConfigError, Forbidden, InvalidRequest
from lockgate.plan.compile import extra_headers, split_base_url
from lockgate.transport.address_guard import check_url

KeyText: TypeAlias = Annotated[str, Meta(max_length=20_000)]
"""An empty one says nothing: clients send back what they were shown, and are shown no key."""
SettingsBody: TypeAlias = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=100)], Any], Meta(max_length=100)]
"""Settings by their names on the wire; each value is any JSON."""

CUSTOM_HOST = "custom_host"
_MASKED = "masked_"
_REFERENCE = re.compile(r"(env|file):(.+)", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = "LOCKGATE_"
"""Variables of the gateway itself: its master key must not become somebody's credential."""
_MAX_SETTING_BYTES = 100_000


class MappingBody(Struct, frozen=True, kw_only=True):
    """A secret that a secret reference holds."""

    target_field: Annotated[str, Meta(min_length=1, max_length=200)]
    """``key``, or ``configurations.NAME``."""
    secret_reference_id: Annotated[str, Meta(min_length=1, max_length=255)]
    """Its id or slug."""
    secret_key: Annotated[str, Meta(max_length=255)] | None = None
    value_format: Literal["string", "json"] | None = None


class MappingView(Struct, frozen=True, kw_only=True):
    """The same as we write it."""

    target_field: str
    secret_reference_id: str
    secret_key: str | None
    value_format: str


MappingsBody: TypeAlias = Annotated[list[MappingBody], Meta(max_length=50)]


class Settings(Struct, frozen=True, kw_only=True):
    """What is stored of an integration's or a model's settings."""

    plain: Mapping[str, Raw] = {}
    references: Mapping[str, str] = {}
    secrets: Mapping[str, Secret | None] = {}
    """What changes among the stored secrets; None removes one."""


def read_key(call: Call[Any, Any], text: str | UnsetType | None, old: Settings) -> Settings:
    """Return settings with another credential: a secret, or ``env:NAME`` or ``file:PATH``; None removes it, and an
    empty or missing one changes nothing.

    Raises InvalidRequest for a mask or for what no header can carry, Forbidden for a reference by somebody who may not
    make one.
    """
    if isinstance(text, UnsetType) or text == "":
        return old
    if text is not None and (text != text.strip() or not text.isprintable() or not text.isascii()):
        raise InvalidRequest("key: holds a space at an end, or characters that no header can carry", path="key")
    return _with_secret(call, old, KEY, text, KEY)


def read_settings(call: Call[Any, Any], given: Mapping[str, Any], old: Settings) -> Settings:
    """Return settings with what a partial update says: null removes one, what is not named stays.

    Raises InvalidRequest that names the setting.
    """
    found = old
    for name, value in given.items():
        path = CONFIGURATIONS + name
        if name.startswith(_MASKED):
            continue
        if name == CUSTOM_HEADERS:
            found = _with_headers(found, value, path)
        elif is_secret_setting(name):
            if value is not None and not isinstance(value, str):
                value = msgspec.json.encode(value).decode()
            found = _with_secret(call, found, path, value or None, path)
        else:
            found = _with_plain(call, found, name, value, path)
    return found


def write_settings(plain: Mapping[str, Raw], references: Mapping[str, str], masks: Mapping[str, str]) -> dict[str, Any]:
    """Return settings for the wire: secrets as ``masked_NAME``, those that are kept elsewhere as their reference."""
    shown: dict[str, Any] = dict(plain)
    for field, reference in references.items():
        if field.startswith(CONFIGURATIONS):
            shown[field.removeprefix(CONFIGURATIONS)] = reference
    for field, text in masks.items():
        if field.startswith(CONFIGURATIONS):
            shown[_MASKED + field.removeprefix(CONFIGURATIONS)] = text
    return shown


def read_mappings(
    call: Call[Any, Any], given: Sequence[MappingBody], workspace_id: str | None
) -> tuple[SecretMapping, ...]:
    """Return the mappings to store. Raises InvalidRequest for a field or a reference that is not there."""
    found: list[SecretMapping] = []
    for i, body in enumerate(given):
        where = f"secret_mappings[{i}]"
        field = body.target_field.replace("model_config.", CONFIGURATIONS, 1)
        if field != KEY and not field.startswith(CONFIGURATIONS):
            raise InvalidRequest(
                f"{where}.target_field: must be key, or configurations.NAME", path=f"{where}.target_field"
            )
        if any(field == other.target_field for other in found):
            raise InvalidRequest(f"{where}.target_field: {field} is mapped twice", path=f"{where}.target_field")
        found.append(
            SecretMapping(
                target_field=field,
                secret_reference_id=_reference(call, body.secret_reference_id, workspace_id, where),
                secret_key=body.secret_key or None,
                value_format=body.value_format or "string",
            )
        )
    return tuple(found)


def write_mappings(mappings: Sequence[SecretMapping]) -> list[MappingView]:
    """Return mappings for the wire."""
    return [
        MappingView(
            target_field=each.target_field,
            secret_reference_id=each.secret_reference_id,
            secret_key=each.secret_key,
            value_format=each.value_format,
        )
        for each in mappings
    ]


def has_key(settings: Settings, mappings: Sequence[SecretMapping]) -> bool:
    """Tell whether a new integration has a credential."""
    return (
        settings.secrets.get(KEY) is not None
        or KEY in settings.references
        or any(each.target_field == KEY for each in mappings)
    )


def _reference(call: Call[Any, Any], name: str, workspace_id: str | None, where: str) -> str:
    """Return the id of a secret reference that a workspace may use; its own keys do not see references otherwise."""
    with call.services.directory.read(Scope(organisation_id=call.principal.organisation_id)) as view:
        reference = view.find(SecretReference, name)
    if reference is None or not (reference.allow_all_workspaces or workspace_id in reference.allowed_workspaces):
        path = f"{where}.secret_reference_id"
        raise InvalidRequest(f"{path}: there is no such secret reference, or it is not for this workspace", path=path)
    return reference.id


def _with_secret(call: Call[Any, Any], old: Settings, field: str, text: str | None, path: str) -> Settings:
    references = {name: each for name, each in old.references.items() if name != field}
    if text is None:
        return msgspec.structs.replace(old, references=references, secrets={**old.secrets, field: None})
    if is_mask(text):
        raise InvalidRequest(
            f"{path}: is the mask of a secret; send the secret, or leave it out to keep the stored one", path=path
        )
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return msgspec.structs.replace(old, references=references, secrets={**old.secrets, field: Secret(text)})
    _check_reference(call, found[1], found[2], path)
    secrets = {name: each for name, each in old.secrets.items() if name != field}
    return msgspec.structs.replace(old, references={**references, field: text}, secrets=secrets)


def _check_reference(call: Call[Any, Any], scheme: str, place: str, path: str) -> None:
    """Refuse a reference by somebody who could read with it what is not theirs."""
    if "secret_references.create" not in call.principal.scopes:
        raise Forbidden(
            f"{path}: only who may make secret references may name a variable or a file; send the secret itself",
            path=path,
            wire_code="AB03",
        )
    if scheme == "env" and (not _VARIABLE.fullmatch(place) or place.startswith(_OURS)):
        raise InvalidRequest(f"{path}: expected env:NAME with a variable that is not the gateway's own", path=path)
    if scheme == "file" and (not place.startswith("/") or not place.isprintable()):
        raise InvalidRequest(f"{path}: expected file:PATH with the absolute path of a file", path=path)


def _with_plain(call: Call[Any, Any], old: Settings, name: str, value: object, path: str) -> Settings:
    plain = {key: each for key, each in old.plain.items() if key != name}
    if value is None or value == "":
        return msgspec.structs.replace(old, plain=plain)
    if name == CUSTOM_HOST:
        _check_host(call, value, path)
    text = msgspec.json.encode(value)
    if len(text) > _MAX_SETTING_BYTES:
        raise InvalidRequest(f"{path}: must have at most {_MAX_SETTING_BYTES} bytes", path=path)
    return msgspec.structs.replace(old, plain={**plain, name: Raw(text)})


def _check_host(call: Call[Any, Any], value: object, path: str) -> None:
    if not isinstance(value, str):
        raise InvalidRequest(f"{path}: expected a URL", path=path)
    check_url(value, call.services.snapshot().trusted_hosts, path=path)
    try:
        split_base_url(value, path)
    except ConfigError as error:
        raise InvalidRequest(error.message, path=path) from None


def _with_headers(old: Settings, value: object, path: str) -> Settings:
    """Custom headers are secret as a whole; what may be shown of them stands beside the plain settings."""
    plain = {key: each for key, each in old.plain.items() if key != CUSTOM_HEADERS}
    if value is None or value == {}:
        return msgspec.structs.replace(old, plain=plain, secrets={**old.secrets, CUSTOM_HEADERS: None})
    try:
        headers = msgspec.convert(value, dict[str, str])
        extra_headers(headers, path)
    except msgspec.ValidationError:
        raise InvalidRequest(f"{path}: expected an object of texts", path=path) from None
    except ConfigError as error:
        raise InvalidRequest(error.message, path=path) from None
    for name, text in headers.items():
        if is_secret_header(name) and is_mask(text):
            raise InvalidRequest(f"{path}.{name}: is the mask of a secret; send the secret", path=f"{path}.{name}")
    shown = {name: mask(text) if is_secret_header(name) else text for name, text in headers.items()}
    secret = Secret(msgspec.json.encode(headers).decode())
    return msgspec.structs.replace(
        old,
        plain={**plain, CUSTOM_HEADERS: Raw(msgspec.json.encode(shown))},
        secrets={**old.secrets, CUSTOM_HEADERS: secret},
    )
