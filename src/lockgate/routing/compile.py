"""From a config as it is written to the tree that is walked: inheritance resolved, names looked up, queries compiled.

Source: gateway protocol specification, section 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import msgspec
from msgspec import Raw, Struct

from lockgate.config.routes import BreakerSettings, CacheSettings, Config, Node, RetrySettings
from lockgate.config.routes import Strategy as StrategySettings
from lockgate.core.json_path import Path, read_path
from lockgate.core.json_text import text_of
from lockgate.core.metadata import Metadata, clean
from lockgate.core.secret import Secret
from lockgate.errors import Fault, InvalidConfig
from lockgate.routing.breaker import MIN_COOLDOWN_S, BreakerPolicy
from lockgate.routing.cache_policy import CachePolicy
from lockgate.routing.conditions import Comparison, Every, MalformedQuery, Query, Some, compile_query
from lockgate.routing.retry import DEFAULT_CODES, MAX_ATTEMPTS, RetryPolicy
from lockgate.routing.shaping import Shaping
from lockgate.routing.sticky import DEFAULT_TTL_S, Sticky, read_field
from lockgate.routing.strategies.conditional import Conditional, Rule
from lockgate.routing.strategies.fallback import Fallback
from lockgate.routing.strategies.loadbalance import LoadBalance
from lockgate.routing.strategies.single import Single
from lockgate.routing.tree import ROOT, Leaf, Pin, Router, Routes, Strategy, leaves
from lockgate.routing.tree import Node as Compiled

NO_CONFIG = Routes(root=Leaf(path=ROOT), id="", can_hold_thread=True)
"""What a request without a config is served by: one target that the request names."""

_SWITCHES = (
    "normalize_finish_reason",
    "map_thinking",
    "stream_commit",
    "anthropic_service_tier_mapping",
    "forced_tool_choice",
    "repair_tool_history",
    "mid_conversation_system",
)
_VENDOR = (
    "openai_organization openai_project openai_beta anthropic_version anthropic_beta resource_name deployment_id "
    "api_version deployments mistral_fim_completion"
).split()


class _Inherited(Struct, frozen=True, kw_only=True):
    """What a node hands down to its targets."""

    defaults: Mapping[str, Raw] = {}
    overrides: Mapping[str, Raw] = {}
    drops: tuple[Path, ...] = ()
    retry: RetrySettings | None = None
    cache: CacheSettings | None = None
    breaker: BreakerSettings | None = None
    timeout_ms: int | None = None
    custom_host: str | None = None
    forward_headers: tuple[str, ...] | None = None
    is_strict: bool | None = None
    switches: Mapping[str, str] = {}
    lists_models: bool = False


def compile_routes(config: Config, id: str, *, version: int | None = None, is_saved: bool = False) -> Routes:
    """Compile. Raises InvalidConfig for malformed queries when the config is to be saved; else they are warnings."""
    compiler = _Compiler(id)
    root = compiler.compile(config.root, _Inherited(), ROOT)
    if is_saved and compiler.faults:
        raise InvalidConfig(compiler.faults)
    return Routes(
        root=root,
        id=id,
        version=version,
        metadata=_metadata(config.root),
        needs_params=compiler.needs_params,
        needs_headers=compiler.needs_headers,
        can_hold_thread=_can_hold_thread(leaves(root)),
        has_many_models=len({_model_of(leaf) for leaf in leaves(root)}) > 1,
        warnings=(*config.warnings, *compiler.faults),
    )


def _can_hold_thread(targets: list[Leaf]) -> bool:
    return len(targets) == 1 and targets[0].cache is None


def _model_of(leaf: Leaf) -> bytes:
    """Return the model that a target sets, as JSON; nothing when the request names it."""
    shaping = leaf.shaping
    return bytes(shaping.overrides.get("model") or shaping.defaults.get("model") or b"")


class _Compiler:
    """Compiles one config and notes what it finds on the way."""

    def __init__(self, id: str) -> None:
        self._id = id
        self.faults: list[Fault] = []
        self.needs_params = False
        self.needs_headers = False

    def compile(self, node: Node, above: _Inherited, path: str) -> Compiled:
        """Compile a node with what lies below it."""
        effective = _merged(node, above)
        if not node.targets:
            return _leaf(node, effective, path)
        children = tuple(
            self.compile(child, effective, f"{path}.targets[{at}]") for at, child in enumerate(node.targets)
        )
        return Router(
            path=path,
            strategy=self._strategy(node, node.targets, path),
            children=children,
            has_breakers=any(leaf.breaker is not None for child in children for leaf in leaves(child)),
        )

    def _strategy(self, node: Node, targets: tuple[Node, ...], path: str) -> Strategy:
        settings = node.strategy
        if settings is None:
            return Single()
        match settings.mode:
            case "single":
                return Single()
            case "fallback":
                codes = node.on_status_codes if settings.on_status_codes is None else settings.on_status_codes
                return Fallback(codes=frozenset(codes) if codes else None)
            case "loadbalance":
                weights = tuple(1.0 if target.weight is None else target.weight for target in targets)
                return LoadBalance(weights=weights, sticky=self._sticky(settings, path))
            case "conditional":
                return self._conditional(settings, targets, path)
            case _:
                assert_never(settings.mode)

    def _sticky(self, settings: StrategySettings, path: str) -> Sticky | None:
        sticky = settings.sticky
        if sticky is None or not sticky.enabled or not sticky.hash_fields:
            return None
        fields = tuple(map(read_field, sticky.hash_fields))
        self.needs_params |= any(field.root == "params" for field in fields)
        self.needs_headers |= any(field.root == "headers" for field in fields)
        ttl_s = DEFAULT_TTL_S if sticky.ttl is None else sticky.ttl
        return Sticky(fields=fields, ttl_s=ttl_s, owner=self._id, path=path)

    def _conditional(self, settings: StrategySettings, targets: tuple[Node, ...], path: str) -> Conditional:
        names = [target.name for target in targets]
        rules = []
        for at, condition in enumerate(settings.conditions or ()):
            query = None
            try:
                query = compile_query(condition.query)
                self.needs_params |= _looks_into_body(query)
            except MalformedQuery as error:
                where = _written(path, f"strategy.conditions.{at}.query")
                self.faults.append(Fault(where, f"{error}; the condition never holds"))
            rules.append(Rule(query, names.index(condition.then)))
        return Conditional(rules=tuple(rules), default=names.index(settings.default))


def _merged(node: Node, above: _Inherited) -> _Inherited:
    """Return a node's own values, those from above where it has none."""
    own_breaker = node.strategy.cb_config if node.strategy is not None else None
    return _Inherited(
        defaults={**above.defaults, **(node.default_params or {})},
        overrides={**above.overrides, **(node.override_params or {})},
        drops=above.drops if node.drop_params is None else tuple(map(read_path, node.drop_params)),
        retry=node.retry or above.retry,
        cache=node.cache or above.cache,
        breaker=own_breaker or node.cb_config or above.breaker,
        timeout_ms=node.request_timeout or above.timeout_ms,
        custom_host=node.custom_host or above.custom_host,
        forward_headers=above.forward_headers if node.forward_headers is None else node.forward_headers,
        is_strict=above.is_strict if node.strict_open_ai_compliance is None else node.strict_open_ai_compliance,
        switches={**above.switches, **_switches(node)},
        lists_models=above.lists_models if node.fetch_integrated_models is None else node.fetch_integrated_models,
    )


def _switches(node: Node) -> dict[str, str]:
    said = {key: getattr(node, key) for key in _SWITCHES}
    return {key: str(value).lower() for key, value in said.items() if value is not None}


def _leaf(node: Node, effective: _Inherited, path: str) -> Leaf:
    return Leaf(
        path=path,
        pin=_pin(node, effective, path),
        name=node.name,
        prompt_id=node.prompt_id,
        shaping=Shaping(defaults=effective.defaults, overrides=effective.overrides, drops=effective.drops),
        retry=_retry(effective.retry),
        cache=CachePolicy(mode=effective.cache.mode, max_age_s=effective.cache.max_age) if effective.cache else None,
        breaker=_breaker(effective.breaker),
        timeout_ms=effective.timeout_ms,
        custom_host=effective.custom_host,
        forward_headers=effective.forward_headers,
        is_strict=effective.is_strict,
        switches=effective.switches,
        lists_models=effective.lists_models,
    )


def _pin(node: Node, effective: _Inherited, path: str) -> Pin:
    slug, provider = None, None
    if node.virtual_key is not None:
        slug = node.virtual_key.removeprefix("@")
    elif node.provider is not None and node.provider.startswith("@"):
        slug = node.provider[1:]
    else:
        provider = node.provider
    model = text_of(effective.overrides.get("model")) or ""
    found, slash, _ = model.removeprefix("@").partition("/")
    vendor: dict[str, Secret | str] = {**node.cloud}
    for key in _VENDOR:
        value = getattr(node, key)
        if value is not None:
            vendor[key] = _header_text(value)
    return Pin(
        slug=slug,
        provider=provider,
        model_slug=found if model.startswith("@") and slash else None,
        api_key=node.api_key,
        is_root=path == ROOT,
        vendor=vendor,
    )


def _header_text(value: object) -> str:
    """Return a vendor's setting as the header says it: a list of words with commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return msgspec.json.encode(value).decode()


def _metadata(root: Node) -> Metadata:
    return clean({key: msgspec.json.decode(raw) for key, raw in (root.metadata or {}).items()}).values


def _retry(settings: RetrySettings | None) -> RetryPolicy | None:
    if settings is None or settings.attempts < 1:
        return None
    return RetryPolicy(
        attempts=min(settings.attempts, MAX_ATTEMPTS),
        codes=frozenset(settings.on_status_codes) if settings.on_status_codes else DEFAULT_CODES,
        uses_retry_after=bool(settings.use_retry_after_headers or settings.use_retry_after_header),
    )


def _breaker(settings: BreakerSettings | None) -> BreakerPolicy | None:
    if settings is None:
        return None
    return BreakerPolicy(
        cooldown_s=max(settings.cooldown_interval / 1000, MIN_COOLDOWN_S),
        failures=settings.failure_threshold,
        percentage=settings.failure_threshold_percentage,
        minimum=settings.minimum_requests or 1,
        codes=frozenset(settings.failure_status_codes) if settings.failure_status_codes else None,
    )


def _looks_into_body(query: Query) -> bool:
    if isinstance(query, Every | Some):
        return any(map(_looks_into_body, query.parts))
    assert isinstance(query, Comparison)
    return query.root == "params"


def _written(path: str, below: str) -> str:
    """Return where something stands in the config as its faults name it: ``targets.0.strategy``."""
    return f"{path}.{below}".removeprefix(f"{ROOT}.").replace("[", ".").replace("]", "")
