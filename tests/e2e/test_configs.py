"""Saved configs through a socket, with the SDKs of Portkey as they are: saved, read, changed, called and deleted."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import portkey_ai
import pytest
from portkey_ai.api_resources import exceptions

from tests.e2e.clients import Client
from tests.e2e.gateway import GATEWAY_KEY, UPSTREAM_KEY, Server, clean_environment, running, running_simulator

HAIKU = "claude-haiku-4-5"
CONFIG = """
[simulator]
enabled = true

[providers.claude]
type = "anthropic"
base_url = "{simulator}"
api_key = "{upstream_key}"

[providers.dead]
type = "anthropic"
base_url = "http://127.0.0.1:1"
api_key = "{upstream_key}"

[configs.main]
file = "routes/main.json"
"""
FALLBACK = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@dead"}, {"provider": "@claude"}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configs")


@pytest.fixture(scope="module")
def gate(folder: Path) -> Iterator[Server]:
    (folder / "routes").mkdir()
    (folder / "routes" / "main.json").write_text(json.dumps(FALLBACK))
    with running_simulator(folder / "simulator") as simulator:
        config = folder / "lockgate.toml"
        config.write_text(CONFIG.format(simulator=simulator.url, upstream_key=UPSTREAM_KEY))
        arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--port", "0"]
        environment = clean_environment(LOCKGATE_API_KEY=GATEWAY_KEY)
        with running(arguments, folder=folder / "gateway", environment=environment) as server:
            yield server


class Waiting:
    """Calls a method of the SDK and waits for what it returns, whichever of its two clients it is."""

    def __init__(self, gate: Server, *, is_async: bool) -> None:
        self.loop = asyncio.new_event_loop()
        url = f"{gate.url}/v1"
        self.http: Any = (httpx.AsyncClient if is_async else httpx.Client)(base_url=url, trust_env=False, timeout=30)
        kind = portkey_ai.AsyncPortkey if is_async else portkey_ai.Portkey
        self.client = kind(api_key=GATEWAY_KEY, base_url=url, http_client=self.http)

    def __call__(self, name: str, /, **options: Any) -> Any:
        method = self.client
        for part in name.split("."):
            method = getattr(method, part)
        return self.wait(method(**options))

    def wait(self, found: Any) -> Any:
        return self.loop.run_until_complete(found) if inspect.isawaitable(found) else found

    def close(self) -> None:
        self.wait(self.http.aclose() if isinstance(self.http, httpx.AsyncClient) else self.http.close())
        self.loop.close()


@pytest.fixture(params=["sync", "async"])
def sdk(request: pytest.FixtureRequest, gate: Server) -> Iterator[Waiting]:
    waiting = Waiting(gate, is_async=request.param == "async")
    yield waiting
    waiting.close()


def made(sdk: Waiting, **options: Any) -> str:
    slug = sdk("configs.create", **{"name": "claude with fallback", "config": FALLBACK} | options).slug
    assert isinstance(slug, str)
    return slug


def test_a_config_from_its_making_to_its_deletion(sdk):
    created = sdk("configs.create", name="claude with fallback", config=FALLBACK)
    assert created.slug.startswith("pc-claude-")
    assert created.object == "config"
    found = sdk("configs.retrieve", slug=created.slug)
    assert json.loads(found.config) == FALLBACK
    assert (found.id, found.version_id, found.name) == (created.id, created.version_id, "claude with fallback")
    assert (found.is_default, found.status, found.format, found.type) == (0, "active", "json", "ORG_CONFIG")
    updated = sdk("configs.update", slug=created.slug, name="new", config={"provider": "@claude"})
    assert (updated.object, updated.version_id != created.version_id) == ("config", True)
    found = sdk("configs.retrieve", slug=created.slug)
    assert (found.name, found.config, found.version_id) == ("new", '{"provider":"@claude"}', updated.version_id)
    listed = sdk("configs.list", workspace_id=found.workspace_id)
    assert listed.object == "list"
    assert created.slug in [entry["slug"] for entry in listed.data]
    assert listed.get_headers()["total-count"] == str(listed.total)
    sdk("configs.delete", slug=created.slug)
    with pytest.raises(exceptions.NotFoundError):
        sdk("configs.retrieve", slug=created.slug)


def test_a_saved_config_routes_by_its_slug_and_by_a_version_of_it(sdk, gate):
    slug = made(sdk)
    sdk("configs.update", slug=slug, config={"provider": "@dead"})
    for config, status, path in ((f"{slug}@1", 200, "config.targets[1]"), (slug, 503, "config"), ("main", 200, None)):
        headers = {"x-portkey-api-key": GATEWAY_KEY, "x-portkey-config": config}
        body = {"model": HAIKU, "messages": [{"role": "user", "content": "Hello"}]}
        answer = httpx.post(f"{gate.url}/v1/chat/completions", headers=headers, json=body, trust_env=False)
        assert answer.status_code == status, answer.text
        if path is not None:
            assert answer.headers["x-portkey-last-used-option-index"] == path


def test_the_sdk_calls_a_saved_config(sdk):
    messages = [{"role": "user", "content": "Hello"}]
    client = sdk.client.with_options(config=made(sdk))
    reply = sdk.wait(client.chat.completions.create(model=HAIKU, messages=messages))
    assert reply.choices[0].message.content
    assert reply.get_headers()["last-used-option-index"] == "config.targets[1]"


def test_all_faults_are_told_in_the_sdks_own_error(sdk):
    wrong = {
        "strategy": {"mode": "fallback"},
        "targets": [{"provider": "@nobody"}, {"provider": "@claude", "wieght": 2}],
    }
    with pytest.raises(exceptions.BadRequestError) as caught:
        sdk("configs.create", name="x", config=wrong)
    assert "Invalid config passed: targets.1.wieght: unknown key; did you mean weight?" in str(caught.value)
    assert caught.value.response.json()["errors"] == [
        "path: targets.1.wieght, message: unknown key; did you mean weight?"
    ]
    verdict = sdk("post", url="/configs/validate", config={"provider": "@nobody"})
    assert (verdict.valid, verdict.errors[0]["path"]) == (False, "provider")


def test_a_config_in_use_is_a_conflict(sdk):
    slug = made(sdk)
    key = sdk("api_keys.create", type="workspace", sub_type="service", name="bot", defaults={"config_id": slug})
    with pytest.raises(exceptions.ConflictError, match="is still used by the API key 'bot'"):
        sdk("configs.delete", slug=slug)
    sdk("api_keys.delete", id=key.id)
    sdk("configs.delete", slug=slug)


def test_versions_and_the_way_back_by_the_sdks_generic_verbs(sdk):
    slug = made(sdk)
    sdk("configs.update", slug=slug, config={"provider": "@claude"})
    versions = sdk("get", path=f"/configs/{slug}/versions")
    assert [version["version"] for version in versions.json()["data"]] == [2, 1]
    changes = sdk("get", path=f"/configs/{slug}/diff?from=1&to=2").json()["changes"]
    assert {change["path"]: change["kind"] for change in changes} == {
        "strategy": "removed",
        "targets": "removed",
        "provider": "added",
    }
    back = sdk("post", url=f"/configs/{slug}/restore", version=1)
    assert json.loads(back.config) == FALLBACK


def test_a_default_of_a_key_routes_its_requests(sdk, gate):
    slug = made(sdk, config={"provider": "@claude", "override_params": {"model": HAIKU}})
    key = sdk(
        "api_keys.create", type="workspace", sub_type="service", name="fixed", scopes=["completions.write"],
        defaults={"config_id": slug, "allow_config_override": False},
    )  # fmt: skip
    headers = {"x-portkey-api-key": key.key}
    body = {"model": "whatever", "messages": [{"role": "user", "content": "Hello"}]}
    url = f"{gate.url}/v1/chat/completions"
    answer = httpx.post(url, headers=headers, json=body, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"].startswith(HAIKU)
    other = httpx.post(url, headers=headers | {"x-portkey-config": '{"provider":"@dead"}'}, json=body, trust_env=False)
    assert other.status_code == 400


def test_an_explanation_says_what_then_happens(gate, folder):
    headers = {"x-portkey-api-key": GATEWAY_KEY, "x-portkey-config": "main"}
    body = {"model": HAIKU, "messages": [{"role": "user", "content": "Hello"}]}
    answer = httpx.post(f"{gate.url}/v1/chat/completions", headers=headers, json=body, trust_env=False)
    asked = {"config": "main", "request": {"body": body}, "statuses": [0]}
    told = httpx.post(f"{gate.url}/v1/configs/explain", headers=headers, json=asked, trust_env=False).json()
    arguments = ["routes", "explain", "main", "--config", str(folder / "lockgate.toml"), "--model", HAIKU, "-s", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "lockgate", *arguments, "--json"],
        env=clean_environment(LOCKGATE_HOME=str(gate.home)),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == told
    assert told["served_by"] == {"provider": "anthropic", "slug": "dead", "model": HAIKU}
    (lost,) = told["what_if"]
    assert answer.status_code == 200
    assert lost["events"][-1]["path"] == answer.headers["x-portkey-last-used-option-index"] == "config.targets[1]"


def test_the_javascript_sdk(client_named: Callable[[str], Client], gate: Server):
    client = client_named("javascript-newest")
    program = client.driver.with_name("configs.mjs")
    done = client.run([str(program)], GATEWAY_URL=gate.url, GATEWAY_KEY=GATEWAY_KEY)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    slug = told["created"]["slug"]
    assert told["retrieved"]["id"] == told["created"]["id"]
    sent = {
        "retry": {"attempts": 2}, "override_params": {"camelCase": {"innerName": 1}}, "targets": [{"provider": "@claude"}]
    }  # fmt: skip
    assert json.loads(told["retrieved"]["config"]) == sent
    assert told["updated"]["version_id"] != told["created"]["version_id"]
    assert [entry["name"] for entry in told["listed"]["data"] if entry["slug"] == slug] == ["changed"]
    assert [version["version"] for version in told["versions"]["data"]] == [2, 1]
    assert told["answered"]
    assert (told["refused"]["status"], "retry.attempts" in told["refused"]["message"]) == (400, True)
    assert told["gone"]["status"] == 404
