"""Events of budgets and of models without a price, on their way to the log and to a webhook."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import tempfile
from pathlib import Path

import pytest
from msgspec import structs

from lockgate.app.alerts import Alerts, signed_headers, tell, tell_drift
from lockgate.core.http import Origin
from lockgate.core.limits import Budget, Claim, Drift, LimitEvent
from lockgate.core.record import SCHEMA_VERSION, Attempt, Record
from lockgate.core.secret import Secret
from lockgate.errors import Unreachable
from lockgate.plan.hook import Hook
from lockgate.plan.snapshot import GatewayKey, Snapshot
from lockgate.store.outbox import Outbox
from tests.unit.dataplane.fakes import FakeClock, FakeResponse, FakeUpstream

DOLLAR = 10**9
NOW = int(FakeClock().unix())
LIMIT = Budget(id="b1", scope="key", name="bot", unit="nanos", cap=10 * DOLLAR)
HOOK = Hook(
    origin=Origin(scheme="https", host="hooks.example.com", port=443), target=Secret("/services/canary"), key=b"k"
)
KEY = GatewayKey(id="k1", name="bot", claims=(Claim(LIMIT),), alert_emails=("ops@example.org",))


def event(kind="threshold", **more):
    said = {"limit": LIMIT, "group": "", "threshold": 8 * DOLLAR, "used": 8 * DOLLAR, "start": 0, "resets_at": None}
    return LimitEvent(kind=kind, **{**said, **more})


def unpriced(model="house", workspace="w1"):
    attempt = Attempt(provider="anthropic", slug="claude", model=model, duration_ms=1.0)
    return Record(
        schema_version=SCHEMA_VERSION, id="rec_1", trace_id="t", started_at=0.0, method="POST", route="chat",
        dialect="d", status=200, workspace_id=workspace, provider="anthropic", slug="claude", model="house-2",
        attempts=(attempt,),
    )  # fmt: skip


def taken():
    return FakeResponse(204, [])


class Post:
    """Alerts with a webhook that answers as told; ``sent`` is what it was sent."""

    def __init__(self, *answers, hook=HOOK, waits_s=(0.0,), folder=None):
        self.upstream = FakeUpstream()
        self.upstream.will(*answers)
        snapshot = Snapshot(version=1, keys={b"d": KEY}, workspaces={}, raw_targets={}, hook=hook)
        self._folder = folder
        self._build = lambda folder: Alerts(
            self.upstream, FakeClock(), lambda: snapshot, Outbox(folder / "alerts"), waits_s=waits_s
        )

    def run(self, tell_all):
        async def scene():
            alerts = self._build(folder)
            tell_all(alerts)
            await alerts.close()

        with tempfile.TemporaryDirectory() as own:
            folder = self._folder or Path(own)
            asyncio.run(scene())
        return self.upstream.sent


@pytest.mark.parametrize(
    "kind, words",
    [("threshold", "is used to 80 %"), ("exhausted", "is used up"), ("reset", "was set to zero")],
)
def test_events_are_said_in_the_log(caplog, kind, words):
    with caplog.at_level(logging.INFO, logger="lockgate.limits"):
        tell(event(kind, group="g"))
    assert words in caplog.text
    assert "'bot'" in caplog.text


def test_an_event_is_posted_with_all_that_one_wants_to_know():
    half = structs.replace(event(), start=NOW - 1000, resets_at=NOW + 1000)
    (request,) = Post(taken()).run(lambda alerts: alerts.limit(half))
    assert (request.method, request.origin, request.target) == ("POST", HOOK.origin, b"/services/canary")
    assert json.loads(request.body) == {
        "type": "budget.threshold",
        "timestamp": "2026-09-21T14:13:20Z",
        "data": {
            "limit_id": "b1",
            "scope": "key",
            "name": "bot",
            "group": None,
            "unit": "usd",
            "mode": "hard",
            "credit_limit": 10,
            "threshold": 8,
            "used": 8,
            "percent": 80.0,
            "forecast": 16,
            "period_start": "2026-09-21T13:56:40Z",
            "resets_at": "2026-09-21T14:30:00Z",
            "alert_emails": ["ops@example.org"],
        },
    }


def test_the_signature_can_be_checked_as_the_specification_says():
    (request,) = Post(taken()).run(lambda alerts: alerts.limit(event()))
    headers = {name.decode(): value.decode() for name, value in request.headers}
    assert headers["webhook-id"].startswith("evt_")
    assert headers["webhook-timestamp"] == str(NOW)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    wanted = base64.b64encode(hmac.new(b"k", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert "webhook-signature" not in {name.decode() for name, _ in signed_headers(None, "evt", NOW, b"{}")}


@pytest.mark.parametrize("failure", [Unreachable("no"), FakeResponse(500, []), FakeResponse(302, [])])
def test_what_is_not_taken_is_sent_again_under_the_same_id(failure):
    sent = Post(failure, taken()).run(lambda alerts: alerts.limit(event("exhausted")))
    assert len(sent) == 2
    assert len({dict(request.headers)[b"webhook-id"] for request in sent}) == 1
    assert len({request.body for request in sent}) == 1


def test_after_the_last_try_it_is_given_up_and_said_without_the_path(caplog):
    sent = Post(FakeResponse(500, []), FakeResponse(500, [])).run(lambda alerts: alerts.limit(event("exhausted")))
    assert len(sent) == 2
    assert "hooks.example.com did not take budget.exhausted: status 500; it is given up" in caplog.text
    assert "canary" not in caplog.text


def test_the_end_does_not_wait_for_a_webhook_that_hangs(caplog, monkeypatch):
    monkeypatch.setattr("lockgate.app.alerts._LAST_WORDS_S", 0.0)
    Post(FakeResponse(500, []), waits_s=(3600.0,)).run(lambda alerts: alerts.limit(event()))
    assert "1 alerts were not delivered before the end; the next start sends them" in caplog.text


def test_what_was_not_delivered_is_sent_by_the_next_start_under_the_same_id(tmp_path, monkeypatch):
    monkeypatch.setattr("lockgate.app.alerts._LAST_WORDS_S", 0.0)
    first = Post(FakeResponse(500, []), waits_s=(3600.0,), folder=tmp_path).run(lambda alerts: alerts.limit(event()))
    later = Post(taken(), folder=tmp_path).run(lambda alerts: alerts.start())
    assert len({dict(request.headers)[b"webhook-id"] for request in (*first, *later)}) == 1
    assert first[0].body == later[0].body
    assert Post(folder=tmp_path).run(lambda alerts: alerts.start()) == []


@pytest.mark.parametrize("answers", [(taken(),), (FakeResponse(500, []), FakeResponse(500, []))])
def test_what_is_delivered_or_given_up_is_not_sent_again(tmp_path, answers):
    Post(*answers, folder=tmp_path).run(lambda alerts: alerts.limit(event()))
    assert list((tmp_path / "alerts").iterdir()) == []


def test_without_a_webhook_what_was_left_waits(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("lockgate.app.alerts._LAST_WORDS_S", 0.0)
    Post(FakeResponse(500, []), waits_s=(3600.0,), folder=tmp_path).run(lambda alerts: alerts.limit(event()))
    assert Post(hook=None, folder=tmp_path).run(lambda alerts: alerts.start()) == []
    assert "1 alerts wait for a webhook" in caplog.text
    assert len(Post(taken(), folder=tmp_path).run(lambda alerts: alerts.start())) == 1


def test_too_many_at_once_are_dropped_and_said(caplog, monkeypatch):
    monkeypatch.setattr("lockgate.app.alerts.MOST", 1)

    def twice(alerts):
        alerts.limit(event())
        alerts.limit(event("exhausted"))

    assert len(Post(taken()).run(twice)) == 1
    assert "budget.exhausted is not sent" in caplog.text


def test_without_a_webhook_nothing_is_posted():
    assert Post(hook=None).run(lambda alerts: alerts.limit(event())) == []


def test_budgets_that_are_no_keys_name_no_recipients():
    shared = structs.replace(LIMIT, id="w", scope="workspace")
    (request,) = Post(taken()).run(lambda alerts: alerts.limit(event(limit=shared, group="metadata._user:maria")))
    data = json.loads(request.body)["data"]
    assert (data["alert_emails"], data["group"], data["forecast"]) == ([], "metadata._user:maria", None)


def test_a_model_without_a_price_is_told_once_for_each_provider_of_a_workspace(caplog):
    def several(alerts):
        for _ in range(3):
            alerts.unpriced(unpriced())
        alerts.unpriced(unpriced(workspace="w2"))

    sent = Post(taken(), taken()).run(several)
    told = [json.loads(request.body) for request in sent]
    assert [one["type"] for one in told] == ["model.unpriced"] * 2
    assert told[0]["data"] == {"workspace_id": "w1", "provider": "claude", "model": "house", "record_id": "rec_1"}
    assert caplog.text.count("model house of anthropic has no price") == 2


def test_a_drift_is_said_and_posted(caplog):
    drift = Drift(
        limit=LIMIT, group="ann", start=NOW - 1000, resets_at=NOW + 1000, counted=3 * DOLLAR, booked=5 * DOLLAR,
        is_made_up=True,
    )  # fmt: skip
    (request,) = Post(taken()).run(lambda alerts: alerts.drift(drift))
    assert json.loads(request.body) == {
        "type": "budget.drift",
        "timestamp": "2026-09-21T14:13:20Z",
        "data": {
            "limit_id": "b1",
            "scope": "key",
            "name": "bot",
            "group": "ann",
            "unit": "usd",
            "mode": "hard",
            "credit_limit": 10,
            "counted": 3,
            "ledger": 5,
            "difference": 2,
            "is_made_up": True,
            "period_start": "2026-09-21T13:56:40Z",
            "resets_at": "2026-09-21T14:30:00Z",
            "alert_emails": ["ops@example.org"],
        },
    }
    assert "the counter has 2 usd less than the ledger: made up for" in caplog.text
    caplog.clear()
    tell_drift(structs.replace(drift, counted=8 * DOLLAR, is_made_up=False))
    assert "the counter has 3 usd more than the ledger: left as it is" in caplog.text
