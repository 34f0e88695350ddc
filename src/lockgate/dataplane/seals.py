"""Whose reasoning is whose, in configs through which a conversation can meet several models.

Newer models refuse thinking that another model made. So the seals of answers are remembered with their model, and a
request goes to such a model without the reasoning that is known to be another one's. After a fallback to another model,
reasoning of unknown origin is taken for the first one's. Where such a guess was wrong, the model refuses the request;
it is then asked once more without any reasoning. Source: addendum of November 2026, section 2.7.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from sys import intern

from lockgate.core.chat import Reply
from lockgate.core.chunk import Chunk
from lockgate.core.seals import may_have_seals, seals_in, seals_in_json, seals_of
from lockgate.core.sse import split_events

MAX_KEPT = 50_000
"""How many seals are remembered in one process; the one that came first is forgotten first."""

_DIGEST_BYTES = 16
_BAD_REQUEST = 400


class SealOwners:
    """Which model made a seal, by tenant. In memory: a restart forgets."""

    def __init__(self, most: int = MAX_KEPT) -> None:
        self._most = most
        self._models: OrderedDict[bytes, str] = OrderedDict()

    def remember(self, tenant: str, seal: str, model: str) -> None:
        """A model was seen to make this seal."""
        self._models[_digest(tenant, seal)] = model
        while len(self._models) > self._most:
            self._models.popitem(last=False)

    def owner(self, tenant: str, seal: str) -> str | None:
        """Return the model, None when it is not known."""
        return self._models.get(_digest(tenant, seal))


def _digest(tenant: str, seal: str) -> bytes:
    return blake2b(f"{tenant}\n{seal}".encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


class Seals:
    """The seals around one attempt: which of the request's are foreign to its model, and those of its answer."""

    def __init__(self, owners: SealOwners, tenant: str, model: str, *, is_bound: bool, is_displaced: bool) -> None:
        """``is_bound``: the model takes its own reasoning only. ``is_displaced``: another one was asked before it."""
        self._owners = owners
        self._tenant = tenant
        self.model = intern(model)
        self._is_bound = is_bound
        self._is_displaced = is_displaced
        self._has_let_pass = False
        self._withholds = False

    def is_foreign(self, seal: str) -> bool:
        """Tell whether the model would refuse what bears this seal."""
        if not self._is_bound:
            return False
        if self._withholds:
            return True
        owner = self._owners.owner(self._tenant, seal)
        is_foreign = self._is_displaced if owner is None else owner != self.model
        self._has_let_pass = self._has_let_pass or not is_foreign
        return is_foreign

    def may_explain(self, status: int) -> bool:
        """Tell whether the model may have refused the request for reasoning in it.

        What is remembered ends with the process and is not shared with others, so reasoning of another model can pass.
        """
        return status == _BAD_REQUEST and self._has_let_pass and not self._withholds

    def withhold(self) -> None:
        """From here on no reasoning passes."""
        self._withholds = True

    def reply(self, reply: Reply) -> None:
        """A translated whole answer was read."""
        self._keep(seals_of(reply.content))

    def whole(self, body: bytes) -> None:
        """A whole answer is relayed as it came."""
        self._keep(seals_in_json(body))

    def chunks(self, chunks: Sequence[Chunk]) -> None:
        """A part of a translated stream was read."""
        self._keep(seals_in(chunks))

    def events(self, events: bytes) -> None:
        """Whole events of a stream are relayed as they came."""
        if may_have_seals(events):
            for event in split_events(events):
                self._keep(seals_in_json(event.data))

    def _keep(self, seals: Sequence[str]) -> None:
        for seal in seals:
            self._owners.remember(self._tenant, seal, self.model)
