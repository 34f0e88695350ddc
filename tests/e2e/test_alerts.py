"""A budget that reaches its threshold, and a model without a price, come to the operator's webhook, signed and once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import secrets
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.catalog import ADMIN_KEY, CONFIG, running_catalog
from tests.e2e.gateway import UPSTREAM_KEY, Evidence, Server

pytestmark = pytest.mark.timeout(120)

SECRET = f"alert-canary-{secrets.token_hex(16)}"
PATH = f"/services/path-canary-{secrets.token_hex(16)}"


class Receiver(ThreadingHTTPServer):
    """Takes messages, but not the first time that it sees one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiving)
        self.taken: queue.Queue[tuple[str, dict[str, str], bytes]] = queue.Queue()
        self.seen: set[str] = set()


class Receiving(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        is_new = headers["webhook-id"] not in self.server.seen
        self.server.seen.add(headers["webhook-id"])
        if not is_new:
            self.server.taken.put((self.path, headers, body))
        self.send_response(503 if is_new else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def gateway(e2e_folder: Path, evidence: Evidence, receiver: Receiver) -> Iterator[Server]:
    folder = e2e_folder / "alerts"
    evidence.folders.append(folder)
    config = CONFIG + '[alerts]\nwebhook = "env:ALERTS_URL"\nsecret = "env:ALERTS_SECRET"\n'
    url = f"http://127.0.0.1:{receiver.server_port}{PATH}"
    with running_catalog(folder, config=config, ALERTS_URL=url, ALERTS_SECRET=SECRET) as server:
        yield server


def next_event(receiver: Receiver) -> dict[str, Any]:
    """Return the next message, after a look at its address and its signature."""
    path, headers, body = receiver.taken.get(timeout=30)
    assert path == PATH
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    event: dict[str, Any] = json.loads(body)
    return event


def test_events_reach_the_webhook(gateway: Server, simulator: Server, receiver: Receiver, evidence: Evidence) -> None:
    base = f"{gateway.url}/v1"
    with httpx.Client(base_url=base, headers={"x-portkey-api-key": ADMIN_KEY}, trust_env=False, timeout=60) as admin:
        integration = {
            "name": "Claude", "slug": "claude", "ai_provider_id": "anthropic", "key": UPSTREAM_KEY,
            "workspace_id": "ws-shared", "configurations": {"custom_host": simulator.url},
        }  # fmt: skip
        admin.post("/integrations", json=integration).raise_for_status()
        budget = {"type": "cost", "credit_limit": 1, "alert_threshold": 0.000001, "periodic_reset": "monthly"}
        key = {"name": "bot", "usage_limits": budget, "alert_emails": ["ops@example.org"]}
        made = admin.post("/api-keys/workspace/service", json=key).raise_for_status().json()
        headers = {"x-portkey-api-key": made["key"]}
        with httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=60) as app:
            call = {"max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}
            for _ in range(3):
                app.post("/chat/completions", json={**call, "model": "@claude/claude-haiku-4-5"}).raise_for_status()
            event = next_event(receiver)
            own = {
                **integration, "slug": "own", "ai_provider_id": "openai-compatible",
                "configurations": {"custom_host": f"{simulator.url}/v1"},
            }  # fmt: skip
            admin.post("/integrations", json=own).raise_for_status()
            for _ in range(2):
                answer = app.post("/chat/completions", json={**call, "model": "@own/gpt-4o"}).raise_for_status()
                assert answer.headers["x-portkey-cost-status"] == "unpriced"
            unpriced = next_event(receiver)
        assert event["type"] == "budget.threshold"
        data = event["data"]
        assert (data["scope"], data["name"], data["unit"]) == ("key", "bot", "usd")
        assert (data["credit_limit"], data["threshold"]) == (1, 0.000001)
        assert data["alert_emails"] == ["ops@example.org"]
        assert data["used"] >= data["threshold"]
        assert data["forecast"] >= data["used"]
    assert unpriced["type"] == "model.unpriced"
    assert (unpriced["data"]["provider"], unpriced["data"]["model"]) == ("own", "gpt-4o")
    assert receiver.taken.empty(), "three calls beyond the threshold are one message"
    output = gateway.log.read_text()
    assert "did not take budget.threshold: status 503; again in" in output
    assert SECRET not in output
    assert PATH not in output


def test_rotations_and_ends_of_keys_reach_the_webhook_once(
    gateway: Server, receiver: Receiver, evidence: Evidence
) -> None:
    with httpx.Client(
        base_url=f"{gateway.url}/v1", headers={"x-portkey-api-key": ADMIN_KEY}, trust_env=False, timeout=60
    ) as admin:
        end = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
        key = {"name": "brief", "expires_at": end, "alert_emails": ["ops@example.org"]}
        made = admin.post("/api-keys/workspace/service", json=key).raise_for_status().json()
        expiring = next_event(receiver)
        again = admin.post(f"/api-keys/{made['id']}/rotate", json={}).raise_for_status().json()
        rotated = next_event(receiver)
    evidence.hide("key that ends", made["key"])
    evidence.hide("rotated key", again["key"])
    assert (expiring["type"], expiring["data"]["reason"]) == ("key.expiring", "expires")
    assert (expiring["data"]["key_id"], expiring["data"]["alert_emails"]) == (made["id"], ["ops@example.org"])
    assert rotated["type"] == "key.rotated"
    assert rotated["data"]["previous_ends_at"] is not None
    assert receiver.taken.empty()


def test_what_was_under_way_when_a_gateway_was_killed_is_sent_by_the_next_one(
    e2e_folder: Path, evidence: Evidence, receiver: Receiver
) -> None:
    folder = e2e_folder / "killed-alerts"
    evidence.folders.append(folder)
    config = CONFIG + '[alerts]\nwebhook = "env:ALERTS_URL"\nsecret = "env:ALERTS_SECRET"\n'
    # the first gateway posts to a port at which nobody listens
    with running_catalog(folder, config=config, ALERTS_URL=f"http://127.0.0.1:1{PATH}", ALERTS_SECRET=SECRET) as server:
        headers = {"x-portkey-api-key": ADMIN_KEY}
        end = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
        made = httpx.post(
            f"{server.url}/v1/api-keys/workspace/service", json={"name": "brief", "expires_at": end}, headers=headers,
            trust_env=False, timeout=60,
        )  # fmt: skip
        evidence.hide("key of a killed gateway", made.raise_for_status().json()["key"])
        deadline_s = time.monotonic() + 30
        while "did not take key.expiring" not in server.log.read_text():
            assert time.monotonic() < deadline_s, "no alert was tried"
            time.sleep(0.05)
        server.process.kill()
        server.process.wait()
    url = f"http://127.0.0.1:{receiver.server_port}{PATH}"
    with running_catalog(folder, config=config, ALERTS_URL=url, ALERTS_SECRET=SECRET):
        event = next_event(receiver)
    assert (event["type"], event["data"]["key_id"]) == ("key.expiring", made.json()["id"])
