"""The model catalogue with the official SDKs, unmodified: every method, the typed fields filled, and no secret told."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import portkey_ai
import pytest
from portkey_ai._vendor import openai as vendored

from tests.e2e.catalog import ADMIN_KEY, running_catalog
from tests.e2e.clients import Client
from tests.e2e.gateway import UPSTREAM_KEY, Evidence, Server

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def catalog(e2e_folder: Path, simulator: Server, evidence: Evidence) -> Iterator[Server]:
    folder = e2e_folder / "catalog"
    evidence.folders.append(folder)
    with running_catalog(folder) as server:
        yield server


class Walk:
    """Every method of the catalogue once, in the order of a life; answers are kept under the method's name."""

    def __init__(self, client: Any, name: str, host: str) -> None:
        self.client = client
        self.slug = f"claude-{name}"
        self.host = host
        self.said: dict[str, Any] = {}

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Call a method by its dotted name, of the sync or the async client."""
        method = self.client
        for part in name.split("."):
            method = getattr(method, part)
        answer = method(**arguments)
        self.said[name] = answer = await answer if inspect.isawaitable(answer) else answer
        return answer

    async def run(self) -> None:
        slug, call = self.slug, self.call
        (home,) = [one for one in (await call("admin.workspaces.list")).data if one.is_default]
        await call(
            "integrations.create",
            name="Claude of the SDK", slug=slug, ai_provider_id="anthropic", key=UPSTREAM_KEY, description="d",
            configurations={"custom_host": self.host}, tags=["e2e"],
        )  # fmt: skip
        await call("integrations.list", type="organisation")
        await call("integrations.update", slug=slug, name="Claude of the SDK, renamed")
        await call("integrations.retrieve", slug=slug)
        await call(
            "integrations.workspaces.update",
            slug=slug,
            workspaces=[
                {"id": home.id, "enabled": True, "usage_limits": [{"type": "cost", "credit_limit": 9}],
                 "rate_limits": [{"type": "requests", "unit": "rpm", "value": 500}]}
            ],
        )  # fmt: skip
        await call("integrations.workspaces.list", slug=slug)
        await call("integrations.models.update", slug=slug, models=[{"slug": "house", "enabled": True, "is_custom": True,
                   "base_model_slug": "claude-haiku-4-5", "pricing_config": {"pay_as_you_go": {
                       "request_token": {"price": 0.0001}, "response_token": {"price": 0.0002}}}}])  # fmt: skip
        await call("integrations.models.list", slug=slug)
        await call("integrations.models.delete", slug=slug, slugs="house")
        await call(
            "providers.create",
            name="second", integration_id=slug, slug=f"{slug}-two", note="n", workspace_id=home.id,
            usage_limits={"type": "cost", "credit_limit": 5, "periodic_reset": "monthly"},
            rate_limits=[{"type": "requests", "unit": "rpm", "value": 60}],
        )  # fmt: skip
        await call("providers.list", workspace_id=home.id)
        await call("providers.retrieve", slug=f"{slug}-two", workspace_id=home.id)
        await call("providers.update", slug=f"{slug}-two", workspace_id=home.id, note="m", reset_usage=True)
        await call("providers.delete", slug=f"{slug}-two", workspace_id=home.id)
        made = await call(
            "virtual_keys.create",
            name="vk", provider="anthropic", key=UPSTREAM_KEY, note="n", apiVersion="2023-06-01",
            usage_limits={"type": "tokens", "credit_limit": 5000},
        )  # fmt: skip
        await call("virtual_keys.list")
        await call("virtual_keys.retrieve", slug=made.slug)
        await call("virtual_keys.update", slug=made.slug, name="vk2", rate_limits=[{"unit": "rph", "value": 7}])
        await call("virtual_keys.delete", slug=made.slug)
        await call("models.list")
        await call("models.retrieve", model=f"@{slug}/claude-haiku-5-5")
        await call("integrations.delete", slug=slug)


def check(walk: Walk) -> None:
    """Assert that the SDK's typed fields hold what was sent, and that deletions answer an empty object."""
    said, slug = walk.said, walk.slug
    assert said["integrations.create"].slug == slug
    assert slug in {each.slug for each in said["integrations.list"].data}
    integration = said["integrations.retrieve"]
    assert (integration.name, integration.ai_provider_id) == ("Claude of the SDK, renamed", "anthropic")
    assert (integration.type, integration.status, integration.workspace_id) == ("organisation", "active", None)
    assert (integration.masked_key, integration.allow_all_models) == (f"sk-*****{UPSTREAM_KEY[-3:]}", True)
    assert integration.configurations == {"custom_host": walk.host}
    assert integration.global_workspace_access["enabled"] is False
    access = said["integrations.workspaces.list"]
    assert (access.total, access.workspaces[0].enabled) == (1, True)
    assert access.workspaces[0].usage_limits["credit_limit"] == 9
    assert access.workspaces[0].rate_limits["value"] == 500
    models = said["integrations.models.list"]
    (house,) = [each for each in models.models if each.slug == "house"]
    assert (house.is_custom, house.base_model_slug, models.allow_all_models) == (True, "claude-haiku-4-5", True)
    assert house.pricing_config["pay_as_you_go"]["response_token"]["price"] == 0.0002
    listed = {each.slug: each for each in said["providers.list"].data}
    assert listed[f"{slug}-two"].rate_limits["value"] == 60
    assert listed[slug].rate_limits is None
    provider = said["providers.retrieve"]
    assert (provider.integration_id, provider.note, provider.object) == (slug, "n", "provider")
    assert (provider.usage_limits["credit_limit"], provider.rate_limits[0]["value"]) == (5, 60)
    assert provider.usage["remaining"] == 5
    assert said["providers.update"].slug == f"{slug}-two"
    key = said["virtual_keys.retrieve"]
    assert (key.key, key.masked_api_key) == ("", f"sk-*****{UPSTREAM_KEY[-3:]}")
    assert said["virtual_keys.update"].object == "virtual-key"
    assert f"@{slug}/claude-haiku-5-5" in {each["id"] for each in said["models.list"].data}
    assert said["models.retrieve"].id.endswith("claude-haiku-5-5")


def secretless(walk: Walk, evidence: Evidence) -> None:
    for name, answer in walk.said.items():
        evidence.add(f"what the SDK got from {name}", repr(answer))


def test_every_method_of_the_python_sdk(catalog: Server, simulator: Server, evidence: Evidence) -> None:
    client = portkey_ai.Portkey(base_url=f"{catalog.url}/v1", api_key=ADMIN_KEY)
    walk = Walk(client, "sync", simulator.url)
    asyncio.run(walk.run())
    client.close()
    client.openai_client.close()
    check(walk)
    secretless(walk, evidence)


def test_every_method_of_the_asynchronous_python_sdk(catalog: Server, simulator: Server, evidence: Evidence) -> None:
    async def run() -> Walk:
        client = portkey_ai.AsyncPortkey(base_url=f"{catalog.url}/v1", api_key=ADMIN_KEY)
        walk = Walk(client, "async", simulator.url)
        await walk.run()
        await client.close()
        await client.openai_client.close()
        return walk

    walk = asyncio.run(run())
    check(walk)
    secretless(walk, evidence)


def test_a_fine_tuned_model_is_deleted_by_a_key_that_may_call_it(catalog: Server, simulator: Server) -> None:
    base = f"{catalog.url}/v1"
    name, model = "tuned", "ft:gpt-4o:org::1"
    with portkey_ai.Portkey(base_url=base, api_key=ADMIN_KEY) as admin:
        home = admin.admin.workspaces.list().data[0].id
        admin.integrations.create(
            name=name, slug=name, ai_provider_id="openai", key=UPSTREAM_KEY, workspace_id=home,
            configurations={"custom_host": f"{simulator.url}/v1"},
        )  # fmt: skip
        key = admin.api_keys.create(type="workspace", sub_type="service", name=name, workspace_id=home).key
        with pytest.raises(vendored.PermissionDeniedError):
            admin.models.delete(f"@{name}/{model}")
        admin.openai_client.close()
    with portkey_ai.Portkey(base_url=base, api_key=key) as client:
        gone = client.models.delete(f"@{name}/{model}")
        assert (gone.id, gone.object, gone.deleted) == (model, "model", True)
        client.openai_client.close()


def test_every_method_of_the_javascript_sdk(
    client_named: Callable[[str], Client], catalog: Server, simulator: Server
) -> None:
    client = client_named("javascript-newest")
    done = client.run(
        [str(client.driver.parent / "catalog.mjs")],
        GATEWAY_URL=catalog.url, ADMIN_KEY=ADMIN_KEY, UPSTREAM_KEY=UPSTREAM_KEY, SIMULATOR_URL=simulator.url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["integration"]["masked_key"] == f"sk-*****{UPSTREAM_KEY[-3:]}"
    assert said["access"]["workspaces"][0]["usage_limits"][0]["credit_limit"] == 9
    assert said["models"]["models"][0]["slug"] == "house"
    provider = said["provider"]
    assert (provider["slug"], provider["usage_limits"]["credit_limit"]) == ("claude-js-two", 5)
    assert provider["rate_limits"] == [{"type": "requests", "unit": "rpm", "value": 60}]
    assert said["virtualKey"]["model_config"] == {"api_version": "2023-06-01"}
    assert said["deleted"] == [{}, {}, {}]


class Refusing(BaseHTTPRequestHandler):
    """Answers with the status that stands in the path, and repeats the credential, as careless providers do."""

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        message = f"no: {self.headers['x-api-key']}"
        body = json.dumps({"type": "error", "error": {"type": "api_error", "message": message}}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    "host, code",
    [
        ("{simulator}", "ok"),
        ("{refusing}/401", "wrong_key"),
        ("{refusing}/403", "forbidden"),
        ("{refusing}/404", "wrong_host"),
        ("{refusing}/402", "quota"),
        ("{refusing}/429", "rate_limited"),
        ("{refusing}/529", "provider_down"),
        ("{refusing}/302", "wrong_host"),
        ("http://127.0.0.1:1", "connection_refused"),
        ("https://{address}", "tls"),
        ("{simulator}/nothing/here", "wrong_host"),
    ],
)
def test_trying_a_credential_says_what_is_wrong(
    catalog: Server, simulator: Server, refusing: str, evidence: Evidence, host: str, code: str
) -> None:
    headers = {"x-portkey-api-key": ADMIN_KEY}
    address = simulator.url.partition("://")[2]
    url = host.format(simulator=simulator.url, address=address, refusing=refusing)
    body = {"ai_provider_id": "anthropic", "key": UPSTREAM_KEY, "configurations": {"custom_host": url}}
    with httpx.Client(base_url=f"{catalog.url}/v1", headers=headers, trust_env=False, timeout=60) as http:
        slug = http.post("/integrations", json=body).json()["slug"]
        answer = http.post(f"/integrations/{slug}/test")
        http.delete(f"/integrations/{slug}")
    evidence.add(f"what a test of a credential says: {code}", answer.text)
    assert (answer.status_code, answer.json()["code"]) == (200, code)
