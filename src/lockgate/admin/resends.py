"""Requests that an SDK sends again because a connection broke: the same bytes from the same caller within ten seconds.

They get the answer of the first one, also while that is under way. Each process knows its own; what must hold across
processes and for longer takes an ``Idempotency-Key``. Source: control-plane specification, section 0.7.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import msgspec

from lockgate.store.replies import Reply

KEEP_S = 10.0
MOST = 10_000
_REPLAY = (b"x-lockgate-idempotent-replay", b"true")


class Resends:
    """Answers of the last seconds. To be used on one event loop."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._answers: dict[bytes, tuple[float, asyncio.Future[Reply]]] = {}

    async def once(self, digest: bytes, now_s: float, work: Callable[[], Awaitable[Reply]]) -> Reply:
        """Do the work, or return the answer of the same work a moment ago. What failed may be tried again."""
        known = self._answers.get(digest)
        if known is not None and now_s < known[0]:
            answer = await asyncio.shield(known[1])
            return msgspec.structs.replace(answer, headers=(*answer.headers, _REPLAY))
        self._forget(now_s)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        # whoever waits hears of it; where nobody does, nothing is amiss
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._answers.pop(digest, None)
        self._answers[digest] = now_s + KEEP_S, future
        try:
            answer = await work()
        except BaseException as error:
            self._answers.pop(digest, None)
            if isinstance(error, Exception):
                future.set_exception(error)
            else:
                future.cancel()
            raise
        future.set_result(answer)
        return answer

    def _forget(self, now_s: float) -> None:
        """Forget what is old; the oldest stand first."""
        for digest, (until, _) in list(self._answers.items()):
            if until > now_s and len(self._answers) < self._most:
                return
            del self._answers[digest]


def digest_of(caller: str, name: str, body: bytes) -> bytes:
    """Return what is the same for the same request of the same caller."""
    return hashlib.sha256(b"\0".join((caller.encode(), name.encode(), body))).digest()
