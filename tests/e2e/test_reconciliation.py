"""Counters that lost something get it back from the ledger when the gateway starts, and everybody is told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as read_metrics

from tests.e2e.catalog import ADMIN_KEY, running_catalog
from tests.e2e.gateway import UPSTREAM_KEY, Evidence, Server, clean_environment
from tests.e2e.test_alerts import CONFIG as CATALOG
from tests.e2e.test_alerts import PATH, SECRET, Receiver, next_event
from tests.e2e.test_alerts import receiver as receiver

pytestmark = pytest.mark.timeout(180)

CONFIG = CATALOG + '[alerts]\nwebhook = "env:ALERTS_URL"\nsecret = "env:ALERTS_SECRET"\n[counters]\nrepair = true\n'


def api(server: Server, key: str) -> httpx.Client:
    return httpx.Client(base_url=f"{server.url}/v1", headers={"x-portkey-api-key": key}, trust_env=False, timeout=60)


def budgets_check(home: Path, status: int) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "lockgate", "budgets", "check", "--json"],
        cwd=home, env=clean_environment(LOCKGATE_HOME=str(home)), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def wait_for(path: Path) -> None:
    deadline_s = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline_s, f"{path} did not come"
        time.sleep(0.05)


def test_what_the_counters_lost_comes_back_from_the_ledger(
    e2e_folder: Path, simulator: Server, receiver: Receiver, evidence: Evidence
) -> None:
    folder = e2e_folder / "reconciliation"
    home = folder / "home"
    evidence.folders.append(folder)
    url = f"http://127.0.0.1:{receiver.server_port}{PATH}"
    with running_catalog(folder, config=CONFIG, ALERTS_URL=url, ALERTS_SECRET=SECRET) as server:
        with api(server, ADMIN_KEY) as admin:
            integration = {
                "name": "Claude", "slug": "claude", "ai_provider_id": "anthropic", "key": UPSTREAM_KEY,
                "workspace_id": "ws-shared", "configurations": {"custom_host": simulator.url},
            }  # fmt: skip
            admin.post("/integrations", json=integration).raise_for_status()
            key = {"name": "bot", "usage_limits": {"type": "tokens", "credit_limit": 100_000}}
            made = admin.post("/api-keys/workspace/service", json=key).raise_for_status().json()
        wait_for(home / "ledger.json")
        with api(server, made["key"]) as app:
            call = {"max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}
            for _ in range(3):
                app.post("/chat/completions", json={**call, "model": "@claude/claude-haiku-4-5"}).raise_for_status()
        (checked,) = budgets_check(home, 0)
        assert (checked["budget"], checked["verdict"]) == ("key:bot", "ok")
        assert checked["counted"] == checked["ledger"] > 0
    kept = json.loads((home / "counters.json").read_bytes())
    kept["state"]["counts"] = []
    (home / "counters.json").write_text(json.dumps(kept))
    (lost,) = budgets_check(home, 1)
    assert (lost["verdict"], lost["counted"], lost["difference"]) == ("counter lacks", 0, checked["counted"])

    with running_catalog(folder, config=CONFIG, ALERTS_URL=url, ALERTS_SECRET=SECRET) as server:
        event = next_event(receiver)
        assert event["type"] == "budget.drift"
        assert (event["data"]["name"], event["data"]["is_made_up"]) == ("bot", True)
        assert event["data"]["difference"] == checked["counted"]
        with api(server, ADMIN_KEY) as admin:
            assert admin.get(f"/api-keys/{made['id']}").json()["usage"]["used"] == checked["counted"]
            metrics = httpx.get(
                f"{server.url}/metrics", headers={"x-portkey-api-key": ADMIN_KEY}, trust_env=False, timeout=30
            )
        samples = [one for family in read_metrics(metrics.text) for one in family.samples]
        assert [one.labels for one in samples if one.name == "aigw_budget_drifts_total" and one.value == 1] == [
            {"scope": "key", "direction": "short"}
        ]
        assert "less than the ledger: made up for" in server.log.read_text()
    (again,) = budgets_check(home, 0)
    assert again["verdict"] == "ok"

    kept = json.loads((home / "counters.json").read_bytes())
    kept["state"]["counts"][0]["used"] += 77
    (home / "counters.json").write_text(json.dumps(kept))
    with running_catalog(folder, config=CONFIG, ALERTS_URL=url, ALERTS_SECRET=SECRET) as server:
        event = next_event(receiver)
        assert (event["data"]["difference"], event["data"]["is_made_up"]) == (-77, False)
        with api(server, ADMIN_KEY) as admin:
            usage = admin.get(f"/api-keys/{made['id']}").json()["usage"]
        assert (usage["used"], usage["drift"]) == (checked["counted"] + 77, 77)
