from datetime import UTC, datetime, timedelta

import pytest

from lockgate.admin.rotation import RotationPolicyBody, live_texts, read_rotation, rotated, write_rotation
from lockgate.entities import ApiKey, KeyText, Organisation
from lockgate.errors import Conflict, InvalidRequest

NOW = datetime(2026, 8, 21, 9, 30, tzinfo=UTC)
ORGANISATION = Organisation(name="Acme", slug="acme")


def text(name, *, ends_in_s=None):
    ends = NOW + timedelta(seconds=ends_in_s) if ends_in_s is not None else None
    return KeyText(digest=name, mask="m", created_at=NOW, expires_at=ends)


def key(*texts, **more):
    return ApiKey(name="k", kind="workspace-service", texts=texts, **more)


def rotate(old, *, transition_ms=1_800_000, revoke_previous=False, organisation=ORGANISATION):
    return rotated(
        old,
        text("new"),
        transition_ms=transition_ms,
        revoke_previous=revoke_previous,
        organisation=organisation,
        now=NOW,
    )


def test_the_new_text_comes_first_and_the_old_one_has_an_end():
    new, old = rotate(key(text("old"))).texts
    assert (new.digest, new.expires_at) == ("new", None)
    assert (old.digest, old.expires_at) == ("old", NOW + timedelta(minutes=30))


def test_a_text_that_has_ended_makes_room():
    changed = rotate(key(text("a"), text("b", ends_in_s=0)))
    assert [each.digest for each in changed.texts] == ["new", "a"]


def test_two_live_ones_are_enough():
    under_way = key(text("a"), text("b", ends_in_s=1))
    with pytest.raises(Conflict, match="revoke_previous"):
        rotate(under_way)
    assert [each.digest for each in rotate(under_way, revoke_previous=True).texts] == ["new"]


def test_a_text_opens_until_before_its_end():
    assert [each.digest for each in live_texts(key(text("a", ends_in_s=1), text("b", ends_in_s=0)), NOW)] == ["a"]


def test_the_overlap_has_bounds():
    policy = read_rotation(RotationPolicyBody(rotation_period_days=1), ORGANISATION, NOW)
    with pytest.raises(InvalidRequest, match="shorter"):
        rotate(key(text("a"), rotation=policy), transition_ms=86_400_000)
    with pytest.raises(InvalidRequest, match="3600000"):
        rotate(
            key(text("a")),
            transition_ms=3_600_001,
            organisation=Organisation(name="a", slug="a", api_key_max_transition_s=3600),
        )


@pytest.mark.parametrize(
    "today, body, expected",
    [
        ((2026, 8, 21), {"rotation_period": "weekly"}, (2026, 8, 24)),
        ((2026, 8, 24), {"rotation_period": "weekly"}, (2026, 8, 31)),
        ((2026, 12, 31), {"rotation_period": "monthly"}, (2027, 1, 1)),
        ((2026, 1, 31), {"rotation_period": "monthly"}, (2026, 2, 1)),
        ((2026, 2, 28), {"rotation_period_days": 1}, (2026, 3, 1)),
    ],
)
def test_the_next_rotation(today, body, expected):
    policy = read_rotation(RotationPolicyBody(**body), ORGANISATION, datetime(*today, 12, tzinfo=UTC))
    assert policy.next_rotation_at == datetime(*expected, tzinfo=UTC)
    assert write_rotation(policy, policy.next_rotation_at - timedelta(hours=1)).status == "active"


@pytest.mark.parametrize("late_s, status", [(-1, "active"), (0, "due"), (1799, "due"), (1800, "overdue")])
def test_a_policy_says_when_its_day_has_come(late_s, status):
    policy = read_rotation(RotationPolicyBody(rotation_period="weekly"), ORGANISATION, NOW)
    now = policy.next_rotation_at + timedelta(seconds=late_s)
    assert write_rotation(policy, now).status == status
    assert bool(live_texts(key(text("a"), rotation=policy), now)) is (status != "overdue")


@pytest.mark.parametrize(
    "rotated_on, body, expected",
    [
        ((2026, 8, 24), {"rotation_period": "weekly"}, (2026, 8, 31)),
        ((2026, 8, 30), {"rotation_period": "weekly"}, (2026, 9, 7)),
        ((2026, 8, 5), {"rotation_period": "monthly"}, (2026, 9, 1)),
        ((2026, 8, 31), {"rotation_period": "monthly"}, (2026, 10, 1)),
        ((2026, 8, 31), {"rotation_period_days": 30}, (2026, 9, 30)),
    ],
)
def test_after_a_rotation_the_next_one_is_a_period_away(rotated_on, body, expected):
    now = datetime(*rotated_on, 12, tzinfo=UTC)
    policy = read_rotation(RotationPolicyBody(**body), ORGANISATION, NOW)
    for revoke in (True, False):
        changed = rotated(
            key(text("a"), rotation=policy), text("new"), transition_ms=1_800_000, revoke_previous=revoke,
            organisation=ORGANISATION, now=now,
        )  # fmt: skip
        assert changed.rotation.next_rotation_at == datetime(*expected, tzinfo=UTC)


def test_none_is_none():
    assert read_rotation(None, ORGANISATION, NOW) is None
    assert write_rotation(None, NOW) is None
