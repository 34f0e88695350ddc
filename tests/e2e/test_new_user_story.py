"""What a new user does on the first day: a provider, a key with a budget, a call, the usage, the end of the budget, more.

Once with the unmodified Portkey SDK over HTTP, once on the command line beside the running gateway. Claude is the
simulator's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import portkey_ai
import pytest
from portkey_ai._vendor.openai import APIStatusError, AuthenticationError

from tests.e2e.catalog import ADMIN_KEY, running_catalog
from tests.e2e.gateway import UPSTREAM_KEY, Evidence, Server, clean_environment
from tests.e2e.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

MODEL = "@claude-prod/claude-sonnet-4-5"
CALL: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Write a long story."}],
    "max_tokens": 500,
}
"""At worst 0.0075 dollars and something for the prompt, of a budget of 0.01: soon what was used is missing."""
MOST_CALLS = 50


@pytest.fixture
def catalog(request: pytest.FixtureRequest, e2e_folder: Path, evidence: Evidence) -> Iterator[Server]:
    folder = e2e_folder / f"story-{request.node.name}"
    evidence.folders.append(folder)
    with running_catalog(folder) as server:
        yield server


def close(*clients: portkey_ai.Portkey) -> None:
    """Close the connections, of both parts of the SDK."""
    for client in clients:
        client.close()
        client.openai_client.close()


def succeeds(client: portkey_ai.Portkey, refusal: type[APIStatusError]) -> bool:
    """Call Claude; tell whether it answered, and was not refused in this way."""
    try:
        return bool(client.chat.completions.create(**CALL).choices[0].message.content)
    except refusal:
        return False


def call_until_refused(client: portkey_ai.Portkey) -> APIStatusError:
    """Call Claude until the budget ends; return the refusal."""
    for _ in range(MOST_CALLS):
        try:
            answer = client.chat.completions.create(**CALL)
        except APIStatusError as error:
            if error.status_code == 429:  # what is left is held by a call that is not settled yet
                continue
            return error
        assert answer.choices[0].message.content
    raise AssertionError("the budget did not end")


def test_the_first_day_with_the_portkey_sdk(catalog: Server, simulator: Server, evidence: Evidence) -> None:
    url = f"{catalog.url}/v1"
    admin = portkey_ai.Portkey(base_url=url, api_key=ADMIN_KEY)
    (home,) = admin.admin.workspaces.list().data
    # a provider
    admin.integrations.create(
        name="Claude", slug="claude-prod", ai_provider_id="anthropic", key=UPSTREAM_KEY, workspace_id=home.id,
        configurations={"custom_host": simulator.url},
    )  # fmt: skip
    assert admin.post("/integrations/claude-prod/test").ok is True
    # a key with a budget
    made = admin.api_keys.create(
        type="workspace", sub_type="service", name="my app", workspace_id=home.id, scopes=["completions.write"],
        usage_limits={"type": "cost", "credit_limit": 0.01, "periodic_reset": "monthly"},
    )  # fmt: skip
    app = portkey_ai.Portkey(base_url=url, api_key=made.key)
    # a call, and what it cost
    answer = app.chat.completions.create(**CALL)
    assert answer.usage.completion_tokens > 0
    usage = admin.api_keys.retrieve(id=made.id).usage
    assert 0 < usage["used"] < 0.01
    assert usage["used"] + usage["remaining"] == pytest.approx(0.01, abs=1e-12)
    # the budget ends: the documented refusal, which no SDK retries
    refusal = call_until_refused(app)
    evidence.add("the refusal of a budget", str(refusal))
    assert refusal.status_code == 412
    headers = refusal.response.headers
    assert headers["x-should-retry"] == "false"
    assert headers["x-portkey-budget-scope"] == "key"
    assert headers["x-portkey-budget-unit"] == "usd"
    assert headers["x-portkey-budget-limit"] == "0.01"
    assert headers["x-portkey-trace-id"]
    assert headers["x-portkey-request-id"]
    body = refusal.response.json()
    assert (body["status"], body["message"]) == ("failure", body["error"]["message"])
    assert body["message"].startswith("Budget ")
    assert (body["error"]["type"], body["error"]["code"], body["error"]["param"]) == (
        "budget_exceeded", "budget_exceeded", None,
    )  # fmt: skip
    limit = body["error"]["limit"]
    assert (limit["scope"], limit["type"], limit["credit_limit"]) == ("key", "cost", 0.01)
    usage = admin.api_keys.retrieve(id=made.id).usage
    assert usage["used"] == pytest.approx(limit["used"], abs=1e-12)
    assert usage["used"] <= 0.01
    # more budget, and on it goes at once
    admin.api_keys.update(id=made.id, usage_limits={"type": "cost", "credit_limit": 1, "periodic_reset": "monthly"})
    assert app.chat.completions.create(**CALL).choices[0].message.content
    key = admin.api_keys.retrieve(id=made.id)
    assert (key.status, key.usage_limits["credit_limit"]) == ("active", 1)
    assert key.usage["used"] > usage["used"]
    close(admin, app)


def lockgate(catalog: Server, *arguments: str, typed: str = "", status: int = 0) -> Any:
    """Run a command with --json beside the gateway, on its state folder; return what it printed, read."""
    config = catalog.home.parent.with_suffix(".toml")
    done = subprocess.run(
        [sys.executable, "-m", "lockgate", *arguments, "--config", str(config), "--json"],
        env=clean_environment(LOCKGATE_HOME=str(catalog.home)),
        cwd=catalog.home,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_the_first_day_on_the_command_line(catalog: Server, simulator: Server, evidence: Evidence) -> None:
    place = ("--type", "anthropic", "--key", "-", "--host", simulator.url)
    said = [lockgate(catalog, "providers", "create", "claude-prod", *place, typed=UPSTREAM_KEY + "\n")]
    said.append(lockgate(catalog, "providers", "test", "claude-prod"))
    assert said[-1]["ok"] is True
    made = lockgate(catalog, "keys", "create", "my app", "--budget", "0.01/month")
    app = portkey_ai.Portkey(base_url=f"{catalog.url}/v1", api_key=made["key"])
    # a running gateway takes the change over by itself, within a second or so
    wait_until(lambda: succeeds(app, AuthenticationError))
    refusal = call_until_refused(app)
    assert (refusal.status_code, refusal.response.headers["x-portkey-budget-scope"]) == (412, "key")
    (row,) = lockgate(catalog, "budgets", "show", "key:my app")
    used = row["usage"]["used"]
    assert used == pytest.approx(refusal.response.json()["error"]["limit"]["used"], abs=1e-12)
    said.append(lockgate(catalog, "budgets", "update", "key:my app", "1/month"))
    wait_until(lambda: succeeds(app, APIStatusError), lambda: "the raised budget was not taken over")
    (row,) = lockgate(catalog, "budgets", "list")
    assert used < row["usage"]["used"] < 1
    said.append(lockgate(catalog, "export"))
    evidence.add("what the command line says", said)
    close(app)


def test_a_provider_without_budget_left_refuses_and_a_reset_revives_it(catalog: Server, simulator: Server) -> None:
    with httpx.Client(
        base_url=f"{catalog.url}/v1", headers={"x-portkey-api-key": ADMIN_KEY}, trust_env=False, timeout=30
    ) as admin:
        place = {"name": "Claude", "slug": "claude-prod", "ai_provider_id": "anthropic", "key": UPSTREAM_KEY}
        (home,) = admin.get("/admin/workspaces").json()["data"]
        body = place | {"workspace_id": home["id"], "configurations": {"custom_host": simulator.url}}
        assert admin.post("/integrations", json=body).status_code == 200
        budget = {"usage_limits": {"type": "tokens", "credit_limit": 2000}}
        assert admin.put("/providers/claude-prod", json=budget).status_code == 200
        key = admin.post("/api-keys/workspace/service", json={"name": "app", "workspace_id": home["id"]}).json()["key"]
        app = portkey_ai.Portkey(base_url=f"{catalog.url}/v1", api_key=key)
        refusal = call_until_refused(app)
        assert refusal.status_code == 412
        assert refusal.response.headers["x-portkey-budget-scope"] == "provider"
        # whose the limit is, and no numbers: others share it
        assert "used" not in refusal.response.json()["error"]["limit"]
        shown = admin.get("/providers/claude-prod").json()
        assert shown["usage"]["used"] > 0
        assert admin.put("/providers/claude-prod", json={"reset_usage": True}).status_code == 200
        assert admin.get("/providers/claude-prod").json()["usage"]["used"] == 0
        assert app.chat.completions.create(**CALL).choices[0].message.content
        close(app)
