"""What ``x-portkey-config`` holds: a config, or the id of a saved one."""

from __future__ import annotations

import base64
import binascii

from msgspec import Struct


class ConfigReference(Struct, frozen=True, kw_only=True):
    """One of the two is set: the JSON text of a config, or the id of a saved one."""

    text: bytes | None = None
    id: str | None = None

    def decoded(self) -> bytes | None:
        """Return the JSON that an id which nobody knows turns out to be, when it is one in base64; else None."""
        if self.id is None:
            return None
        try:
            data = base64.b64decode(self.id, validate=True).strip()
        except (binascii.Error, ValueError):
            return None
        return data if data.startswith(b"{") else None


def read_reference(value: str) -> ConfigReference | None:
    """Read the header's value: text that begins with ``{`` is a config, other text an id, none is no reference."""
    value = value.strip()
    if not value:
        return None
    if value.startswith("{"):
        return ConfigReference(text=value.encode())
    return ConfigReference(id=value)
