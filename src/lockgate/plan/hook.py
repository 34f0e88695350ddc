"""Where alerts go: an address of the operator's, and the secret that signs what is posted to it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from urllib.parse import urlsplit

from msgspec import Struct

from lockgate.config import AlertSettings
from lockgate.core.http import Origin
from lockgate.core.secret import Secret
from lockgate.errors import ConfigError

_SECRET_PREFIX = "whsec_"  # noqa: S105  # how secrets of the Standard Webhooks specification begin
_PORTS = {"http": 80, "https": 443}


class Hook(Struct, frozen=True, kw_only=True):
    """A webhook. Path and query of its address may be secret, as with chat services."""

    origin: Origin
    target: Secret
    """Path and query."""
    key: bytes | None = None
    """Signs each message; None: messages are not signed."""


def compile_hook(settings: AlertSettings, read_secret: Callable[[str], Secret]) -> Hook | None:
    """Return the webhook, None where there is none. Raises ConfigError, without the address."""
    if settings.webhook is None:
        if settings.secret is not None:
            raise ConfigError("alerts.secret: signs messages to alerts.webhook, which is missing")
        return None
    origin, target = _split(_read(settings.webhook, "alerts.webhook", read_secret))
    key = None
    if settings.secret is not None:
        key = _key(_read(settings.secret, "alerts.secret", read_secret))
    return Hook(origin=origin, target=target, key=key)


def _read(reference: str, where: str, read_secret: Callable[[str], Secret]) -> str:
    try:
        return read_secret(reference).reveal()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}") from None


def _split(url: str) -> tuple[Origin, Secret]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("alerts.webhook: not a URL") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigError('alerts.webhook: expected https://..., or "env:NAME" or "file:PATH" that holds it')
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError("alerts.webhook: write it in plain ASCII, percent-encoded where needed")
    if parts.username or parts.password:
        raise ConfigError("alerts.webhook: user and password do not belong in it; sign messages with alerts.secret")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(scheme=parts.scheme, host=parts.hostname, port=port or _PORTS[parts.scheme]), Secret(target)


def _key(text: str) -> bytes:
    if not text.startswith(_SECRET_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ConfigError(f"alerts.secret: what follows {_SECRET_PREFIX} is not Base64; copy it again, whole") from None
