"""Message threads: conversations that the server holds, so that a turn sends only what is new."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from lockgate.simulator.anthropic.answer import Answer
from lockgate.simulator.anthropic.errors import ApiError

_KEPT = 1000
_STABLE = ("system", "tools", "model")


class Threads:
    """The conversations that may still be continued, by the id of their newest answer."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._continued: set[str] = set()

    def resolve(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the request with its whole conversation. Raises :class:`ApiError`."""
        thread = body.get("thread")
        if not thread:
            return body
        unsupported = [name for name in ("context_management", "fallbacks") if body.get(name)]
        if unsupported:
            details = {"error_code": "thread_unsupported_request", "unsupported": unsupported}
            raise ApiError(f"thread: not supported together with {', '.join(unsupported)}", details=details)
        if thread["type"] == "create":
            return body
        return self._continue(body, thread["previous_message_id"])

    def _continue(self, body: Mapping[str, Any], message_id: str) -> Mapping[str, Any]:
        if message_id in self._continued:
            details = {"error_code": "thread_already_continued"}
            raise ApiError(f"thread: {message_id} has already been continued", details=details)
        stored = self._bodies.get(message_id)
        if stored is None:
            details = {"error_code": "thread_not_found"}
            raise ApiError(f"thread: no thread was found for {message_id}", status=404, details=details)
        for name in _STABLE:
            if name in body and body[name] != stored.get(name):
                details = {"error_code": "thread_fingerprint_mismatch"}
                raise ApiError(f"thread: {name} differs from the value stored with the thread", details=details)
        kept = {name: stored[name] for name in _STABLE if name in stored}
        return {**kept, **body, "messages": [*stored["messages"], *body["messages"]]}

    def keep(self, body: Mapping[str, Any], answer: Answer) -> None:
        """Remember an answered conversation, when the request asked for it."""
        thread = body.get("thread")
        if not thread:
            return
        if thread["type"] == "continue":
            self._continued.add(thread["previous_message_id"])
        reply = {"role": "assistant", "content": [block.whole() for block in answer.blocks]}
        self._bodies[answer.id] = {**body, "messages": [*body["messages"], reply]}
        while len(self._bodies) > _KEPT:
            self._bodies.popitem(last=False)
        if len(self._continued) > _KEPT:
            self._continued &= self._bodies.keys()
