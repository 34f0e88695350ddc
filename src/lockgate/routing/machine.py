"""The attempt machine: after each outcome it says what comes next. One machine for every route, streamed or whole.

``begin`` gives the first step, ``proceed`` the one after an outcome, until a Stop. A Call says which target, after
which wait and under which time limit. Every step knows the whole way there, so that nothing else has to be kept.
Nothing is tried again once the client has a byte of an answer.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct, structs

from lockgate.routing.breaker import Observation, observation_of
from lockgate.routing.outcome import Origin, Outcome
from lockgate.routing.retry import can_retry, wait_s
from lockgate.routing.scene import Scene
from lockgate.routing.tree import Assignment, Leaf, Node, Order, Refusal, Router, Routes

BAD_REQUEST = 400


class Frame(Struct, frozen=True, kw_only=True):
    """Where the walk stands in one router."""

    router: Router
    order: Order
    at: int = 0


class Visit(Struct, frozen=True, kw_only=True):
    """One target or router that was tried, and how it ended."""

    path: str
    because: str
    """Why it was chosen."""
    status: int
    retries: int = 0
    ended: str
    """Why it was left: ``answered``, ``moved on``, ..."""


class Call(Struct, frozen=True, kw_only=True):
    """Wait, then call this target."""

    leaf: Leaf
    because: str
    """Why this target."""
    wait_s: float = 0.0
    timeout_s: float | None = None
    """The time limit for this one try, None: that of the target."""
    retry: int = 0
    """Which retry of this target it is; 0: the first try."""
    waited_s: float = 0.0
    """All waits at this target, the one of this call included."""
    frames: tuple[Frame, ...] = ()
    trail: tuple[Visit, ...] = ()
    """What was tried before."""
    assignments: tuple[Assignment, ...] = ()
    """Sticky choices to keep before the call. When another one counts already, take the step again with it."""
    observed: tuple[Observation, ...] = ()
    """What to count for circuits."""

    @property
    def is_retry(self) -> bool:
        """Whether the same target was called before this."""
        return self.retry > 0


class Stop(Struct, frozen=True, kw_only=True):
    """The last outcome is the answer."""

    path: str
    """Of the target that it is from: ``x-portkey-last-used-option-index``."""
    retry_count: int
    """``x-portkey-retry-attempt-count``: the retries at that target; -1 when they did not help."""
    because: str
    refusal: Refusal | None = None
    """Set when no target could be chosen; it takes the place of an answer."""
    trail: tuple[Visit, ...] = ()
    observed: tuple[Observation, ...] = ()


Step: TypeAlias = Call | Stop


def begin(routes: Routes, scene: Scene) -> Step:
    """Return the first step for a request."""
    return _Walk(scene).enter(routes.root, "the only target")


def proceed(call: Call, outcome: Outcome, scene: Scene) -> Step:
    """Return the step after the outcome of a call."""
    again = _retry(call, outcome, scene)
    if again is not None:
        return again
    seen = observation_of(call.leaf.path, call.leaf.breaker, outcome)
    walk = _Walk(scene, call.frames, call.trail, observed=(seen,) if seen is not None else ())
    following = walk.leave(
        call.leaf.path, call.because, outcome, retries=call.retry, retry_count=_retry_count(call, outcome, scene)
    )
    return following if isinstance(following, Stop) else walk.enter(*following)


def _retry(call: Call, outcome: Outcome, scene: Scene) -> Call | None:
    policy = call.leaf.retry
    if policy is None or call.retry >= policy.attempts or not scene.is_repeatable or not can_retry(policy, outcome):
        return None
    wait = wait_s(policy, outcome, call.retry + 1, call.waited_s, scene.roll if scene.has_jitter else None)
    if wait is None:
        return None
    return structs.replace(
        call, wait_s=wait, waited_s=call.waited_s + wait, retry=call.retry + 1, assignments=(), observed=()
    )


def _retry_count(call: Call, outcome: Outcome, scene: Scene) -> int:
    """Return the retries made; -1 when the last outcome would have been worth another one."""
    policy = call.leaf.retry
    if policy is None or not scene.is_repeatable or not can_retry(policy, outcome):
        return call.retry
    return -1


class _Walk:
    """One step through the tree: down to a target, or up until a router goes on."""

    def __init__(
        self,
        scene: Scene,
        frames: tuple[Frame, ...] = (),
        trail: tuple[Visit, ...] = (),
        *,
        observed: tuple[Observation, ...] = (),
    ) -> None:
        self._scene = scene
        self._frames = frames
        self._trail = trail
        self._observed = observed
        self._assignments: tuple[Assignment, ...] = ()

    def enter(self, node: Node, because: str) -> Step:
        """Go down from a node to its first target, or past those nodes that have none to offer."""
        while True:
            found = self._descend(node, because)
            if isinstance(found, Call):
                return found
            outcome = Outcome(status=BAD_REQUEST, origin=Origin.REFUSAL)
            following = self.leave(found.path, because, outcome, refusal=found)
            if isinstance(following, Stop):
                return following
            node, because = following

    def leave(
        self,
        path: str,
        because: str,
        outcome: Outcome,
        *,
        retries: int = 0,
        retry_count: int = 0,
        refusal: Refusal | None = None,
    ) -> tuple[Node, str] | Stop:
        """Go up from a node until a router goes on to its next child, else stop with the outcome."""
        stays = self._reason_to_stay(outcome)
        frames = self._frames
        while stays is None and frames:
            frame, frames = frames[-1], frames[:-1]
            following = frame.at + 1
            if following < len(frame.order.indexes) and frame.router.strategy.goes_on(outcome):
                self._frames = (*frames, structs.replace(frame, at=following))
                self._trail += (_visit(path, because, outcome, retries, "moved on"),)
                return frame.router.children[frame.order.indexes[following]], f"after status {outcome.status}"
        ended = stays or ("answered" if outcome.is_success else "nothing left to try")
        return Stop(
            path=path,
            retry_count=retry_count,
            because=ended,
            refusal=refusal,
            trail=(*self._trail, _visit(path, because, outcome, retries, ended)),
            observed=self._observed,
        )

    def _descend(self, node: Node, because: str) -> Call | Refusal:
        while isinstance(node, Router):
            order = node.strategy.order(node, self._scene)
            if isinstance(order, Refusal):
                return order
            if order.assignment is not None:
                self._assignments += (order.assignment,)
            self._frames += (Frame(router=node, order=order),)
            node, because = node.children[order.indexes[0]], order.because
        return Call(
            leaf=node,
            because=because,
            timeout_s=self._timeout_s(node),
            frames=self._frames,
            trail=self._trail,
            assignments=self._assignments,
            observed=self._observed,
        )

    def _reason_to_stay(self, outcome: Outcome) -> str | None:
        if outcome.is_committed:
            return "the answer had begun"
        if outcome.is_client_gone:
            return "the client left"
        if not self._scene.is_repeatable and outcome.was_sent:
            return "the request may be sent once only"
        return None

    def _timeout_s(self, leaf: Leaf) -> float | None:
        timeout_ms = leaf.timeout_ms if self._scene.timeout_ms is None else self._scene.timeout_ms
        return None if timeout_ms is None else timeout_ms / 1000


def _visit(path: str, because: str, outcome: Outcome, retries: int, ended: str) -> Visit:
    return Visit(path=path, because=because, status=outcome.status, retries=retries, ended=ended)
