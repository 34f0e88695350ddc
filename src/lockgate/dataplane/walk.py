"""The way of one request through its config: which target, after which wait, and what an outcome leads to.

``routing`` decides; this asks it, calls the targets and keeps what the decisions need. An attempt that fails before the
client has got a byte may be followed by another one; from the first byte on it is the answer, whatever becomes of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Raw

from lockgate.config.routes import ConfigRules, read_reference
from lockgate.core.body import Peek, peek
from lockgate.core.json_text import object_keys
from lockgate.core.metadata import Metadata, merge
from lockgate.dataplane.headers import decode, text_of
from lockgate.dataplane.saved_only import inline_config_refusal
from lockgate.dataplane.seals import SealOwners
from lockgate.errors import GatewayError, InvalidRequest, LimitReached, NoTarget, TimedOut, Unsupported, UpstreamError
from lockgate.plan.snapshot import GatewayKey, Workspace
from lockgate.routing.breaker import BreakerPolicy, CircuitBook, Observation
from lockgate.routing.compile import NO_CONFIG
from lockgate.routing.inline import InlineConfigs
from lockgate.routing.machine import Call, Step, Stop, begin, proceed
from lockgate.routing.outcome import Origin, Outcome, outcome_of
from lockgate.routing.scene import Scene, read_timeout_ms
from lockgate.routing.shaping import shape_body
from lockgate.routing.sticky import Assignments
from lockgate.routing.tree import Leaf, Routes

if TYPE_CHECKING:
    from lockgate.dataplane.exchange import Exchange

_log = logging.getLogger("lockgate.configs")

_CONFIG = b"x-portkey-config"
_MOST_TOLD = 1000
_LONGEST_WARNING = 1000
_TIMEOUT = b"x-portkey-request-timeout"
_ONLY_TARGET = begin(NO_CONFIG, Scene(path="", roll=lambda: 0.0))
"""The first step of every request that has no config and names no time limit."""
_BETA, _VERSION = b"x-portkey-anthropic-beta", b"x-portkey-anthropic-version"
_VENDOR_HEADERS = frozenset(
    {"openai_organization", "openai_project", "openai_beta", "anthropic_version", "anthropic_beta"}
)
"""Settings of a target that are headers of the provider's own; the others belong to providers that we do not have."""


class Crossroads:
    """What requests share: compiled inline configs, circuits, sticky assignments."""

    def __init__(self, providers: frozenset[str], circuits: CircuitBook) -> None:
        self.inline = InlineConfigs(ConfigRules(providers=providers))
        self.circuits = circuits
        self._told: set[str] = set()
        self.assignments = Assignments()
        self.seals = SealOwners()

    def routes_of(self, workspace: Workspace, key: GatewayKey | None, headers: Mapping[bytes, bytes]) -> Routes:
        """Return the config of a request: its own, else the key's, else the workspace's; they never mix.

        Raises InvalidConfig and InvalidRequest.
        """
        default = (key.config_id if key is not None else None) or workspace.config_id
        value = text_of(headers, _CONFIG)
        if value is None:
            return NO_CONFIG if default is None else _saved(workspace, default)
        if key is not None and not key.allow_config_override and value != default:
            raise InvalidRequest(
                f"x-portkey-config: the key {key.name} does not allow another config than its own",
                path="x-portkey-config",
            )
        reference = read_reference(value)
        if reference is None:
            return NO_CONFIG
        if reference.text is not None:
            return self._inline(workspace, reference.text)
        if reference.id not in workspace.configs:
            text = reference.decoded()
            if text is not None:
                return self._inline(workspace, text)
        return _saved(workspace, reference.id or "")

    def _inline(self, workspace: Workspace, text: bytes) -> Routes:
        """Compile a config that came with a request; what it is warned of is logged once.

        Raises InvalidConfig, and InvalidRequest where only saved ones serve.
        """
        if workspace.is_saved_only:
            raise inline_config_refusal()
        routes = self.inline.compile(text)
        if routes.warnings and routes.id not in self._told:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told.add(routes.id)
            _log.warning("a config that came with a request: %r", "; ".join(warnings_of(routes))[:_LONGEST_WARNING])
        return routes


def warnings_of(routes: Routes) -> tuple[str, ...]:
    """Return what is worth a warning in a config, each with its path."""
    return tuple(f"{fault.path}: {fault.what}" if fault.path else fault.what for fault in routes.warnings)


def _saved(workspace: Workspace, id: str) -> Routes:
    """Return a saved config. Raises InvalidRequest for one that there is not, or that does not compile any more."""
    found = workspace.configs.get(id)
    if found is None:
        raise InvalidRequest(
            f"x-portkey-config: there is no config {id[:100]!r} in this workspace", path="x-portkey-config"
        )
    if isinstance(found, str):
        raise _refused(f"the config {id!r} cannot be used: {found}")
    return found


def _refused(why: str) -> InvalidRequest:
    name = _CONFIG.decode()
    return InvalidRequest(f"{name}: {why}", path=name)


def _no_target(stop: Stop) -> NoTarget:
    return NoTarget(stop.refusal.message if stop.refusal else "no target", path=_CONFIG.decode())


class _MoveOnError(Exception):
    """A good answer that the config does not want: another target follows."""

    def __init__(self, step: Call) -> None:
        super().__init__()
        self.step = step


class Walk:
    """One request on its way. ``path`` and ``retry_count`` are what headers and record say of it."""

    path = "config"
    retry_count = 0
    stop: Stop | None = None

    def __init__(self, exchange: Exchange, routes: Routes, body: bytes, seen: Peek) -> None:
        self._exchange = exchange
        self._plane = exchange.plane
        self._routes = routes
        self._body = body
        self._seen = seen
        self._call: Call | None = None
        self._deadline: asyncio.Timeout | None = None
        self._observed: tuple[Observation, ...] = ()
        self._is_committed = False
        self._is_repeatable = True
        self._scene: Scene | None = None

    async def run(self, *, is_repeatable: bool = True) -> None:
        """Call targets until one has answered. Raises the error that is the answer otherwise."""
        self._is_repeatable = is_repeatable
        step: Step = self._begin()
        while isinstance(step, Call):
            if step.assignments:
                step = self._keep_assignments(step)
                if isinstance(step, Stop):
                    break
            self._count(step.observed)
            if step.wait_s:
                await asyncio.sleep(step.wait_s)
            following = await self._try(step)
            if following is None:
                return
            step = following
        self._end(step)
        self._call = None
        raise _no_target(step)

    def commit(self, status: int) -> None:
        """The first bytes of an answer with this status are about to go out: from here on there is no other one."""
        call = self._call
        if self._is_committed or call is None:
            return
        if self.has_config:
            origin = Origin.CACHE if self._exchange.cache_status == "HIT" else Origin.PROVIDER
            following = proceed(call, Outcome(status=status, origin=origin), self._look())
            if isinstance(following, Call):
                raise _MoveOnError(following)
            self._end(following)
        self._is_committed = True
        if self._deadline is not None:
            self._deadline.reschedule(None)

    @property
    def _owner(self) -> str:
        """Whose circuits count."""
        return f"{self._exchange.workspace.id}:{self._routes.id}"

    @property
    def config_id(self) -> str | None:
        """The config's id, or the hash that stands for one."""
        return self._routes.id or None

    @property
    def config_version(self) -> int | None:
        """Of a saved config."""
        return self._routes.version

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is worth a warning in a config that came with the request; who saved one was told then."""
        routes = self._routes
        return warnings_of(routes) if routes.warnings and routes.version is None else ()

    @property
    def has_many_models(self) -> bool:
        """Whether targets of the config may serve one conversation by different models."""
        return self._routes.has_many_models

    @property
    def has_config(self) -> bool:
        """Whether a config decides: then an answer that begins with an error is an error."""
        return self._routes is not NO_CONFIG

    def broke(self) -> None:
        """An answer that had begun broke: its circuit counts a failure instead."""
        self._observed = tuple(seen.broken() for seen in self._observed)

    def close(self) -> None:
        """Count for the circuits, once the answer is over."""
        observed, self._observed = self._observed, ()
        self._count(observed)

    def leave(self) -> None:
        """The request is over: let go of what holds the walk in turn, so that all of it is freed now."""
        del self._exchange
        self._scene = None

    # ---- one attempt

    async def _try(self, call: Call) -> Step | None:
        """Call a target; None: it has answered. Raises the error that ends the request."""
        exchange, ledger = self._exchange, self._exchange.ledger
        self._call = call
        ledger.begin_attempt(
            call.leaf.path, "retry" if call.is_retry else "fallback" if call.trail else "primary", call.wait_s
        )
        try:
            if call.timeout_s is None:
                await self._attempt(call.leaf)
            else:
                await self._attempt_within(call.leaf, call.timeout_s)
            return None
        except _MoveOnError as moved:
            ledger.end_attempt(None)
            return moved.step
        except GatewayError as error:
            if self._is_committed or exchange.client.has_started:
                raise
            if isinstance(error, LimitReached) and not error.is_of_target:
                # nobody else may serve what the caller may not ask
                self._call = None
                raise
            is_sent = isinstance(error, UpstreamError)
            ledger.end_attempt(error)
            outcome = self._outcome(error, is_sent=is_sent)
            following = proceed(call, outcome, self._look())
            if isinstance(following, Call):
                return following
            self._end(following)
            self._call = None
            if following.refusal is not None:
                raise _no_target(following) from None
            raise

    def _outcome(self, error: GatewayError, *, is_sent: bool) -> Outcome:
        if isinstance(error, LimitReached):
            return Outcome(status=error.status, origin=Origin.LIMIT)
        return outcome_of(error, retry_after_s=self._exchange.retry_after_s, is_sent=is_sent)

    async def _attempt_within(self, leaf: Leaf, timeout_s: float) -> None:
        """Make an attempt whose first part must be there in time: all of a whole answer, the beginning of a stream."""
        try:
            async with asyncio.timeout(timeout_s) as self._deadline:
                await self._attempt(leaf)
        except TimeoutError:
            ms = round(timeout_s * 1000)
            raise TimedOut(f"Request exceeded the timeout sent in the request: {ms}ms", phase="request") from None
        finally:
            self._deadline = None

    async def _attempt(self, leaf: Leaf) -> None:
        exchange, has_config = self._exchange, self.has_config
        overlay = self._overlay(leaf) if has_config else {}
        exchange.take_leaf(leaf, overlay, is_saved=self._routes.version is not None)
        body, seen = self._body, self._seen
        exchange.shaped_fields = ()
        if has_config and not leaf.shaping.is_empty:
            shaped = shape_body(body, leaf.shaping)
            exchange.shaped_fields = shaped.fields
            if shaped.body is not body:
                body, seen = shaped.body, peek(shaped.body)
        exchange.ledger.is_stream = seen.is_stream
        await exchange.attempt(leaf, body, seen)

    def _overlay(self, leaf: Leaf) -> Mapping[bytes, bytes]:
        """Return the headers that a target's settings stand for. Raises Unsupported for those that no provider has."""
        overlay: dict[bytes, bytes] = {}
        if leaf.forward_headers is not None:
            overlay[b"x-portkey-forward-headers"] = ",".join(leaf.forward_headers).encode()
        if leaf.is_strict is not None:
            overlay[b"x-portkey-strict-open-ai-compliance"] = b"true" if leaf.is_strict else b"false"
        for name, said in leaf.switches.items():
            overlay[b"x-lockgate-" + name.replace("_", "-").encode()] = said.encode()
        if leaf.custom_host is not None:
            overlay[b"x-portkey-custom-host"] = leaf.custom_host.encode()
        if leaf.prompt_id is not None:
            raise Unsupported(f"{leaf.path}.prompt_id: stored prompts are not supported by this version")
        for name, value in leaf.pin.vendor.items():
            if name not in _VENDOR_HEADERS or not isinstance(value, str):
                raise Unsupported(f"{leaf.path}.{name}: belongs to a provider that this version does not have")
            overlay[b"x-portkey-" + name.replace("_", "-").encode()] = value.encode()
        return self._beside_the_clients(overlay)

    def _beside_the_clients(self, overlay: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """Let a config's beta flags be further ones, and its version stand in for one that the client does not name."""
        client = self._exchange.client_headers
        if _BETA in overlay and _BETA in client:
            overlay[_BETA] = client[_BETA] + b"," + overlay[_BETA]
        if _VERSION in overlay and (_VERSION in client or b"anthropic-version" in client):
            del overlay[_VERSION]
        return overlay

    # ---- what decisions depend on

    def _begin(self) -> Step:
        """Return the first step: without a config there is one target, and nothing to decide by."""
        if not self.has_config and _TIMEOUT not in self._exchange.headers:
            return _ONLY_TARGET
        return begin(self._routes, self._look())

    def _look(self) -> Scene:
        if self._scene is None:
            self._scene = self._make_scene()
        return self._scene

    def _make_scene(self) -> Scene:
        exchange, routes = self._exchange, self._routes
        params: Mapping[str, Raw] = object_keys(self._body) if routes.needs_params else {}
        headers = {n.decode("latin-1"): decode(v) for n, v in exchange.headers.items()} if routes.needs_headers else {}
        return Scene(
            path=exchange.client.scope["path"],
            roll=self._plane.roll,
            metadata=self._metadata(),
            params=params,
            headers=headers,
            tenant=exchange.workspace.id,
            is_open=self._is_open,
            assigned=self._assigned,
            timeout_ms=read_timeout_ms(text_of(exchange.headers, _TIMEOUT) or ""),
            is_repeatable=self._is_repeatable,
            has_jitter=exchange.snapshot.has_retry_jitter,
        )

    def _metadata(self) -> Metadata:
        """Put what the config brings under the request's metadata, for decisions and for the record."""
        exchange, brought = self._exchange, self._routes.metadata
        if brought:
            exchange.metadata = merge(exchange.metadata, brought)
        return exchange.metadata

    def _is_open(self, path: str, policy: BreakerPolicy) -> bool:
        return self._plane.crossroads.circuits.is_open(self._owner, path, policy, self._plane.clock.monotonic())

    def _assigned(self, key: str) -> int | None:
        return self._plane.crossroads.assignments.get(key, self._plane.clock.monotonic())

    def _keep_assignments(self, call: Call) -> Step:
        """Keep the sticky choices of a step; where another request was faster, take the step again."""
        now_s, assignments = self._plane.clock.monotonic(), self._plane.crossroads.assignments
        for one in call.assignments:
            kept = assignments.keep(one.key, one.index, one.ttl_s, now_s, is_replacing=one.is_replacing)
            if kept != one.index and not call.trail:
                return begin(self._routes, self._look())
        return call

    def _count(self, observed: tuple[Observation, ...]) -> None:
        if not observed:
            return
        now_s = self._plane.clock.monotonic()
        for seen in observed:
            self._plane.crossroads.circuits.observe(self._owner, seen, now_s)

    def _end(self, stop: Stop) -> None:
        self.stop, self.path, self.retry_count = stop, stop.path, stop.retry_count
        self._observed = stop.observed
