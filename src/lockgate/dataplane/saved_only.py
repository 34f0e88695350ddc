"""Workspaces where requests may only use what is saved: no configs, providers, hosts and headers of the caller's own.

Source: control-plane specification, section 7.5.
"""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.core.secret import Secret
from lockgate.dataplane.headers import provider_of
from lockgate.errors import InvalidRequest
from lockgate.plan.snapshot import Workspace

_HOW = "this workspace serves only what is saved in it"


def refuse_unsaved(workspace: Workspace, headers: Mapping[bytes, bytes], credential: Secret | None) -> None:
    """Raise InvalidRequest for what the headers bring along and nobody has saved; inline configs are refused where
    they are read."""
    provider = provider_of(headers)
    if provider and not provider.startswith("@") and (credential is not None or provider not in workspace.targets):
        raise _refusal("provider", "x-portkey-provider", "name one as @slug, without a key of your own")
    if b"x-portkey-custom-host" in headers:
        raise _refusal("custom_host", "x-portkey-custom-host", "set the host on the integration")
    if b"x-portkey-forward-headers" in headers:
        raise _refusal("forward_headers", "x-portkey-forward-headers", "set headers on the integration")


def inline_config_refusal() -> InvalidRequest:
    """Return the refusal of a config that came with a request."""
    return _refusal("config", "x-portkey-config", "save the config, and name it by its slug")


def _refusal(what: str, header: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(f"{header}: {_HOW}; {remedy}", path=header, wire_code=f"inline_{what}_blocked")
