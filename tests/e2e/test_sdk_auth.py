"""Who may call, with which provider, and what leaves the gateway.

The gateway key is accepted wherever an SDK puts it and never goes upstream; the upstream sees its own credential, where
it expects it, and nothing else. Protocol sections 2.1 to 2.5; addendum sections 1.1 to 1.3.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.cases import CLAUDE
from tests.e2e.clients import Client
from tests.e2e.gateway import GATEWAY_KEY, SECOND_KEY, UPSTREAM_KEY, Evidence, Server, clean_environment, running
from tests.e2e.recorder import MODELS, Recorder, Seen

# The first test to need an SDK may have to install it.
pytestmark = pytest.mark.timeout(600)

CLIENTS = ["python-newest", "python-previous", "python-older", "javascript-newest", "javascript-previous"]
MESSAGES, CHAT, COUNT = "/v1/messages", "/v1/chat/completions", "/v1/messages/count_tokens"
USER_KEY = "sk-ant-api03-of-the-caller"
OAUTH_TOKEN = "sk-ant-oat01-of-the-caller"
KEY = {"x-portkey-api-key": GATEWAY_KEY}


def body(model: str, *, stream: bool = False) -> dict[str, Any]:
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}], "stream": stream}


def assert_only_its_own_credential(seen: Seen, vendor: str, credential: str = UPSTREAM_KEY) -> None:
    """Assert that an upstream request carries one credential, in the vendor's place, and nothing of the gateway's."""
    if vendor == "anthropic":
        assert seen.header("x-api-key") == credential
        assert seen.header("authorization") is None
    else:
        assert seen.header("authorization") == f"Bearer {credential}"
        assert seen.header("x-api-key") is None
    assert not seen.holds(GATEWAY_KEY)
    assert not seen.holds(SECOND_KEY)
    assert not seen.holds("dummy")
    assert [name for name, _ in seen.headers if name.startswith("x-portkey-")] == []


# ---- where the SDKs put the gateway key ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Place:
    """A way to give an SDK the gateway key."""

    id: str
    sdks: tuple[str, ...]
    api_key: str | None = None
    auth_token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


PLACES = [
    Place(id="api_key", sdks=("anthropic", "openai", "portkey"), api_key=GATEWAY_KEY),
    Place(id="auth_token", sdks=("anthropic",), auth_token=GATEWAY_KEY),
    Place(id="dummy and header", sdks=("anthropic", "openai"), api_key="dummy", headers=KEY),
    Place(id="provider key and header", sdks=("anthropic", "openai"), api_key=USER_KEY, headers=KEY),
    Place(id="two gateway keys", sdks=("anthropic", "openai"), api_key=SECOND_KEY, headers=KEY),
]
ACTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("anthropic", "rec-anthropic", {"action": "create"}),
    ("anthropic", "rec-anthropic", {"action": "create", "stream": True}),
    ("anthropic", "rec-anthropic", {"action": "count_tokens"}),
    ("openai", "rec-anthropic", {"action": "create"}),
    ("openai", "rec-anthropic", {"action": "create", "stream": True}),
    ("openai", "rec-openai", {"action": "create"}),
    ("openai", "rec-openai", {"action": "create", "stream": True}),
    ("portkey", "rec-anthropic", {"action": "create"}),
    ("portkey", "rec-openai", {"action": "create", "stream": True}),
]


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.id)
def test_key_is_accepted_where_the_sdk_puts_it_and_stays_here(
    name: str, place: Place, client_named: Callable[[str], Client], gateway: Server, upstream: Recorder
) -> None:
    client = client_named(name)
    calls = [
        {"id": str(number), "sdk": sdk, "origin": gateway.url, "model": f"@{provider}/m"}
        | {"api_key": place.api_key, "auth_token": place.auth_token, "headers": place.headers}
        | action
        for number, (sdk, provider, action) in enumerate(ACTIONS)
        if sdk in client.sdks and sdk in place.sdks
    ]
    outcomes = client.drive(calls)
    assert [outcome["error"] for outcome in outcomes] == [None] * len(calls)
    assert all(outcome["is_complete"] for outcome in outcomes)
    assert len(upstream.seen) == len(calls)
    for call, seen in zip(calls, upstream.seen, strict=True):
        assert_only_its_own_credential(seen, call["model"].partition("/")[0].removeprefix("@rec-"))
        assert not seen.holds(USER_KEY)
        assert json.loads(seen.body)["model"] == "m"


ACCEPTED: dict[str, dict[str, str]] = {
    "portkey header": KEY,
    "bearer": {"authorization": f"Bearer {GATEWAY_KEY}"},
    "bearer in lower case": {"authorization": f"bearer {GATEWAY_KEY}"},
    "authorization without a scheme": {"authorization": GATEWAY_KEY},
    "x-api-key": {"x-api-key": GATEWAY_KEY},
    "empty portkey header, bearer": {"x-portkey-api-key": "", "authorization": f"Bearer {GATEWAY_KEY}"},
    "portkey header, placeholder": KEY | {"authorization": "Bearer OPENAI_API_KEY"},
    "portkey header, other placeholder": KEY | {"authorization": "Bearer DUMMY-KEY"},
    "portkey header, key again": KEY | {"authorization": f"Bearer {GATEWAY_KEY}", "x-api-key": GATEWAY_KEY},
    "dummy bearer, x-api-key": {"authorization": "Bearer dummy", "x-api-key": GATEWAY_KEY},
    "unknown bearer, x-api-key": {"authorization": "Bearer something-else", "x-api-key": GATEWAY_KEY},
    "two keys of ours": {"authorization": f"Bearer {SECOND_KEY}", "x-api-key": GATEWAY_KEY},
    "second key": {"authorization": f"Bearer {SECOND_KEY}"},
}
REFUSED: dict[str, dict[str, str]] = {
    "nothing": {},
    "unknown portkey header": {"x-portkey-api-key": "nobody"},
    "unknown bearer": {"authorization": "Bearer nobody"},
    "unknown x-api-key": {"x-api-key": "nobody"},
    "placeholders only": {"authorization": "Bearer dummy", "x-api-key": "dummy"},
    "part of the key": {"x-portkey-api-key": GATEWAY_KEY[:-1]},
    "key in another case": {"x-portkey-api-key": GATEWAY_KEY.upper()},
    "wrong portkey header, good bearer": {"x-portkey-api-key": "nobody", "authorization": f"Bearer {GATEWAY_KEY}"},
    "wrong portkey header, good x-api-key": {"x-portkey-api-key": "nobody", "x-api-key": GATEWAY_KEY},
    "upstream key": {"x-api-key": UPSTREAM_KEY},
    "basic": {"authorization": f"Basic {GATEWAY_KEY}"},
}


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
@pytest.mark.parametrize("case", ACCEPTED)
def test_key_is_accepted(case: str, path: str, http: httpx.Client, upstream: Recorder) -> None:
    answer = http.post(path, headers=ACCEPTED[case], json=body("@rec-anthropic/m"))
    assert answer.status_code == 200, answer.text
    assert_only_its_own_credential(upstream.only(), "anthropic")


@pytest.mark.parametrize("path", [MESSAGES, CHAT, COUNT])
@pytest.mark.parametrize("case", REFUSED)
def test_key_is_refused(case: str, path: str, http: httpx.Client, upstream: Recorder) -> None:
    answer = http.post(path, headers=REFUSED[case], json=body("@rec-anthropic/m"))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "03"
    assert upstream.seen == []


def test_model_list_needs_a_key(http: httpx.Client) -> None:
    assert http.get("/v1/models").status_code == 401


@pytest.mark.parametrize("path", [MESSAGES, CHAT, COUNT])
@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-portkey-api-key"])
def test_forwarding_a_header_cannot_carry_a_gateway_key_out(
    header: str, path: str, http: httpx.Client, upstream: Recorder
) -> None:
    value = f"Bearer {GATEWAY_KEY}" if header == "authorization" else GATEWAY_KEY
    headers = {header: value, "x-portkey-forward-headers": f"{header}, x-mine", "x-mine": "yes"}
    http.post(path, headers=headers, json=body("@rec-anthropic/m"))
    assert_only_its_own_credential(upstream.only(), "anthropic")
    assert upstream.only().header("x-mine") == "yes"


def test_server_without_a_credential_gets_none(http: httpx.Client, upstream: Recorder) -> None:
    assert http.post(CHAT, headers=KEY, json=body("@rec-compatible/m")).status_code == 200
    assert upstream.only().header("authorization") is None
    assert not upstream.only().holds(GATEWAY_KEY)


# ---- a raw provider with the caller's own credential --------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A request whose provider is named by type, with the caller's credential beside the gateway key."""

    id: str
    path: str
    vendor: str
    headers: dict[str, str]
    credential: str = USER_KEY


RAW = [
    Raw(id="anthropic-messages", path=MESSAGES, vendor="anthropic", headers={"authorization": f"Bearer {USER_KEY}"}),
    Raw(id="anthropic-chat", path=CHAT, vendor="anthropic", headers={"authorization": f"Bearer {USER_KEY}"}),
    Raw(id="anthropic-count", path=COUNT, vendor="anthropic", headers={"authorization": f"Bearer {USER_KEY}"}),
    Raw(id="bearer-in-lower-case", path=MESSAGES, vendor="anthropic", headers={"authorization": f"bearer {USER_KEY}"}),
    Raw(id="no-scheme", path=MESSAGES, vendor="anthropic", headers={"authorization": USER_KEY}),
    Raw(id="x-api-key", path=MESSAGES, vendor="anthropic", headers={"x-api-key": USER_KEY}),
    Raw(
        id="placeholder-and-x-api-key",
        path=MESSAGES,
        vendor="anthropic",
        headers={"authorization": "Bearer dummy", "x-api-key": USER_KEY},
    ),
    Raw(id="openai-chat", path=CHAT, vendor="openai", headers={"authorization": f"Bearer {USER_KEY}"}),
]


# An OpenAI host is given with its version path, an Anthropic host with or without it.
HOSTS = [(raw, path) for raw in RAW for path in ("", "/v1", "/v1/") if path or raw.vendor == "anthropic"]


@pytest.mark.parametrize("raw, version_path", HOSTS, ids=[f"{raw.id}{path}" for raw, path in HOSTS])
def test_raw_provider_gets_the_callers_credential(
    raw: Raw, version_path: str, http: httpx.Client, upstream: Recorder
) -> None:
    headers = (
        KEY | raw.headers | {"x-portkey-provider": raw.vendor, "x-portkey-custom-host": upstream.url + version_path}
    )
    answer = http.post(raw.path, headers=headers, json=body("m"))
    assert answer.status_code == 200, answer.text
    assert_only_its_own_credential(upstream.only(), raw.vendor, raw.credential)
    expected = {MESSAGES: MESSAGES, COUNT: COUNT, CHAT: MESSAGES if raw.vendor == "anthropic" else CHAT}[raw.path]
    assert upstream.only().target == expected


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("is_placed_by_hand", [False, True], ids=["api_key", "header x-api-key"])
def test_provider_key_of_an_sdk_goes_to_the_provider_as_it_wants_it(
    name: str, is_placed_by_hand: bool, client_named: Callable[[str], Client], gateway: Server, upstream: Recorder
) -> None:
    """Whatever header the SDK puts it in: newer ones say Bearer, which Anthropic's older API versions do not know."""
    headers = KEY | {"x-portkey-custom-host": upstream.url}
    calls: list[dict[str, Any]] = [
        {"id": sdk, "sdk": sdk, "origin": gateway.url, "model": "m", "api_key": USER_KEY}
        | {"headers": headers | {"x-portkey-provider": "anthropic"}}
        for sdk in ("anthropic", "openai")
    ]
    if is_placed_by_hand:
        calls = [call | {"api_key": "dummy", "headers": call["headers"] | {"x-api-key": USER_KEY}} for call in calls]
    outcomes = client_named(name).drive(calls)
    assert [outcome["error"] for outcome in outcomes] == [None, None]
    assert len(upstream.seen) == 2
    for seen in upstream.seen:
        assert_only_its_own_credential(seen, "anthropic", USER_KEY)


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_oauth_token_stays_a_bearer_token(path: str, http: httpx.Client, upstream: Recorder) -> None:
    headers = KEY | {
        "authorization": f"Bearer {OAUTH_TOKEN}",
        "x-portkey-provider": "anthropic",
        "x-portkey-custom-host": upstream.url,
    }
    answer = http.post(path, headers=headers, json=body("m"))
    assert answer.status_code == 200, answer.text
    seen = upstream.only()
    assert seen.header("authorization") == f"Bearer {OAUTH_TOKEN}"
    assert seen.header("x-api-key") is None
    assert "oauth-2025-04-20" in (seen.header("anthropic-beta") or "")
    assert not seen.holds(GATEWAY_KEY)


@pytest.fixture(scope="module")
def bare_gateway(e2e_folder: Path, evidence: Evidence) -> Iterator[Server]:
    """A gateway without any provider record and without the simulator."""
    (e2e_folder / "bare.toml").write_text("[simulator]\nenabled = false\n")
    evidence.folders.append(e2e_folder / "bare")
    arguments = ["up", "--config", str(e2e_folder / "bare.toml"), "--port", "0"]
    environment = clean_environment(LOCKGATE_API_KEY=GATEWAY_KEY)
    with running(arguments, folder=e2e_folder / "bare", environment=environment) as server:
        yield server


@pytest.mark.parametrize(
    "credential", [{}, {"authorization": "Bearer dummy"}, {"authorization": f"Bearer {GATEWAY_KEY}"}]
)
@pytest.mark.parametrize("path, vendor", [(MESSAGES, "anthropic"), (CHAT, "anthropic"), (CHAT, "openai")])
def test_raw_provider_without_a_credential_is_refused_by_name(
    path: str, vendor: str, credential: dict[str, str], bare_gateway: Server
) -> None:
    headers = KEY | credential | {"x-portkey-provider": vendor}
    answer = httpx.post(bare_gateway.url + path, headers=headers, json=body("m"), trust_env=False)
    assert answer.status_code == 401
    assert vendor in answer.json()["error"]["message"]


def test_raw_provider_without_a_credential_means_the_record_of_that_name(http: httpx.Client) -> None:
    """Beyond the protocol: where a record is called like a vendor, its name with and without @ is the same."""
    answer = http.post(MESSAGES, headers=KEY | {"x-portkey-provider": "anthropic"}, json=body(CLAUDE))
    assert answer.status_code == 200
    assert answer.headers["x-lockgate-simulated"] == "true"


def test_private_host_without_a_credential_is_asked_all_the_same(http: httpx.Client, upstream: Recorder) -> None:
    headers = KEY | {"x-portkey-provider": "anthropic", "x-portkey-custom-host": upstream.url}
    assert http.post(MESSAGES, headers=headers, json=body("m")).status_code == 200
    assert upstream.only().header("x-api-key") is None
    assert upstream.only().header("authorization") is None


def test_saved_credential_is_not_sent_to_a_host_of_the_callers_choice(http: httpx.Client, upstream: Recorder) -> None:
    headers = KEY | {"x-portkey-provider": "@dead-anthropic", "x-portkey-custom-host": upstream.url}
    answer = http.post(MESSAGES, headers=headers, json=body("m"))
    assert answer.status_code >= 400
    assert upstream.seen == []


# ---- which provider serves a request (protocol 2.2, rows 5 to 9) --------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Route:
    """Headers and model, and where the request must arrive."""

    id: str
    model: str
    headers: dict[str, str] = field(default_factory=dict)
    vendor: str = "anthropic"
    sent_model: str = "m"
    credential: str = UPSTREAM_KEY


PROVIDER, VIRTUAL = "x-portkey-provider", "x-portkey-virtual-key"
RAW_OPENAI = {PROVIDER: "openai", "authorization": f"Bearer {USER_KEY}"}
ROUTES = [
    Route(id="5 provider header", model="m", headers={PROVIDER: "@rec-openai"}, vendor="openai"),
    Route(id="6 virtual key", model="m", headers={VIRTUAL: "rec-openai"}, vendor="openai"),
    Route(id="6 virtual key with @", model="m", headers={VIRTUAL: "@rec-openai"}, vendor="openai"),
    Route(id="7 slug in the model", model="@rec-openai/m", vendor="openai"),
    Route(id="7 model with slashes", model="@rec-openai/a/b:c@d", vendor="openai", sent_model="a/b:c@d"),
    Route(
        id="5 before 6",
        model="m",
        headers={PROVIDER: "@rec-anthropic", VIRTUAL: "rec-openai"},
    ),
    Route(id="5 before 7", model="@rec-openai/m", headers={PROVIDER: "@rec-anthropic"}),
    Route(id="5 and 7 agree", model="@rec-anthropic/m", headers={PROVIDER: "@rec-anthropic"}),
    Route(id="6 before 7", model="@rec-openai/m", headers={VIRTUAL: "rec-anthropic"}),
    Route(id="6 before 8", model="m", headers=RAW_OPENAI | {VIRTUAL: "rec-anthropic"}),
    Route(id="7 before 8", model="@rec-anthropic/m", headers=RAW_OPENAI),
    Route(id="7 before 8 without a credential", model="@rec-anthropic/m", headers={PROVIDER: "anthropic"}),
    Route(
        id="unknown slug, provider known",
        model="@cf/meta/llama",
        headers={PROVIDER: "@rec-openai"},
        vendor="openai",
        sent_model="@cf/meta/llama",
    ),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.id)
def test_first_source_of_a_provider_wins(route: Route, stream: bool, http: httpx.Client, upstream: Recorder) -> None:
    answer = http.post(CHAT, headers=KEY | route.headers, json=body(route.model, stream=stream))
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-portkey-provider"] == route.vendor
    seen = upstream.only()
    assert seen.target == (MESSAGES if route.vendor == "anthropic" else CHAT)
    assert json.loads(seen.body)["model"] == route.sent_model
    assert_only_its_own_credential(seen, route.vendor, route.credential)


@pytest.mark.parametrize("name", ["python-newest", "javascript-newest"])
def test_portkey_sdks_own_options_choose_the_provider(
    name: str, client_named: Callable[[str], Client], gateway: Server, upstream: Recorder
) -> None:
    """The JavaScript SDK spells options in camel case and sends ``Authorization`` without a scheme."""
    is_python = name.startswith("python")
    virtual_key, custom_host = ("virtual_key", "custom_host") if is_python else ("virtualKey", "customHost")
    own_key = f"Bearer {USER_KEY}" if is_python else USER_KEY
    options: list[tuple[dict[str, str], str, str]] = [
        ({"provider": "@rec-anthropic"}, "anthropic", UPSTREAM_KEY),
        ({virtual_key: "rec-openai"}, "openai", UPSTREAM_KEY),
        ({"provider": "anthropic", "Authorization": own_key, custom_host: upstream.url}, "anthropic", USER_KEY),
    ]
    common = {"sdk": "portkey", "origin": gateway.url, "model": "m", "api_key": GATEWAY_KEY}
    outcomes = client_named(name).drive(
        [common | {"id": str(number), "options": given} for number, (given, _, _) in enumerate(options)]
    )
    assert [outcome["error"] for outcome in outcomes] == [None] * len(options)
    for seen, (_, vendor, credential) in zip(upstream.seen, options, strict=True):
        assert_only_its_own_credential(seen, vendor, credential)


def test_legacy_proxy_mode_names_a_raw_provider(http: httpx.Client, upstream: Recorder) -> None:
    """Row 9, the last resort."""
    headers = {"x-portkey-mode": "proxy openai", "authorization": f"Bearer {USER_KEY}"}
    headers |= {"x-portkey-custom-host": f"{upstream.url}/v1"}
    answer = http.post(CHAT, headers=KEY | headers, json=body("m"))
    assert answer.status_code == 200, answer.text
    assert_only_its_own_credential(upstream.only(), "openai", USER_KEY)


@pytest.mark.parametrize(
    "headers, model, word",
    [
        ({PROVIDER: "@nobody"}, "m", "nobody"),
        ({VIRTUAL: "nobody"}, "m", "nobody"),
        ({}, "@nobody/m", "nobody"),
        ({PROVIDER: "no-such-vendor", "authorization": f"Bearer {USER_KEY}"}, "m", "Invalid provider passed"),
        ({}, "m", "Either x-portkey-config or x-portkey-provider header is required"),
    ],
    ids=["provider header", "virtual key", "model", "raw provider", "nothing"],
)
@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_unknown_provider_is_named(
    path: str, headers: dict[str, str], model: str, word: str, http: httpx.Client, upstream: Recorder
) -> None:
    answer = http.post(path, headers=KEY | headers, json=body(model))
    assert answer.status_code == 400
    assert word in answer.json()["error"]["message"]
    assert upstream.seen == []


def test_answer_names_the_providers_model_without_the_slug(http: httpx.Client, upstream: Recorder) -> None:
    for path in (MESSAGES, CHAT):
        assert http.post(path, headers=KEY, json=body(f"@rec-anthropic/{CLAUDE}")).json()["model"] == CLAUDE


# ---- paths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path, target",
    [
        ("/v1/v1/messages", MESSAGES),
        ("/messages", MESSAGES),
        ("/v1/messages/", MESSAGES),
        ("/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/v1/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/messages/count_tokens", COUNT),
        ("/v1/messages/count_tokens?beta=true", f"{COUNT}?beta=true"),
        ("/v1/v1/chat/completions", MESSAGES),
        ("/chat/completions", MESSAGES),
        ("/v1/chat/completions/", MESSAGES),
    ],
)
def test_path_reaches_its_route(path: str, target: str, http: httpx.Client, upstream: Recorder) -> None:
    answer = http.post(path, headers=KEY, json=body("@rec-anthropic/m"))
    assert answer.status_code == 200, answer.text
    assert upstream.only().target == target


@pytest.mark.parametrize("name", CLIENTS)
def test_base_url_of_the_other_kind_works(
    name: str, client_named: Callable[[str], Client], gateway: Server, upstream: Recorder
) -> None:
    common = {"origin": gateway.url, "model": "@rec-anthropic/m", "api_key": GATEWAY_KEY}
    bases = [("anthropic", "/v1"), ("openai", ""), ("openai", "/v1/")]
    outcomes = client_named(name).drive(
        [common | {"id": f"{sdk} {path}", "sdk": sdk, "path": path} for sdk, path in bases]
    )
    assert [outcome["error"] for outcome in outcomes] == [None] * len(bases)
    assert [outcome["text"] for outcome in outcomes] == ["Recorded."] * len(bases)


@pytest.mark.parametrize("path", ["/", "/api/hello"])
def test_head_probe_is_answered_without_a_key(path: str, http: httpx.Client) -> None:
    answer = http.head(path)
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["x-portkey-request-id"]


def test_health_needs_no_key(http: httpx.Client) -> None:
    answer = http.get("/v1/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "success"


# ---- model lists --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
def test_sdk_lists_a_providers_models(
    name: str, client_named: Callable[[str], Client], gateway: Server, upstream: Recorder
) -> None:
    common = {"origin": gateway.url, "model": "", "action": "models", "api_key": GATEWAY_KEY}
    anthropic, openai = client_named(name).drive(
        [
            common | {"id": "anthropic", "sdk": "anthropic", "headers": {PROVIDER: "@rec-anthropic"}},
            common | {"id": "openai", "sdk": "openai", "headers": {PROVIDER: "@rec-openai"}},
        ]
    )
    assert anthropic["error"] is None
    assert openai["error"] is None
    assert anthropic["models"] == MODELS
    assert openai["models"] == ["gpt-recorded"]
    for seen, vendor in zip(upstream.seen, ("anthropic", "openai"), strict=True):
        assert_only_its_own_credential(seen, vendor)


def test_providers_list_has_the_callers_shape(http: httpx.Client, upstream: Recorder) -> None:
    openai = http.get("/v1/models", headers=KEY | {PROVIDER: "@rec-anthropic"}).json()
    assert openai["object"] == "list"
    assert openai["provider"] == "anthropic"
    assert [(entry["id"], entry["object"]) for entry in openai["data"]] == [(name, "model") for name in MODELS]
    headers = KEY | {PROVIDER: "@rec-openai", "anthropic-version": "2023-06-01"}
    anthropic = http.get("/v1/models", headers=headers).json()
    assert {"data", "has_more", "first_id", "last_id"} <= anthropic.keys()
    assert [(entry["id"], entry["type"]) for entry in anthropic["data"]] == [("gpt-recorded", "model")]
    assert_only_its_own_credential(upstream.seen[0], "anthropic")
    assert_only_its_own_credential(upstream.seen[1], "openai")


@pytest.mark.parametrize("name", CLIENTS)
def test_sdk_lists_the_catalogue(name: str, client_named: Callable[[str], Client], gateway: Server) -> None:
    common = {"origin": gateway.url, "model": "", "action": "models", "api_key": GATEWAY_KEY}
    for outcome in client_named(name).drive([common | {"id": sdk, "sdk": sdk} for sdk in ("anthropic", "openai")]):
        assert outcome["error"] is None
        assert outcome["models"], "the catalogue is empty"
        assert [model for model in outcome["models"] if not (model.startswith("@") and "/" in model)] == []
        assert any(model.startswith("@anthropic/claude-") for model in outcome["models"])


def test_catalogue_has_the_callers_shape(http: httpx.Client) -> None:
    openai = http.get("/v1/models", headers=KEY).json()
    assert openai["object"] == "list"
    assert openai["total"] == len(openai["data"])
    assert {"id", "slug", "canonical_slug", "object", "created", "owned_by"} <= openai["data"][0].keys()
    anthropic = http.get("/v1/models?limit=1000", headers=KEY | {"anthropic-version": "2023-06-01"}).json()
    assert anthropic["has_more"] is False
    assert {"type", "id", "display_name", "created_at", "lifecycle"} <= anthropic["data"][0].keys()
    assert anthropic["first_id"] == anthropic["data"][0]["id"]
    assert anthropic["last_id"] == anthropic["data"][-1]["id"]


# ---- anthropic-version --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
def test_clients_own_api_version_reaches_the_upstream(
    name: str, client_named: Callable[[str], Client], gateway: Server, upstream: Recorder
) -> None:
    """What the SDK says is learnt by sending it to the recorder first without the gateway, then through it."""
    common = {"sdk": "anthropic", "api_key": GATEWAY_KEY}
    client_named(name).drive(
        [
            common | {"id": "direct", "origin": upstream.url, "model": "m"},
            common | {"id": "through", "origin": gateway.url, "model": "@rec-anthropic/m"},
        ]
    )
    direct, through = (seen.header("anthropic-version") for seen in upstream.seen)
    assert through == direct
    assert direct == ("2026-10-21" if name.endswith("newest") else "2023-06-01")


@pytest.mark.parametrize(
    "path, headers, version",
    [
        (MESSAGES, {}, "2023-06-01"),
        (COUNT, {}, "2023-06-01"),
        (CHAT, {}, "2023-06-01"),
        (MESSAGES, {"anthropic-version": "2026-10-21"}, "2026-10-21"),
        (MESSAGES, {"anthropic-version": "2099-01-01"}, "2099-01-01"),
        (MESSAGES, {"x-portkey-anthropic-version": "2026-10-21"}, "2026-10-21"),
        (MESSAGES, {"x-portkey-anthropic-version": "2026-10-21", "anthropic-version": "2023-06-01"}, "2026-10-21"),
    ],
)
def test_api_version_of_plain_http(
    path: str, headers: dict[str, str], version: str, http: httpx.Client, upstream: Recorder
) -> None:
    assert http.post(path, headers=KEY | headers, json=body("@rec-anthropic/m")).status_code == 200
    assert upstream.only().header("anthropic-version") == version
