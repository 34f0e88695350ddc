"""``x-portkey-custom-host``: a host that the caller chooses, guarded against reaching inside.

Source: gateway protocol specification, section 2.6. A record's own credential goes to such a host only when the
record allows it: otherwise anybody with a gateway key could have it sent to a server of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from msgspec import structs

from lockgate.dataplane.headers import text_of
from lockgate.errors import InvalidRequest
from lockgate.plan.resolve import Choice
from lockgate.ports import HostGuard

_HEADER = "x-portkey-custom-host"


def with_custom_host(
    choice: Choice,
    headers: Mapping[bytes, bytes],
    guard: HostGuard,
    trusted: frozenset[str],
    *,
    is_allowed: bool = False,
) -> Choice:
    """Return the choice with the caller's host in place. Raises InvalidRequest when the host is refused.

    ``is_allowed``: an operator chose the host, so that a record's credential may go there.
    """
    url = text_of(headers, _HEADER.encode())
    if url is None:
        return choice
    target = choice.target
    if not target.allow_custom_host and not is_allowed:
        raise InvalidRequest(
            f"custom host refused: provider @{target.slug} does not allow one (allow_custom_host)", path=_HEADER
        )
    origin = guard(url, trusted)
    path = quote(urlsplit(url).path.rstrip("/"), safe="/%:@!$&'()*+,;=~-._")
    return structs.replace(choice, target=structs.replace(target, origin=origin, base_path=path))
