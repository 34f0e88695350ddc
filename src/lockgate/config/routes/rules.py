"""Rules that a config must keep beyond the types of its values: what belongs together, names, limits.

Whether a slug, a prompt or a saved id exists is not asked here: a target that is never reached may name anything.
Source: gateway protocol specification, section 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from msgspec import Struct

from lockgate.config.routes.nodes import GUARDRAILS, BreakerSettings, Node, Strategy
from lockgate.core.json_path import read_path
from lockgate.errors import Fault, InvalidRequest

_LETTERS = re.compile(r"[^a-z0-9]")
_SLUG = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_ENOUGH = (
    "virtual_key",
    "cache",
    "retry",
    "prompt_id",
    "forward_headers",
    "request_timeout",
    "passthrough",
    "default_params",
    "drop_params",
    "override_params",
)
"""Any of these keys makes a config that says something."""


class ConfigRules(Struct, frozen=True, kw_only=True):
    """What configs are held against."""

    providers: frozenset[str]
    """The providers that may be named without ``@``."""
    is_saved: bool = False
    """Whether the config is to be saved: unknown keys and most values out of range are faults then."""
    judge_host: Callable[[str], None] | None = None
    """Raises InvalidRequest for a ``custom_host`` that may not be used."""
    size_bytes: int = 256 * 1024
    """The longest text."""
    root_targets: int = 100
    """The most targets of the root."""
    root_conditional_targets: int = 1000
    """The most targets of a root that is conditional."""
    nested_targets: int = 50
    """The most targets of a node below the root."""
    depth: int = 8
    """How deep targets may nest, the root counted."""
    nodes: int = 2000
    """The most nodes in all."""
    drop_paths: int = 100
    """The most paths of one ``drop_params``."""

    @property
    def most_targets(self) -> int:
        """The most targets that any node may have."""
        return max(self.root_targets, self.root_conditional_targets, self.nested_targets)


Found = Iterator[tuple[str, str]]
"""Paths, each with what is wrong there."""


def check_rules(
    root: Node, rules: ConfigRules, unread: Collection[str] = frozenset()
) -> tuple[list[Fault], list[Fault]]:
    """Return the faults of a tree, and what is worth a warning.

    ``unread`` are the paths that could not be read, or hold what could not: what is missing there, or does not go
    together with it, may be no fault of its own.
    """
    faults: list[Fault] = []
    warnings: list[Fault] = []
    left = [("", root, 1)]
    count = 0
    while left:
        path, node, depth = left.pop()
        count += 1
        if count > rules.nodes:
            faults.append(Fault("", f"more than {rules.nodes} targets in all"))
            break
        prefix = f"{path}." if path else ""
        found = (Fault(prefix + key, what) for key, what in _node_faults(node, rules, depth))
        faults += [fault for fault in found if not _is_unread(path, fault.path[len(prefix) :], unread, node)]
        warnings += [Fault(prefix + key, what) for key, what in _node_warnings(node)]
        if depth < rules.depth:
            below = [(f"{prefix}targets.{at}", child, depth + 1) for at, child in enumerate(node.targets or ())]
            left += reversed(below)
    return faults, warnings


def _is_unread(path: str, where: str, unread: Collection[str], node: Node) -> bool:
    """Tell whether the key of a node that a fault is about, or one that its rules look at, could not be read."""
    if path not in unread:
        return False
    key = where.partition(".")[0]
    if key == "provider" and node.provider is None:
        return True
    return any((f"{path}.{one}" if path else one) in unread for one in (key, *_LOOKED_AT.get(key, ())))


_TREE = ("strategy", "targets")
_LOOKED_AT = {"strategy": _TREE, "targets": _TREE}


def _node_faults(node: Node, rules: ConfigRules, depth: int) -> Found:
    yield from _router_faults(node, rules, depth)
    yield from _provider_faults(node, rules)
    for key in GUARDRAILS:
        if getattr(node, key):
            yield key, "guardrails are not supported yet; a config that names them is refused rather than ignored"
    for at, text in enumerate(node.forward_headers or ()):
        if _LETTERS.sub("", text.lower()) == "xportkeyforwardheaders":
            yield f"forward_headers.{at}", "the list may not name itself"
    yield from _drop_faults(node.drop_params or (), rules)
    if node.cb_config is not None:
        yield from _breaker_faults("cb_config", node.cb_config)
    if rules.is_saved and not _says_something(node):
        yield (
            "provider",
            "a target needs a provider with @, a provider with api_key or custom_host, a virtual_key, "
            "passthrough, targets with a strategy, or settings for the request",
        )


def _node_warnings(node: Node) -> Found:
    if node.cache is not None and node.cache.mode == "semantic":
        yield "cache.mode", "no semantic cache is set up; it acts as simple"
    is_balanced = node.strategy is not None and node.strategy.mode == "loadbalance"
    if is_balanced and node.targets and all(target.weight == 0 for target in node.targets):
        yield "targets", "the weights of all targets are 0: a request that comes here is refused"


def _router_faults(node: Node, rules: ConfigRules, depth: int) -> Found:
    strategy, targets = node.strategy, node.targets
    if strategy is None:
        if targets is not None and len(targets) != 1:
            yield "strategy", "several targets need a strategy"
    else:
        if not targets:
            yield "targets", "a strategy needs targets"
        yield from _strategy_faults(strategy, targets or (), rules)
    if not targets:
        return
    if depth >= rules.depth:
        yield "targets", f"targets nest deeper than {rules.depth} levels"
    most = rules.nested_targets
    if depth == 1:
        is_conditional = strategy is not None and strategy.mode == "conditional"
        most = rules.root_conditional_targets if is_conditional else rules.root_targets
    if len(targets) > most:
        yield "targets", f"more than {most} targets"


def _strategy_faults(strategy: Strategy, targets: tuple[Node, ...], rules: ConfigRules) -> Found:
    if strategy.cb_config is not None:
        yield from _breaker_faults("strategy.cb_config", strategy.cb_config)
    if strategy.mode != "conditional":
        return
    names = [target.name for target in targets]
    asked = [(f"strategy.conditions.{at}.then", c.then) for at, c in enumerate(strategy.conditions or ())]
    if strategy.conditions is None:
        yield "strategy.conditions", "a conditional strategy needs conditions"
    if strategy.default is None:
        yield "strategy.default", "a conditional strategy needs a default"
    else:
        asked.append(("strategy.default", strategy.default))
    for key, name in asked:
        if name not in names:
            yield key, f"there is no target with the name {name!r}"
        elif rules.is_saved and names.count(name) > 1:
            yield key, f"there is more than one target with the name {name!r}"


def _provider_faults(node: Node, rules: ConfigRules) -> Found:
    name = node.provider
    if name is not None and name.startswith("@"):
        if not _SLUG.fullmatch(name[1:]):
            yield "provider", "a slug holds letters, digits, '_', '-' and '.' only"
    elif name is not None and name not in rules.providers:
        known = ", ".join(sorted(rules.providers))
        yield "provider", f"invalid provider: {name[:64]!r} is neither a provider ({known}) nor a slug with @"
    if node.virtual_key is not None and not _SLUG.fullmatch(node.virtual_key.removeprefix("@")):
        yield "virtual_key", "a slug holds letters, digits, '_', '-' and '.' only"
    if node.custom_host is not None and rules.judge_host is not None:
        try:
            rules.judge_host(node.custom_host)
        except InvalidRequest as error:
            yield "custom_host", f"invalid custom host: {error.message}"


def _drop_faults(paths: tuple[str, ...], rules: ConfigRules) -> Found:
    if len(paths) > rules.drop_paths:
        yield "drop_params", f"more than {rules.drop_paths} paths"
        return
    for at, path in enumerate(paths):
        try:
            read_path(path)
        except ValueError as error:
            yield f"drop_params.{at}", str(error)


def _breaker_faults(key: str, settings: BreakerSettings) -> Found:
    if settings.failure_threshold is None and settings.failure_threshold_percentage is None:
        yield f"{key}.failure_threshold", "either failure_threshold or failure_threshold_percentage is required"


def _says_something(node: Node) -> bool:
    if any(getattr(node, key) is not None for key in _ENOUGH) or node.targets:
        return True
    cloud = node.cloud
    has_vertex_who = "vertex_service_account_json" in cloud or "vertex_project_id" in cloud
    return (
        (node.provider is not None and (node.provider.startswith("@") or bool(node.api_key or node.custom_host)))
        or {"aws_access_key_id", "aws_secret_access_key"} <= cloud.keys()
        or "aws_role_arn" in cloud
        or ("vertex_region" in cloud and has_vertex_who)
        or (node.resource_name is not None and bool(node.deployment_id or node.deployments))
        or "azure_foundry_url" in cloud
        or "azure_endpoint_name" in cloud
    )
