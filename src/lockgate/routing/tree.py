"""A config as routing walks it: inheritance is gone, everything is checked, nothing has to be looked up.

A leaf is a target with all its settings; a router has children and a strategy that orders them. Both know their path
in the config as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from msgspec import Struct

from lockgate.core.metadata import NO_METADATA, Metadata
from lockgate.core.secret import Secret
from lockgate.errors import Fault
from lockgate.routing.breaker import BreakerPolicy
from lockgate.routing.cache_policy import CachePolicy
from lockgate.routing.outcome import Outcome
from lockgate.routing.retry import RetryPolicy
from lockgate.routing.scene import Scene
from lockgate.routing.shaping import Shaping

ROOT = "config"
"""The path of the root, also when there is no config."""


class Pin(Struct, frozen=True, kw_only=True):
    """What a target says about its provider. Without any of the three the request decides."""

    slug: str | None = None
    """A provider record, by its slug without ``@``."""
    provider: str | None = None
    """A provider by name; the credential is ``api_key``, or the caller's own."""
    model_slug: str | None = None
    """The slug that ``override_params.model`` begins with: it counts if there is such a record."""
    api_key: Secret | None = None
    is_root: bool = False
    """Whether the target is the whole config: then a provider without ``api_key`` takes the caller's credential."""
    vendor: Mapping[str, Secret | str] = {}
    """The settings of one vendor, such as ``aws_region`` or ``openai_organization``, by their key in the config."""

    @property
    def is_from_request(self) -> bool:
        """Whether the request decides who serves it."""
        return self.slug is None and self.provider is None and self.model_slug is None


class Leaf(Struct, frozen=True, kw_only=True):
    """A target with all its settings."""

    path: str
    pin: Pin = Pin()
    name: str | None = None
    prompt_id: str | None = None
    shaping: Shaping = Shaping()
    retry: RetryPolicy | None = None
    cache: CachePolicy | None = None
    breaker: BreakerPolicy | None = None
    timeout_ms: int | None = None
    custom_host: str | None = None
    forward_headers: tuple[str, ...] | None = None
    is_strict: bool | None = None
    """Strict OpenAI compliance; None: not said."""
    switches: Mapping[str, str] = {}
    """Further settings that a request's header ``x-lockgate-...`` may say too, by their key in the config."""
    lists_models: bool = False
    """Whether a list of models is that of all targets, and not one provider's own."""


class Router(Struct, frozen=True, kw_only=True):
    """A node with targets of its own."""

    path: str
    strategy: Strategy
    children: tuple[Node, ...]
    has_breakers: bool = False
    """Whether any leaf below has one."""


Node: TypeAlias = Leaf | Router


class Assignment(Struct, frozen=True, kw_only=True):
    """A sticky choice to keep. If another one is kept under the key meanwhile, that one counts."""

    key: str
    index: int
    ttl_s: float
    is_replacing: bool = False
    """Whether the choice that was kept before is no longer of use."""


class Order(Struct, frozen=True, kw_only=True):
    """Which children are to be tried, first to last, and why."""

    indexes: tuple[int, ...]
    because: str
    assignment: Assignment | None = None


class Refusal(Struct, frozen=True, kw_only=True):
    """Why no target could be chosen: a failure of our own making, with status 400."""

    path: str
    message: str


class Strategy(Protocol):
    """Orders the children of a router, and says when the next one is to be tried."""

    def order(self, router: Router, scene: Scene) -> Order | Refusal:
        """Return the order for one request."""
        ...

    def goes_on(self, outcome: Outcome) -> bool:
        """Tell whether an outcome of one child leads to the next one."""
        ...


class Routes(Struct, frozen=True, kw_only=True):
    """A compiled config."""

    root: Node
    id: str
    """The saved config's id; for an inline one a hash of its text."""
    version: int | None = None
    """Of a saved one; 0: the operator's file holds it, which knows no versions. None: it came with a request."""
    metadata: Metadata = NO_METADATA
    """Metadata that the config brings: weaker than all that the request says, baggage too."""
    needs_params: bool = False
    """Whether any decision looks into the body."""
    needs_headers: bool = False
    can_hold_thread: bool = False
    """Whether a conversation that the provider holds may go this way: one target, and no cache."""
    has_many_models: bool = False
    """Whether its targets may serve one conversation by different models."""
    warnings: tuple[Fault, ...] = ()


def usable(router: Router, scene: Scene) -> tuple[int, ...]:
    """Return the children whose circuits are closed; all of them when none is."""
    everyone = tuple(range(len(router.children)))
    if not router.has_breakers:
        return everyone
    return tuple(at for at in everyone if not is_shut(router.children[at], scene)) or everyone


def is_shut(node: Node, scene: Scene) -> bool:
    """Tell whether a leaf's circuit is open; a router is open when all its leaves are."""
    if isinstance(node, Router):
        return all(is_shut(child, scene) for child in node.children)
    return node.breaker is not None and scene.is_open(node.path, node.breaker)


def leaves(node: Node) -> list[Leaf]:
    """Return all targets below a node, in the order of the config."""
    if isinstance(node, Leaf):
        return [node]
    return [leaf for child in node.children for leaf in leaves(child)]
