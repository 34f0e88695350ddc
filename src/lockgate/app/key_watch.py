"""Tells of gateway keys: that one has got a new text, and a day ahead that one, or a text of it, will end.

What is told is written down in the database, so that each is told once, whichever process or command made the change.
Source: control-plane specification, sections 2.4 and 3.8.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from lockgate.entities import ApiKey
from lockgate.errors import GatewayError
from lockgate.plan.snapshot import GatewayKey

_log = logging.getLogger("lockgate.keys")

AHEAD = timedelta(hours=24)
"""How long before its end a key is told of, and how long after it a rotation."""
EVERY_S = 5.0

Reason: TypeAlias = Literal["expires", "rotation_due", "previous_text_ends"]


class KeyEvent(Struct, frozen=True, kw_only=True):
    """Something that happened to a key, or will."""

    id: str
    """The same whoever finds it."""
    kind: Literal["key.rotated", "key.expiring"]
    words: str
    """For the log."""
    data: dict[str, Any]


class KeyWatch:
    """Looks at all keys from time to time."""

    def __init__(
        self,
        stored: Callable[[], Sequence[ApiKey]],
        declared: Callable[[], Iterable[GatewayKey]],
        first: Callable[[Sequence[str]], set[str]],
        tell: Callable[[KeyEvent], None],
        now: Callable[[], datetime],
    ) -> None:
        """``first`` writes ids down and returns the new ones; it is called in a thread."""
        self._stored = stored
        self._declared = declared
        self._first = first
        self._tell = tell
        self._now = now
        self._known: set[str] = set()
        """What need not be asked for again."""

    async def run(self) -> None:
        """Look now, and then every few seconds."""
        while True:
            await self.once()
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """Tell what nobody has told yet. Does not raise."""
        try:
            await self._tell_new()
        except GatewayError as error:
            _log.error("keys that end are not told: %s", error.message)
        except Exception:  # noqa: BLE001  # the edge: a fault of the database or a bug must not end the work
            _log.exception("keys that end are not told")

    async def _tell_new(self) -> None:
        now, stored, declared = self._now(), self._stored(), tuple(self._declared())
        found = await asyncio.to_thread(events_of, stored, declared, now)
        if self._known.issuperset(event.id for event in found):
            return
        new = await asyncio.to_thread(self._first, [event.id for event in found])
        self._known = {event.id for event in found}
        for event in found:
            if event.id in new:
                _log.warning("%s", event.words)
                self._tell(event)


def events_of(stored: Sequence[ApiKey], declared: Sequence[GatewayKey], now: datetime) -> list[KeyEvent]:
    """Return all that is to be told of keys now, told before or not."""
    found: list[KeyEvent] = []
    for key in stored:
        if key.status != "active":
            continue
        found += _rotations(key, now)
        found += [_expiring(*end, now) for end in _ends_of(key) if now < end[3] <= now + AHEAD]
    for declared_key in declared:
        if declared_key.expires_at is not None:
            end = datetime.fromtimestamp(declared_key.expires_at, UTC)
            if now < end <= now + AHEAD:
                about = _about(
                    declared_key.id, declared_key.name, declared_key.workspace, None, declared_key.alert_emails
                )
                found.append(_expiring(declared_key.id, about, "expires", end, now))
    return found


def _rotations(key: ApiKey, now: datetime) -> Iterator[KeyEvent]:
    newest = key.texts[0] if key.texts else None
    if newest is None or newest.created_at <= key.created_at or newest.created_at < now - AHEAD:
        return
    ends = [end for text in key.texts[1:] if (end := key.end_of(text)) is not None]
    data = {
        **_about_stored(key),
        "rotated_at": _time(newest.created_at),
        "previous_ends_at": _time(max(ends)) if ends else None,
        "next_rotation_at": _time(key.rotation.next_rotation_at)
        if key.rotation is not None and key.rotation.next_rotation_at is not None
        else None,
    }
    words = f"key {key.id} ({key.name!r}) has a new text"
    words += f"; the old one opens until {data['previous_ends_at']}" if ends else "; the old one does not open any more"
    yield KeyEvent(id=f"key.rotated/{key.id}/{newest.digest[:16]}", kind="key.rotated", words=words, data=data)


def _ends_of(key: ApiKey) -> Iterator[tuple[str, dict[str, Any], Reason, datetime]]:
    """Yield what ends of a key when; an old text that was replaced within the day was told of when that was done."""
    about = _about_stored(key)
    if key.expires_at is not None:
        yield key.id, about, "expires", key.expires_at
    if key.rotation is not None and key.rotation.next_rotation_at is not None:
        yield key.id, about, "rotation_due", key.rotation.next_rotation_at
    for text in key.texts[1:]:
        if text.expires_at is not None and text.expires_at - key.texts[0].created_at > AHEAD:
            yield key.id, about, "previous_text_ends", text.expires_at


_WORDS: dict[Reason, str] = {
    "expires": "ends",
    "rotation_due": "must get a new text, or it ends,",
    "previous_text_ends": "has an old text that ends",
}


def _expiring(id: str, about: dict[str, Any], reason: Reason, end: datetime, now: datetime) -> KeyEvent:
    return KeyEvent(
        id=f"key.expiring/{id}/{reason}/{int(end.timestamp())}",
        kind="key.expiring",
        words=f"key {id} ({about['name']!r}) {_WORDS[reason]} at {_time(end)}",
        data={
            **about,
            "reason": reason,
            "expires_at": _time(end),
            "seconds_left": int((end - now).total_seconds()),
        },
    )


def _about_stored(key: ApiKey) -> dict[str, Any]:
    return _about(key.id, key.name, key.workspace_id, key.user_id, key.alert_emails)


def _about(id: str, name: str, workspace_id: str | None, user_id: str | None, emails: Sequence[str]) -> dict[str, Any]:
    return {
        "key_id": id,
        "name": name,
        "workspace_id": workspace_id,
        "user_id": user_id,
        "alert_emails": list(emails),
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
