"""Keys that have got a new text, or will end, are told of once, a day ahead."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from lockgate.app.key_watch import KeyWatch, events_of
from lockgate.entities import ApiKey, KeyText, RotationPolicy
from lockgate.errors import Unavailable
from lockgate.plan.snapshot import GatewayKey

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = KeyText(digest="1" * 64, mask="gk_*****111", created_at=NOW - 90 * DAY)
KEY = ApiKey(
    id="k1", organisation_id="o", workspace_id="w", name="bot", kind="workspace-service", texts=(FIRST,),
    created_at=NOW - 90 * DAY, updated_at=NOW - 90 * DAY, alert_emails=("ops@example.org",),
)  # fmt: skip


def kinds(*stored, declared=(), now=NOW):
    return [(event.kind, event.data.get("reason")) for event in events_of(stored, declared, now)]


def rotated(ago, *, transition=HOUR):
    new = KeyText(digest="2" * 64, mask="gk_*****222", created_at=NOW - ago)
    return replace(KEY, texts=(new, replace(FIRST, expires_at=new.created_at + transition)))


def test_a_key_that_goes_on_is_not_told_of():
    assert kinds(KEY) == []


@pytest.mark.parametrize("left, is_told", [(25 * HOUR, False), (24 * HOUR, True), (HOUR, True), (-HOUR, False)])
def test_the_end_of_a_key_is_told_a_day_ahead(left, is_told):
    found = [("key.expiring", "expires")] if is_told else []
    assert kinds(replace(KEY, expires_at=NOW + left)) == found
    declared = GatewayKey(id="file", name="file", source="lockgate.toml", expires_at=(NOW + left).timestamp())
    assert kinds(declared=(declared,)) == found


def test_an_event_says_which_key_and_when():
    (event,) = events_of((replace(KEY, expires_at=NOW + 2 * HOUR),), (), NOW)
    assert event.data == {
        "key_id": "k1",
        "name": "bot",
        "workspace_id": "w",
        "user_id": None,
        "alert_emails": ["ops@example.org"],
        "reason": "expires",
        "expires_at": "2026-11-29T14:00:00Z",
        "seconds_left": 7200,
    }
    assert event.words == "key k1 ('bot') ends at 2026-11-29T14:00:00Z"


def test_a_rotation_that_is_due_is_told_a_day_ahead():
    due = replace(KEY, rotation=RotationPolicy(period="monthly", next_rotation_at=NOW + 12 * HOUR))
    assert kinds(due) == [("key.expiring", "rotation_due")]


def test_a_new_text_is_told_with_the_end_of_the_old_one():
    (event,) = events_of((rotated(HOUR / 2),), (), NOW)
    assert event.kind == "key.rotated"
    assert event.data["rotated_at"] == "2026-11-29T11:30:00Z"
    assert event.data["previous_ends_at"] == "2026-11-29T12:30:00Z"
    assert "2" * 17 not in event.id
    assert "the old one opens until" in event.words


def test_a_text_that_was_revoked_is_told_as_such():
    new = KeyText(digest="3" * 64, mask="", created_at=NOW)
    (event,) = events_of((replace(KEY, texts=(new,)),), (), NOW)
    assert event.data["previous_ends_at"] is None
    assert "does not open any more" in event.words


def test_rotations_of_long_ago_are_not_told_and_long_transitions_are_told_before_they_end():
    assert kinds(rotated(2 * DAY)) == []
    assert kinds(rotated(2 * DAY, transition=10 * DAY)) == []
    assert kinds(rotated(2 * DAY, transition=2 * DAY + HOUR)) == [("key.expiring", "previous_text_ends")]


def test_keys_that_are_disabled_are_left_out():
    assert kinds(replace(KEY, status="disabled", expires_at=NOW + HOUR)) == []


class Scene:
    """A watch over one key, and what it told."""

    def __init__(self, first):
        self.told = []
        ends = replace(KEY, expires_at=NOW + HOUR)
        self.watch = KeyWatch(lambda: (ends,), lambda: (), first, self.told.append, lambda: NOW)


def test_each_event_is_told_by_who_wrote_it_down_first(caplog):
    known = set()

    def first(ids):
        new = set(ids) - known
        known.update(new)
        return new

    scenes = [Scene(first), Scene(first)]
    for _ in range(2):
        for scene in scenes:
            asyncio.run(scene.watch.once())
    assert [len(scene.told) for scene in scenes] == [1, 0]
    assert "key k1 ('bot') ends at" in caplog.text


def test_a_database_that_is_away_is_said(caplog):
    def first(ids):
        raise Unavailable("The database cannot be reached")

    scene = Scene(first)
    asyncio.run(scene.watch.once())
    assert scene.told == []
    assert "keys that end are not told: The database" in caplog.text


@pytest.mark.parametrize("fault", [TimeoutError("QueuePool limit"), RuntimeError("a bug")])
def test_no_fault_ends_the_watch(caplog, fault):
    faults = [fault]

    def first(ids):
        if faults:
            raise faults.pop()
        return set(ids)

    scene = Scene(first)
    asyncio.run(scene.watch.once())
    assert scene.told == []
    assert "keys that end are not told" in caplog.text
    assert str(fault) in caplog.text
    asyncio.run(scene.watch.once())
    assert len(scene.told) == 1
