from datetime import UTC, datetime, timedelta

import pytest

from lockgate.entities import ApiKey, KeyText, RotationPolicy

NOW = datetime(2026, 8, 21, tzinfo=UTC)
LATER = NOW + timedelta(days=3)


def text(**more):
    return KeyText(digest="d", mask="m", created_at=NOW, **more)


@pytest.mark.parametrize(
    "of_key, of_text, end",
    [
        ({}, {}, None),
        ({"expires_at": LATER}, {}, LATER),
        ({"expires_at": LATER}, {"expires_at": NOW}, NOW),
        ({"rotation": RotationPolicy(period="weekly")}, {}, None),
        (
            {"rotation": RotationPolicy(period="weekly", next_rotation_at=NOW, transition_s=60)},
            {},
            NOW.replace(minute=1),
        ),
        (
            {"rotation": RotationPolicy(period="weekly", next_rotation_at=LATER), "expires_at": LATER},
            {"expires_at": NOW},
            NOW,
        ),
    ],
    ids=["never", "with the key", "before the key", "no day yet", "rotation", "the first of three"],
)
def test_a_text_ends_with_whatever_comes_first(of_key, of_text, end):
    assert ApiKey(name="k", kind="workspace-service", **of_key).end_of(text(**of_text)) == end
