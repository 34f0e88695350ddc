"""The money of one exchange: what it may cost is reserved before anything is sent, what it did cost is settled after.

Everything here is skipped for callers and targets without limits, but for the price, which every record carries.
Source: control-plane specification, sections 3.3 to 3.5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lockgate.catalog import FactTable
from lockgate.catalog.prices import ModelRates
from lockgate.catalog.prices_cost import Cost, price, worst_case
from lockgate.core.billable import has_counts, total_tokens
from lockgate.core.body import NOTHING, Peek, peek_own
from lockgate.core.chat import Usage
from lockgate.core.limits import (
    NO_GRANT,
    Budget,
    Charge,
    Claim,
    Demand,
    Grant,
    Rate,
    Refusal,
    Spent,
    charges_of,
)
from lockgate.core.metadata import Metadata
from lockgate.core.output_bound import UNKNOWN_OUTPUT, check_single, output_bound
from lockgate.core.server_tools import read_server_work
from lockgate.core.upper_bound import ANY_MEDIA, CLAUDE_MEDIA, upper_bound_tokens
from lockgate.dataplane.refusal import refusal_error
from lockgate.errors import BudgetExceeded
from lockgate.plan.resolve import Choice
from lockgate.plan.snapshot import GatewayKey, Workspace
from lockgate.ports import Counters

if TYPE_CHECKING:
    from lockgate.dataplane.app import DataPlane

LEASE_S = 120.0
"""How long a reservation outlives a process that died; living ones renew theirs each ``RENEW_S``."""
RENEW_S = 30.0
_LIKELY_BYTES_PER_TOKEN = 3.6
_LIKELY_OUTPUT = 1000
_MODELS = re.compile(rb'"model"\s*:\s*"([^"\\]+)"')
_ESCAPE = b"\\u00"
"""How an escape of a letter begins, behind which a word may hide."""
_USUAL_MODES = ("standard",)
_ALL_MODES = ("standard", "priority", "fast", "flex")
_ENDPOINTS = {"chat": "chatComplete", "messages": "messages", "batches": "createBatch"}


class Purse:
    """What one exchange reserved and spent. ``close`` ends it, once."""

    __slots__ = ("_asked", "_counters", "_is_open", "_now", "_plane", "_spent", "grant", "rates")

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._counters: Counters = plane.counters
        self._now = plane.clock.unix
        self._is_open = True
        self._spent: Spent | None = None
        self._asked: Asked | None = None
        self.grant: Grant = NO_GRANT
        self.rates: ModelRates | None = None
        """The prices of the target of the attempt under way."""

    async def admit(self, asked: Asked) -> None:
        """Reserve for an attempt, the first or a further one. Raises RateLimited, BudgetReserved, BudgetExceeded.

        When it raises, what was granted before stands.
        """
        model = asked.choice.model
        self._asked = asked
        self.rates = self._find_rates(model) if model is not None else None
        claims = asked.claims()
        if not claims and not self.grant.holds:
            return
        rates = [self.rates, *(self._find_rates(name) for name in asked.fallbacks)]
        if None in rates:
            refuse_unpriced(asked, claims)
        demand = demand_of(asked, claims, [one for one in rates if one is not None])
        if self.grant.holds:
            answer = await self._counters.adjust(self.grant, demand, self._spent)
        else:
            answer = await self._counters.reserve(demand)
        if isinstance(answer, Refusal):
            raise refusal_error(answer)
        if not self.grant.holds and answer.holds:
            self._plane.grants.add(self)
        self.grant, self._spent = answer, None

    async def admit_hit(self, claims: tuple[Claim, ...]) -> None:
        """Count an answer from the cache: a request like others, at no cost. Raises as ``admit`` does."""
        if not claims:
            return
        answer = await self._counters.reserve(Demand(claims=claims, lease_s=LEASE_S))
        if isinstance(answer, Refusal):
            raise refusal_error(answer)
        self._plane.grants.add(self)
        self.grant, self._spent = answer, Spent()

    async def admit_call(self, claims: tuple[Claim, ...]) -> None:
        """Count a call that costs nothing under the rates of requests among the claims. Raises RateLimited."""
        rates = tuple(c for c in claims if isinstance(c.limit, Rate) and c.limit.unit != "tokens")
        if not rates:
            return
        answer = await self._counters.reserve(Demand(claims=rates, lease_s=LEASE_S))
        if isinstance(answer, Refusal):
            raise refusal_error(answer)
        self._plane.grants.add(self)
        self.grant, self._spent = answer, Spent()

    def attempted(self, usage: Usage, *, is_estimated: bool = False) -> Cost:
        """An attempt failed and another may follow: keep what it used."""
        cost = self.cost(usage, is_estimated=is_estimated)
        self._spent = self._spent_on(usage, cost) if has_counts(usage) else Spent(requests=0)
        return cost

    @property
    def spent(self) -> Spent | None:
        """What the exchange used, once that is known."""
        return self._spent

    @property
    def has_spent(self) -> bool:
        """Whether an attempt that ended has to be settled."""
        return self._spent is not None

    def cost(self, usage: Usage, answered: str | None = None, *, is_estimated: bool = False) -> Cost:
        """Price what the attempt under way used; ``answered`` is the model that the provider says it used."""
        rates, asked = self.rates, self._asked
        if asked is not None and answered not in (None, asked.choice.model) and asked.fallbacks:
            # the provider may have gone on to one of these by itself
            rates = self._find_rates(answered or "") or rates
        return price(usage, rates, is_estimated=is_estimated, find_other=self._find_rates)

    def _find_rates(self, model: str) -> ModelRates | None:
        """Return what the target of the attempt under way charges for a model."""
        asked = self._asked
        if asked is None:
            return None
        target = asked.choice.target
        return self._plane.snapshot.prices.find(target.provider.name, model, self._now(), target.price_terms)

    def charges(self, usage: Usage, cost: Cost, *, was_sent: bool, has_answered: bool) -> tuple[Charge, ...]:
        """Return what is charged for the exchange as it ends now; ``close`` settles the same."""
        if not self.grant.holds or not was_sent:
            return ()
        if self._spent is None:
            self._spent = self._spent_on(usage, cost) if has_answered or has_counts(usage) else Spent(requests=0)
        return charges_of(self.grant, self._spent)

    def close(self) -> None:
        """Settle what ``charges`` said, or give back what was reserved for something that was never sent."""
        if not self._is_open:
            return
        self._is_open = False
        self._asked = None  # it holds the body, and a stream may still be read to its end
        if not self.grant.holds:
            return
        self._plane.grants.discard(self)
        if self._spent is None:
            self._counters.release(self.grant)
        else:
            self._counters.settle(self.grant, self._spent)

    def renew(self) -> None:
        """Keep the reservation of a long answer alive."""
        self._counters.renew(self.grant)

    def _spent_on(self, usage: Usage, cost: Cost) -> Spent:
        return Spent(nanos=cost.nanos, tokens=total_tokens(usage), requests=1)


class Asked:
    """What an attempt asks for: who calls, who is to serve, and how much that may be at most."""

    __slots__ = ("_body", "_facts", "_key", "_metadata", "_plane", "_route", "_seen", "_workspace", "choice")

    def __init__(
        self,
        plane: DataPlane,
        *,
        route: str,
        workspace: Workspace,
        key: GatewayKey | None,
        choice: Choice,
        metadata: Metadata,
        body: bytes,
        seen: Peek | None,
        facts: FactTable,
    ) -> None:
        """``seen`` is what is known of the body, None for one that we wrote: it is looked at when somebody asks."""
        self._plane = plane
        self._route = route
        self._workspace = workspace
        self._key = key
        self.choice = choice
        self._metadata = metadata
        self._body = body
        self._seen = seen
        self._facts = facts

    @property
    def seen(self) -> Peek:
        """The fields of the body that limits depend on. Most requests fall under none, and nobody asks."""
        if self._seen is None:
            self._seen = peek_own(self._body)
        return self._seen

    def claims(self) -> tuple[Claim, ...]:
        """Return every limit that the attempt falls under, in the order in which they may refuse."""
        own = self._key.claims if self._key is not None else self._workspace.claims
        target = self.choice.target.claims
        if self._workspace.policies:
            scene = self._scene()
            found = (policy.claim(scene) for policy in self._workspace.policies)
            own = (*own, *(claim for claim in found if claim is not None))
        return (*own, *target) if target else own

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """The models that the provider may go on to by itself."""
        if self._seen is None and b'"fallbacks"' not in self._body:
            return ()  # a body that we wrote ourselves, so a key stands there as it is
        found = bytes(self.seen.fallbacks)
        return tuple(name.decode() for name in _MODELS.findall(found)) if found else ()

    def input_bound(self) -> int:
        """Return the most input tokens that the body can be charged for, by what is in it."""
        is_claude = self.choice.target.provider.dialect == "anthropic_messages"
        return upper_bound_tokens(self._body, self.seen, CLAUDE_MEDIA if is_claude else ANY_MEDIA)

    def likely_input(self) -> int:
        """Return about how many input tokens the body holds."""
        return int(len(self._body) / _LIKELY_BYTES_PER_TOKEN)

    @property
    def max_output(self) -> int:
        """The most output tokens of all answers that the body asks for. Raises InvalidRequest when it has no bound."""
        facts = self._facts.find(self.choice.target.base_of(self.choice.model or ""))
        default = facts.max_output if facts.family != "generic" else UNKNOWN_OUTPUT
        is_claude = self.choice.target.provider.dialect == "anthropic_messages"
        return output_bound(self.seen, default, zero_is_none=is_claude)

    def check_single(self) -> None:
        """Raise InvalidRequest when a member of the client's body that limits depend on comes twice."""
        if self._seen is not None:
            check_single(self._body, self._seen)

    @property
    def has_cache_markers(self) -> bool:
        """Whether the body may make the provider write its cache."""
        body = self._body
        return b"cache_control" in body or b"prompt_cache" in body or _ESCAPE in body

    @property
    def has_audio(self) -> bool:
        """Whether the body may hold sound, or ask for it."""
        return b'audio"' in self._body or _ESCAPE in self._body

    @property
    def modes(self) -> tuple[str, ...]:
        """Every mode in which the provider may answer and charge."""
        if self._route == "batches":
            return ("batch",)
        seen = self.seen
        return _USUAL_MODES if seen.service_tier is NOTHING and seen.speed is NOTHING else _ALL_MODES

    def _scene(self) -> dict[str, str]:
        """Say what is known of the request, by the names that conditions use."""
        target, model = self.choice.target, self.choice.model
        scene = {f"metadata.{name}": value for name, value in self._metadata.items()}
        scene["workspace_id"] = self._workspace.id
        scene["endpoint_type"] = _ENDPOINTS.get(self._route, self._route)
        if self._key is not None:
            scene["api_key"] = self._key.id
        slug = target.slug or target.provider.name
        scene["provider"] = scene["virtual_key"] = slug
        if model is not None:
            scene["model"] = f"@{slug}/{model}"
        return scene


def refuse_unpriced(asked: Asked, claims: tuple[Claim, ...]) -> None:
    """Raise BudgetExceeded for a model without a price where a budget of money does not allow one."""
    for claim in claims:
        if isinstance(claim.limit, Budget) and claim.limit.blocks_unpriced:
            break
    else:
        return
    raise BudgetExceeded(
        f"Model {asked.choice.model} has no price, and a budget of {claim.limit.scope} {claim.limit.name!r} serves "
        f"only models that have one; give it a price on the integration or in [prices]",
        headers=((b"x-should-retry", b"false"), (b"x-portkey-cost-status", b"unpriced")),
    )


def demand_of(asked: Asked, claims: tuple[Claim, ...], rates: Sequence[ModelRates]) -> Demand:
    """Return the most that the attempt may use, at the dearest of the prices that may hold for it.

    Raises InvalidRequest for a body that has no bound.
    """
    asked.check_single()
    bound, output = asked.input_bound(), asked.max_output
    likely_input, likely_output = min(asked.likely_input(), bound), min(_LIKELY_OUTPUT, output)
    nanos = likely_nanos = 0
    markers = sound = is_open = False
    work = read_server_work(asked.seen)
    if rates:
        windows = [one.window for one in rates if one.window]
        bound = min(bound, max(windows)) if windows else bound
        markers, sound = asked.has_cache_markers, asked.has_audio
        is_open = any(type(claim.limit) is Budget and claim.limit.admission == "open" for claim in claims)
    for one in rates:
        most = worst_case(
            one,
            input_tokens=work.looped_input(bound),
            max_output_tokens=work.looped_output(output),
            has_cache_markers=markers,
            has_audio=sound,
            units=work.units,
            modes=asked.modes,
        )
        nanos = max(nanos, most)
        if is_open:
            likely = worst_case(
                one, input_tokens=likely_input, max_output_tokens=likely_output, has_cache_markers=markers
            )
            likely_nanos = max(likely_nanos, likely)
    return Demand(
        claims=claims,
        nanos=nanos,
        tokens=work.looped_input(bound) + work.looped_output(output),
        likely_nanos=min(likely_nanos, nanos) or None,
        likely_tokens=likely_input + likely_output,
        lease_s=LEASE_S,
    )
