"""Requests that have no record yet are shown without what would not be kept of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lockgate.app.under_way import rows_under_way
from lockgate.core.recording import Recording, Rules

KEY = "sk-" + "ant-api03-" + "a1B2c3D4" * 6


def exchange(number, *, mode="full", caller=True, choice=None):
    key = SimpleNamespace(id="key_1", name="k", user=None)
    ledger = SimpleNamespace(
        started_at=100.0 - number, model_asked=f"m {KEY}", is_stream=True, bytes_in=5, bytes_out=7, attempt_number=1
    )
    return SimpleNamespace(
        ledger=ledger, choice=choice, recording=Recording(rules=Rules(mode=mode)), trace_id=f"t {KEY}".encode(), route="chat",
        caller=SimpleNamespace(key=key) if caller else None, workspace=SimpleNamespace(id="w"),
        metadata={"_user": "ann", "note": KEY}, record_id=f"rec_{number}",
    )  # fmt: skip


def test_the_oldest_come_first_and_callers_must_be_known():
    target = SimpleNamespace(provider=SimpleNamespace(name="anthropic"), slug="claude")
    found = rows_under_way(
        [exchange(1), exchange(2, choice=SimpleNamespace(target=target)), exchange(3, caller=False)], 101.5
    )
    assert [row.id for row in found] == ["rec_2", "rec_1"]
    assert (found[0].provider, found[0].provider_slug, found[1].provider) == ("anthropic", "claude", None)
    assert (found[1].duration_us, found[1].api_key_id, found[1].workspace_id) == (2_500_000, "key_1", "w")
    assert (found[1].endpoint, found[1].is_stream, found[1].request_bytes, found[1].response_bytes) == (
        "chat",
        True,
        5,
        7,
    )
    assert found[1].outcome is None


@pytest.mark.parametrize("mode", ["full", "off"])
def test_nothing_is_shown_that_would_not_be_kept(mode):
    (row,) = rows_under_way([exchange(1, mode=mode)], 100.0)
    assert KEY not in repr(row)
    assert row.end_user == (None if mode == "off" else "ann")
