"""The exact cache end to end: two gateway processes over one Valkey, two tenants, the official SDKs, no second question."""

from __future__ import annotations

import concurrent.futures
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lockgate.store.valkey import PrivateValkey
from tests.e2e.asking import CLAUDE, GPT, SDKS, Asker
from tests.e2e.catalog import ADMIN_KEY
from tests.e2e.gateway import Evidence, Server, clean_environment, running
from tests.e2e.simulated import requests_with

EACH_SDK = pytest.mark.parametrize("sdk", SDKS)
BOTH_FORMS = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
GATEWAY = """
[simulator]
enabled = false

[server]
trusted_custom_hosts = ["127.0.0.1"]

[cache]
timeout_s = 10
"""
CACHE = {"mode": "simple"}
CONFIG = {"provider": "@claude", "cache": CACHE}
TENANT_KEY = "credential-of-both-tenants"


@dataclass
class Tenants:
    """Two gateways over one cache and one database, and the keys of two workspaces with equal providers."""

    gateways: list[Server]
    keys: list[str]


def make_tenant(api: httpx.Client, number: int, simulator: Server) -> str:
    """Make a workspace with a provider that is the same in all of them; return a key for it."""

    def good(method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = api.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    workspace = good("POST", "/admin/workspaces", {"name": f"tenant {number}"})["id"]
    for kind, slug, base in (("anthropic", "claude", simulator.url), ("openai", "gpt", f"{simulator.url}/v1")):
        integration = {
            "name": f"{slug} {number}",
            "slug": f"{slug}-{number}",
            "ai_provider_id": kind,
            "key": TENANT_KEY,
            "configurations": {"custom_host": base},
        }
        good("POST", "/integrations", integration)
        good(
            "PUT",
            f"/integrations/{slug}-{number}/workspaces",
            {"workspaces": [{"id": workspace, "enabled": True}], "override_existing_workspace_access": True},
        )
        provider = {"name": slug, "slug": slug, "integration_id": f"{slug}-{number}", "workspace_id": workspace}
        good("POST", "/providers", provider)
    key = {"name": f"key {number}", "workspace_id": workspace, "scopes": ["completions.write"]}
    return str(good("POST", "/api-keys/workspace/service", key)["key"])


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    """The address of a real server."""
    folder = Path(tempfile.mkdtemp(prefix="lg-"))
    server = PrivateValkey(folder)
    yield server.url
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module", params=["memory", "valkey"])
def tenants(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, simulator: Server, evidence: Evidence
) -> Iterator[Tenants]:
    """One gateway with its own memory, or two with a shared Valkey and a shared database."""
    folder = tmp_path_factory.mktemp(f"cache-{request.param}")
    config = folder / "lockgate.toml"
    config.write_text(GATEWAY)
    evidence.folders.append(folder / "one")
    variables = {"LOCKGATE_ADMIN_KEY": ADMIN_KEY, "LOCKGATE_DATABASE_URL": f"sqlite:///{folder}/lockgate.db"}
    variables["LOCKGATE_MASTER_KEY"] = "bWFzdGVyLWtleS1vZi10ZXN0cy1vbmx5LTMyLWJ5dGU="
    if request.param == "valkey":
        variables["LOCKGATE_CACHE_URL"] = request.getfixturevalue("valkey")
    environment = clean_environment(**variables)
    arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--port", "0"]
    with running(arguments, folder=folder / "one", environment=environment) as first:
        headers = {"x-portkey-api-key": ADMIN_KEY}
        with httpx.Client(base_url=f"{first.url}/v1", headers=headers, trust_env=False, timeout=30) as api:
            keys = [make_tenant(api, number, simulator) for number in range(2)]
        if request.param == "memory":
            yield Tenants([first, first], keys)
            return
        with running(arguments, folder=folder / "two", environment=environment) as second:
            yield Tenants([first, second], keys)


@pytest.fixture(scope="module")
def here(tenants: Tenants) -> Iterator[dict[str, Asker]]:
    """The SDKs of the first tenant at the first gateway."""
    made = {sdk: Asker(sdk, tenants.gateways[0], key=tenants.keys[0]) for sdk in SDKS}
    yield made
    for asker in made.values():
        asker.close()


@pytest.fixture(scope="module")
def there(tenants: Tenants) -> Iterator[dict[str, Asker]]:
    """The SDKs of the first tenant at the second gateway."""
    made = {sdk: Asker(sdk, tenants.gateways[1], key=tenants.keys[0]) for sdk in SDKS}
    yield made
    for asker in made.values():
        asker.close()


@EACH_SDK
@pytest.mark.parametrize("provider, model", [("claude", CLAUDE), ("gpt", GPT)])
@pytest.mark.parametrize("forms", [(False, False), (False, True), (True, False), (True, True)])
def test_an_equal_request_is_answered_without_a_question_in_any_process_and_form(
    sdk: str,
    provider: str,
    model: str,
    forms: tuple[bool, bool],
    here: dict[str, Asker],
    there: dict[str, Asker],
    tenants: Tenants,
    simulator: Server,
) -> None:
    tag = uuid.uuid4().hex
    config = {"provider": f"@{provider}", "cache": CACHE}
    first = here[sdk].ask(config=config, model=model, is_stream=forms[0], tag=tag)
    assert (first.error, first.cache) == (None, "MISS")
    second = there[sdk].ask(config=config, model=model, is_stream=forms[1], tag=tag)
    assert (second.error, second.cache, second.retries, second.path) == (None, "HIT", "0", "config")
    assert second.is_complete
    assert second.text == first.text
    assert len(requests_with(simulator, tag)) == 1
    record = second.record(tenants.gateways[1])
    assert (record.cache_status, record.cost, record.attempts) == ("hit", None, ())
    assert record.cache_saved_nanos > 0


@BOTH_FORMS
@EACH_SDK
def test_a_tool_call_is_told_again_whole(
    sdk: str, is_stream: bool, here: dict[str, Asker], there: dict[str, Asker], simulator: Server
) -> None:
    """The SDK's own accumulator takes the stream that is told from what was kept."""
    tag = uuid.uuid4().hex
    text = "weather? [[sim: parallel=2]]"
    first = here[sdk].ask(text, config=CONFIG, has_tool=True, tag=tag)
    assert first.tools
    second = there[sdk].ask(text, config=CONFIG, has_tool=True, is_stream=is_stream, tag=tag)
    assert (second.cache, second.tools, second.text) == ("HIT", first.tools, first.text)
    assert len(requests_with(simulator, tag)) == 1


@BOTH_FORMS
@EACH_SDK
def test_tenants_with_equal_bodies_and_credentials_never_share(
    sdk: str, is_stream: bool, here: dict[str, Asker], tenants: Tenants, simulator: Server
) -> None:
    tag = uuid.uuid4().hex
    assert here[sdk].ask(config=CONFIG, is_stream=is_stream, tag=tag).cache == "MISS"
    other = Asker(sdk, tenants.gateways[0], key=tenants.keys[1])
    assert other.ask(config=CONFIG, is_stream=is_stream, tag=tag).cache == "MISS"
    assert other.ask(config=CONFIG, is_stream=is_stream, tag=tag).cache == "HIT"
    other.close()
    assert len(requests_with(simulator, tag)) == 2


FAULTS = ["status=500", "status=529", "status=400", "cut=300", "reset=300", "malformed=3"]


@EACH_SDK
@pytest.mark.parametrize(
    "fault, is_stream", [*((fault, form) for fault in FAULTS for form in (False, True)), ("no_terminal=1", True)]
)
def test_what_went_wrong_is_never_kept(
    sdk: str, is_stream: bool, fault: str, here: dict[str, Asker], there: dict[str, Asker], simulator: Server
) -> None:
    tag = uuid.uuid4().hex
    text = f"[[sim: {fault}, times=1]]"
    first = here[sdk].ask(text, config=CONFIG, is_stream=is_stream, tag=tag)
    assert first.error is not None
    for cache in ("MISS", "HIT"):
        again = there[sdk].ask(text, config=CONFIG, is_stream=is_stream, tag=tag)
        assert (again.error, again.cache) == (None, cache)
    assert len(requests_with(simulator, tag)) == 2


@EACH_SDK
def test_what_is_asked_of_the_cache_by_headers(sdk: str, here: dict[str, Asker], simulator: Server) -> None:
    tag = uuid.uuid4().hex

    def ask(config: Any = CONFIG, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return here[sdk].ask(config=config, tag=tag, headers=named).cache

    assert [ask(), ask()] == ["MISS", "HIT"]
    assert ask(x_portkey_cache_force_refresh="true") == "REFRESH"
    assert ask(x_portkey_cache_force_refresh="false") == "HIT"
    assert ask(x_portkey_debug="false") == "DISABLED"
    assert ask({"provider": "@claude"}, x_portkey_cache_force_refresh="true") == "DISABLED"
    assert [ask(x_portkey_cache_namespace="a"), ask(x_portkey_cache_namespace="b")] == ["MISS", "MISS"]
    assert ask(x_portkey_cache_namespace="a", x_portkey_metadata='{"a":"1"}') == "HIT"
    assert [ask(x_portkey_metadata='{"a":"1"}'), ask(x_portkey_metadata='{"a":"2"}')] == ["MISS", "MISS"]
    assert ask(x_portkey_trace_id="another") == "HIT"
    assert ask({**CONFIG, "override_params": {"max_tokens": 77}}) == "MISS"


def test_a_refreshed_answer_takes_the_place_of_the_old_one(
    here: dict[str, Asker], there: dict[str, Asker], simulator: Server
) -> None:
    tag = uuid.uuid4().hex
    text = "[[sim: text=old, times=1]] "
    assert here["openai"].ask(text, config=CONFIG, tag=tag).text.startswith("old")
    refresh = {"x-portkey-cache-force-refresh": "true"}
    assert there["openai"].ask(text, config=CONFIG, tag=tag, headers=refresh).text.startswith("Simulated")
    third = here["openai"].ask(text, config=CONFIG, tag=tag)
    assert (third.cache, third.text.startswith("Simulated")) == ("HIT", True)


@BOTH_FORMS
def test_equal_requests_at_the_same_time_ask_once_in_all_processes(
    is_stream: bool, tenants: Tenants, simulator: Server
) -> None:
    """Twelve callers at two gateways, none of which knows of the others."""
    tag = uuid.uuid4().hex
    callers = [Asker("openai", tenants.gateways[at % 2], key=tenants.keys[0]) for at in range(12)]
    together = threading.Barrier(len(callers))

    def ask(caller: Asker) -> tuple[str, str]:
        together.wait(30)
        outcome = caller.ask("[[sim: delay=1]]", config=CONFIG, is_stream=is_stream, tag=tag)
        assert outcome.error is None
        return outcome.cache, outcome.text

    with concurrent.futures.ThreadPoolExecutor(len(callers)) as pool:
        answers = list(pool.map(ask, callers))
    for caller in callers:
        caller.close()
    assert sorted(cache for cache, _ in answers) == ["HIT"] * 11 + ["MISS"]
    assert len({text for _, text in answers}) == 1
    assert len(requests_with(simulator, tag)) == 1


@EACH_SDK
def test_a_fallbacks_answer_is_kept_under_its_own_target(sdk: str, here: dict[str, Asker], simulator: Server) -> None:
    tag = uuid.uuid4().hex
    gpt = {"provider": "@gpt", "override_params": {"model": GPT}}
    config = {"cache": CACHE, "strategy": {"mode": "fallback"}, "targets": [{"provider": "@claude"}, gpt]}
    text = "[[sim: status=529, on=anthropic, times=2]]"
    first, second, third = (here[sdk].ask(text, config=config, tag=tag) for _ in range(3))
    assert (first.cache, first.path) == ("MISS", "config.targets[1]")
    assert (second.cache, second.path) == ("HIT", "config.targets[1]")
    assert (third.cache, third.path) == ("MISS", "config.targets[0]"), "the first target is asked first, always"


def test_without_the_server_every_request_is_a_miss_and_none_fails(
    tmp_path: Path, simulator: Server, evidence: Evidence
) -> None:
    """A cache that is gone is a cache that is empty."""
    config = tmp_path / "lockgate.toml"
    config.write_text(f'[providers.claude]\ntype = "anthropic"\nbase_url = "{simulator.url}"\napi_key = "k"\n')
    environment = clean_environment(LOCKGATE_API_KEY=TENANT_KEY, LOCKGATE_CACHE_URL=f"unix://{tmp_path}/nothing.sock")
    arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--port", "0"]
    with running(arguments, folder=tmp_path / "gateway", environment=environment) as gateway:
        asker = Asker("openai", gateway, key=TENANT_KEY)
        outcomes = [asker.ask("Hi", config=CONFIG, tag="same") for _ in range(3)]
        asker.close()
    assert [(outcome.error, outcome.cache) for outcome in outcomes] == [(None, "MISS")] * 3
