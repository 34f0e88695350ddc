from datetime import timedelta
from types import SimpleNamespace

import pytest

from lockgate.admin.key_views import write_keys
from lockgate.core.limits import Usage
from lockgate.entities import ApiKey, KeyText, UsageLimit
from tests.unit.admin.plane import START

TEXT = KeyText(digest="a", mask="gk_*****abc", created_at=START)
OLD = KeyText(digest="b", mask="gk_*****old", created_at=START, expires_at=START + timedelta(hours=1))
LIMIT = UsageLimit(id="1", unit="tokens", cap=100)


def shown(used=0, **fields):
    """Show a key whose budget is used so far."""
    usage = Usage(used=used, reserved=0, remaining=100 - used, start=0, resets_at=None)
    call = SimpleNamespace(now=START, usage=lambda claims: {claim.limit.id: usage for claim in claims})
    key = ApiKey(name="k", kind="workspace-service", created_at=START, updated_at=START, **{"texts": (TEXT,)} | fields)
    return write_keys(call, [key])[0]


@pytest.mark.parametrize(
    "fields, status",
    [
        ({}, "active"),
        ({"texts": (TEXT, OLD)}, "rotating"),
        ({"usage_limits": (LIMIT,), "used": 100}, "exhausted"),
        ({"usage_limits": (LIMIT,), "used": 99}, "active"),
        ({"usage_limits": (LIMIT,), "used": 100, "texts": (TEXT, OLD)}, "exhausted"),
        ({"expires_at": START}, "expired"),
        ({"expires_at": START + timedelta(seconds=1)}, "active"),
        ({"expires_at": START, "status": "disabled"}, "disabled"),
    ],
)
def test_the_state_is_derived(fields, status):
    assert shown(**fields).status == status


def test_the_newest_text_is_the_one_that_is_shown():
    assert shown(texts=(TEXT, OLD)).key == "gk_*****abc"


def test_usage_stands_beside_the_limit():
    view = shown(used=30, usage_limits=(LIMIT,))
    assert (view.usage.used, view.usage.remaining, view.usage_limits.credit_limit) == (30, 70, 100)
    assert shown().usage is None
