"""Tells people of budgets: in the log, and by a webhook of the operator's.

Messages have the form of the Standard Webhooks specification 1.0: an event as JSON; its id, which is the same with each
try; and a signature that libraries of many languages can check. One that is not taken is sent again for a few minutes,
and by the next start when this process ends meanwhile.
Source: control-plane specification, section 3.8.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from lockgate.app.key_watch import KeyEvent
from lockgate.core.http import Headers, Timeouts, UpstreamRequest
from lockgate.core.limits import Budget, Drift, LimitEvent
from lockgate.core.record import Record
from lockgate.dataplane.refusal import amount, unit_name
from lockgate.errors import GatewayError
from lockgate.plan.hook import Hook
from lockgate.plan.snapshot import Snapshot
from lockgate.ports import Clock, Upstream
from lockgate.store.ids import new_id
from lockgate.store.outbox import MOST, Message, Outbox

_log = logging.getLogger("lockgate.limits")

WAITS_S = (1.0, 5.0, 30.0, 120.0)
"""How long is waited after each try that failed, but for the last one."""
_TIMEOUTS = Timeouts(pool_s=5.0, connect_s=5.0, tls_s=5.0, write_s=5.0, first_byte_s=10.0, idle_s=5.0, total_s=15.0)
_MOST_MODELS = 10_000
_LAST_WORDS_S = 2.0
_ANSWER_BYTES = 64 * 1024
_OK, _MULTIPLE_CHOICES = 200, 300


class Event(Struct, frozen=True, kw_only=True):
    """What is posted."""

    type: str
    """``budget.threshold``, ``budget.exhausted``, ``budget.reset``, ``budget.drift``, ``key.rotated``,
    ``key.expiring`` or ``model.unpriced``."""
    timestamp: str
    data: dict[str, Any]


class Alerts:
    """Belongs to one event loop. Nothing here makes a request wait, and nothing raises."""

    def __init__(
        self,
        upstream: Upstream,
        clock: Clock,
        snapshot: Callable[[], Snapshot],
        outbox: Outbox,
        *,
        waits_s: tuple[float, ...] = WAITS_S,
    ) -> None:
        """``snapshot`` returns what serves now. What is not delivered waits in ``outbox`` for the next start."""
        self._upstream = upstream
        self._outbox = outbox
        self._clock = clock
        self._snapshot = snapshot
        self._waits_s = waits_s
        self._under_way: set[asyncio.Task[None]] = set()
        self._models: set[tuple[str | None, ...]] = set()
        self._day = ""

    def start(self) -> None:
        """Send what an earlier process could not deliver; to be called on the loop."""
        hook = self._snapshot().hook
        left = self._outbox.left(self._clock.unix())
        if hook is None:
            if left:
                _log.warning("%d alerts wait for a webhook, and there is none", len(left))
            return
        for message in left:
            self._begin(hook, message)
        if left:
            _log.info("%d alerts that were not delivered before are sent again", len(left))

    def limit(self, event: LimitEvent) -> None:
        """Tell that a budget reached a threshold or its cap, or was reset."""
        tell(event)
        self._send(f"budget.{event.kind}", lambda: self._about(event))

    def drift(self, drift: Drift) -> None:
        """Tell that a budget's counter and the ledger differ."""
        tell_drift(drift)
        self._send("budget.drift", lambda: self._about_drift(drift))

    def key(self, event: KeyEvent) -> None:
        """Tell that a key has got a new text, or will end."""
        self._send(event.kind, lambda: event.data)

    def unpriced(self, record: Record) -> None:
        """Tell that a model without a price was called; once a day for each model of a workspace's provider."""
        now = datetime.fromtimestamp(self._clock.unix(), UTC)
        model = record.attempts[-1].model if record.attempts else record.model
        key = (record.workspace_id, record.slug, record.provider, model)
        day = now.date().isoformat()
        if day != self._day or len(self._models) >= _MOST_MODELS:
            self._day, self._models = day, set()
        if key in self._models:
            return
        self._models.add(key)
        _log.warning("model %s of %s has no price: budgets in dollars do not count it", model, record.provider)
        told = {"workspace_id": record.workspace_id, "provider": record.slug or record.provider, "model": model}
        self._send("model.unpriced", lambda: {**told, "record_id": record.id})

    async def close(self) -> None:
        """Give what is under way a last moment."""
        if not self._under_way:
            return
        _, left = await asyncio.wait(self._under_way, timeout=_LAST_WORDS_S)
        for task in left:
            task.cancel()
        if left:
            _log.warning("%d alerts were not delivered before the end; the next start sends them", len(left))

    # ---- what is told

    def _about(self, event: LimitEvent) -> dict[str, Any]:
        limit = event.limit
        return {
            **_about_limit(limit, event.group),
            "threshold": amount(limit, event.threshold),
            "used": amount(limit, event.used),
            "percent": round(event.used * 100 / max(1, limit.cap), 1),
            "forecast": self._forecast(event),
            "period_start": _time(event.start) if event.start else None,
            "resets_at": _time(event.resets_at) if event.resets_at is not None else None,
            "alert_emails": self._recipients(limit),
        }

    def _about_drift(self, drift: Drift) -> dict[str, Any]:
        limit, missing = drift.limit, drift.missing
        return {
            **_about_limit(limit, drift.group),
            "counted": amount(limit, drift.counted),
            "ledger": amount(limit, drift.booked or 0),
            "difference": amount(limit, missing) if missing >= 0 else -amount(limit, -missing),
            "is_made_up": drift.is_made_up,
            "period_start": _time(drift.start) if drift.start else None,
            "resets_at": _time(drift.resets_at) if drift.resets_at is not None else None,
            "alert_emails": self._recipients(limit),
        }

    def _forecast(self, event: LimitEvent) -> int | float | None:
        """Return what will be used at the end of the period if it goes on like this; None for what has no end."""
        if event.resets_at is None or not event.start:
            return None
        gone_s = max(1, int(self._clock.unix()) - event.start)
        return amount(event.limit, max(event.used, event.used * (event.resets_at - event.start) // gone_s))

    def _recipients(self, limit: Budget) -> list[str]:
        """Return whom the key of this budget names."""
        if limit.scope != "key":
            return []
        for key in self._snapshot().keys.values():
            if key.alert_emails and any(claim.limit.id == limit.id for claim in key.claims):
                return list(key.alert_emails)
        return []

    # ---- the way to the webhook

    def _send(self, kind: str, about: Callable[[], dict[str, Any]]) -> None:
        hook = self._snapshot().hook
        if hook is None:
            return
        if len(self._under_way) >= MOST:
            _log.error("%d alerts are under way; %s is not sent", len(self._under_way), kind)
            return
        now = datetime.fromtimestamp(self._clock.unix(), UTC)
        body = msgspec.json.encode(Event(type=kind, timestamp=_time(now.timestamp()), data=about()))
        message = Message(id=f"evt_{new_id(now)}", kind=kind, body=body, put_at=now.timestamp())
        self._outbox.put(message)
        self._begin(hook, message)

    def _begin(self, hook: Hook, message: Message) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(hook, message), name="alert")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _deliver(self, hook: Hook, message: Message) -> None:
        kind = message.kind
        for wait_s in (*self._waits_s, None):
            reason = await self._post(hook, message.id, message.body)
            if reason is None:
                self._outbox.done(message.id)
                return
            if wait_s is None:
                self._outbox.done(message.id)
                _log.error("the webhook at %s did not take %s: %s; it is given up", hook.origin.host, kind, reason)
                return
            _log.warning("the webhook at %s did not take %s: %s; again in %g s", hook.origin.host, kind, reason, wait_s)
            await asyncio.sleep(wait_s)

    async def _post(self, hook: Hook, id: str, body: bytes) -> str | None:
        """Post once; return why it was not taken, None when it was."""
        request = UpstreamRequest(
            method="POST",
            origin=hook.origin,
            target=hook.target.reveal().encode("ascii"),
            headers=signed_headers(hook.key, id, int(self._clock.unix()), body),
            body=body,
            timeouts=_TIMEOUTS,
        )
        try:
            response = await self._upstream.send(request)
            try:
                await response.read(_ANSWER_BYTES)
            finally:
                response.close()
        except GatewayError as error:
            return error.message
        return None if _OK <= response.status < _MULTIPLE_CHOICES else f"status {response.status}"


def signed_headers(key: bytes | None, id: str, now_s: int, body: bytes) -> Headers:
    """Return the headers of a message."""
    stamp = str(now_s).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"user-agent", b"lockgate"),
        (b"webhook-id", id.encode()),
        (b"webhook-timestamp", stamp),
    ]
    if key is not None:
        digest = hmac.new(key, id.encode() + b"." + stamp + b"." + body, hashlib.sha256).digest()
        headers.append((b"webhook-signature", b"v1," + base64.b64encode(digest)))
    return headers


def tell(event: LimitEvent) -> None:
    """Say in the log that a budget reached a threshold."""
    limit = event.limit
    of = f" of {event.group}" if event.group else ""
    match event.kind:
        case "reset":
            _log.info("budget %s (%s %r)%s was set to zero", limit.id, limit.scope, limit.name, of)
        case "exhausted":
            _log.warning("budget %s (%s %r)%s is used up", limit.id, limit.scope, limit.name, of)
        case "threshold":
            part = event.used * 100 // max(1, limit.cap)
            _log.warning("budget %s (%s %r)%s is used to %d %%", limit.id, limit.scope, limit.name, of, part)


def tell_drift(drift: Drift) -> None:
    """Say in the log that a budget's counter and the ledger differ."""
    limit, off = drift.limit, abs(drift.missing)
    _log.error(
        "budget %s (%s %r)%s: the counter has %s %s %s than the ledger: %s",
        limit.id,
        limit.scope,
        limit.name,
        f" of {drift.group}" if drift.group else "",
        amount(limit, off),
        unit_name(limit),
        "less" if drift.missing > 0 else "more",
        "made up for" if drift.is_made_up else "left as it is",
    )


def _about_limit(limit: Budget, group: str) -> dict[str, Any]:
    return {
        "limit_id": limit.id,
        "scope": limit.scope,
        "name": limit.name,
        "group": group or None,
        "unit": unit_name(limit),
        "mode": "soft" if limit.is_soft else "hard",
        "credit_limit": amount(limit, limit.cap),
    }


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
