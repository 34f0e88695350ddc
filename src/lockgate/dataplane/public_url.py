"""The address under which a client reaches us, for addresses that stand in answers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lockgate.dataplane.headers import text_of
from lockgate.plan.snapshot import Snapshot

_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.ASCII)


def public_url(snapshot: Snapshot, headers: Mapping[bytes, bytes], scheme: str) -> str:
    """Return scheme and host as the configuration, a trusted proxy or the request says; "" when none of them does."""
    if snapshot.public_url is not None:
        return snapshot.public_url
    host = text_of(headers, b"host") or ""
    if snapshot.trusts_forwarded:
        host = _first(headers, b"x-forwarded-host") or host
        scheme = _first(headers, b"x-forwarded-proto") or scheme
    if not _HOST.fullmatch(host):
        return ""
    return f"{'https' if scheme == 'https' else 'http'}://{host}"


def _first(headers: Mapping[bytes, bytes], name: bytes) -> str:
    """Return the first value of a list: what the proxy nearest to the client saw."""
    return (text_of(headers, name) or "").partition(",")[0].strip().lower()
