"""Judging a config before it is saved: every fault with its path, and whether what it names is there.

Source: control-plane specification, section 2.7; gateway protocol specification, section 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from lockgate.config.routes import ConfigRules, Node, find_masks, read_config
from lockgate.errors import Fault, InvalidConfig, InvalidRequest
from lockgate.plan.configs import check_providers, named_providers
from lockgate.plan.snapshot import Snapshot
from lockgate.routing.compile import compile_routes
from lockgate.routing.tree import Routes
from lockgate.transport.address_guard import check_url

ConfigText: TypeAlias = dict[str, Any] | str
"""A config as clients send it: an object, or that as JSON text."""


class Judged(Struct, frozen=True, kw_only=True):
    """A config that may be saved."""

    text: str
    routes: Routes
    providers: tuple[str, ...]
    """The slugs of the provider records that it names."""
    warnings: tuple[Fault, ...]


def write_text(config: ConfigText) -> str:
    """Return the JSON text of a config. Raises InvalidRequest for what cannot be written."""
    if isinstance(config, str):
        return config
    try:
        return msgspec.json.encode(config).decode()
    except (UnicodeEncodeError, RecursionError):
        raise InvalidRequest("config: cannot be written as JSON", path="config") from None


def judge(
    text: str,
    snapshot: Snapshot,
    workspace_id: str,
    *,
    is_lenient: bool = False,
    also: frozenset[str] = frozenset(),
) -> Judged:
    """Return a config that is right. Raises InvalidConfig with all its faults.

    ``also`` are providers that are about to be there. When lenient, unknown keys and names of what is not there are
    warnings, and values out of range are clamped.
    """
    rules = rules_of(snapshot, is_saved=not is_lenient)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise InvalidConfig([Fault("", "holds half of a surrogate pair")]) from None
    config = read_config(data, rules)
    routes = compile_routes(config, "", is_saved=not is_lenient)
    masks = [Fault(path, "is the mask of a secret; send the secret") for path in find_masks(data)]
    missing = _missing(config.root, snapshot, workspace_id, also)
    faults = [*masks, *([] if is_lenient else missing)]
    if faults:
        raise InvalidConfig(faults)
    return Judged(
        text=text,
        routes=routes,
        providers=tuple(sorted(named_providers(config.root))),
        warnings=(*routes.warnings, *missing),
    )


def rules_of(snapshot: Snapshot, *, is_saved: bool) -> ConfigRules:
    """Return what configs are held against."""

    def judge_host(url: str) -> None:
        check_url(url, snapshot.trusted_hosts)

    return ConfigRules(providers=frozenset(snapshot.raw_targets), is_saved=is_saved, judge_host=judge_host)


def _missing(root: Node, snapshot: Snapshot, workspace_id: str, also: frozenset[str]) -> list[Fault]:
    """Return what a config names and the workspace does not have."""
    workspace = snapshot.workspaces.get(workspace_id)
    targets: Mapping[str, object] = workspace.targets if workspace is not None else {}
    faults = check_providers(root, targets.keys() | also)
    left = [("", root)]
    while left:
        path, node = left.pop()
        if node.prompt_id is not None:
            faults.append(Fault(f"{path}prompt_id", f"there is no prompt {node.prompt_id!r} in this workspace"))
        left += reversed([(f"{path}targets.{at}.", child) for at, child in enumerate(node.targets or ())])
    return faults
