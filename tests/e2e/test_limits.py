"""What a used-up limit does to the SDKs: ours refuses at once and for good, a provider's sends the call elsewhere."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.e2e.gateway import Evidence, Server, clean_environment, running
from tests.e2e.simulated import Simulated, requests_with

ADMIN_KEY = f"admin-{secrets.token_hex(16)}"
SIMULATED_KEY = "of-the-simulator"
CLAUDE = "claude-haiku-4-5-20251001"
SECOND_CLAUDE = "claude-sonnet-4-6"
GPT = "gpt-4.1"
SIX_DAYS_S = 6 * 24 * 3600
CONFIG = """
[providers.sim-anthropic]
type = "anthropic"
base_url = "{simulator}"
api_key = "{key}"

[providers.sim-openai]
type = "openai"
base_url = "{simulator}/v1"
api_key = "{key}"
"""

Made = dict[str, Any]


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory, simulator: Server, evidence: Evidence) -> Iterator[Server]:
    """A gateway whose keys are made, with their limits, through the control plane."""
    folder = tmp_path_factory.mktemp("limited")
    config = folder / "lockgate.toml"
    config.write_text(CONFIG.format(simulator=simulator.url, key=SIMULATED_KEY))
    home = folder / "gateway"
    evidence.folders.append(home)
    arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--port", "0"]
    with running(arguments, folder=home, environment=clean_environment(LOCKGATE_ADMIN_KEY=ADMIN_KEY)) as server:
        yield server


@pytest.fixture
def make_key(limited: Server) -> Callable[..., str]:
    """Make a key that may call models, with the limits given; return its text."""

    def make(**limits: object) -> str:
        headers = {"x-portkey-api-key": ADMIN_KEY}
        with httpx.Client(base_url=f"{limited.url}/v1", headers=headers, trust_env=False, timeout=30) as api:
            workspace = api.get("/admin/workspaces").json()["data"][0]["id"]
            body = {"name": uuid.uuid4().hex, "workspace_id": workspace, "scopes": ["completions.write"]}
            made = api.post("/api-keys/workspace/service", json=body | limits)
        assert made.status_code == 200, made.text
        return str(made.json()["key"])

    return make


class Caller:
    """An official SDK with its own retries, and every answer that it got from the gateway."""

    def __init__(self, sdk: str, server: Server, key: str, config: object = None) -> None:
        self.answers: list[Any] = []
        self.sdk = sdk
        self._server = server
        self._key = key
        self._headers = {"x-portkey-config": json.dumps(config)} if config else {}

    def ask(self, text: str, *, model: str, is_stream: bool) -> str:
        """Ask; return the text of the answer."""
        call = self._anthropic if self.sdk == "anthropic" else self._openai
        return call({"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": text}]}, is_stream)

    def _anthropic(self, body: dict[str, Any], is_stream: bool) -> str:
        with self._client(anthropic, self._server.url) as client:
            if is_stream:
                with client.messages.stream(**body) as stream:
                    return str(stream.get_final_text())
            return str(client.messages.create(**body).content[0].text)

    def _openai(self, body: dict[str, Any], is_stream: bool) -> str:
        with self._client(openai, f"{self._server.url}/v1") as client:
            if is_stream:
                chunks = client.chat.completions.create(**body, stream=True)
                return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
            return str(client.chat.completions.create(**body).choices[0].message.content)

    @contextmanager
    def _client(self, module: Any, base_url: str) -> Iterator[Any]:
        make = anthropic.Anthropic if module is anthropic else openai.OpenAI
        http = module.DefaultHttpxClient(trust_env=False, event_hooks={"response": [self.answers.append]})
        with make(api_key=self._key, base_url=base_url, default_headers=self._headers, http_client=http) as client:
            assert client.max_retries == 2, "the SDK's own default"
            yield client


SDKS = pytest.mark.parametrize("sdk", ["anthropic", "openai"])
MODES = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
ERRORS: dict[str, Any] = {"anthropic": anthropic.APIStatusError, "openai": openai.APIStatusError}


@SDKS
@MODES
@pytest.mark.parametrize(
    "limits, first, status, says",
    [
        ({"usage_limits": [{"type": "cost", "credit_limit": 0.01}]}, 1, 412, "Budget reached"),
        ({"usage_limits": [{"type": "tokens", "credit_limit": 1000}]}, 1, 412, "Budget reached"),
        ({"rate_limits": [{"type": "requests", "unit": "rpw", "value": 1}]}, 1, 429, "Rate limit reached"),
        ({"rate_limits": [{"type": "requests", "unit": "rpm", "value": 0}]}, 0, 429, "blocked"),
    ],
    ids=["dollars", "tokens", "one a week", "blocked"],
)
def test_a_used_up_limit_comes_back_to_the_sdk_at_once(
    sdk: str,
    is_stream: bool,
    limits: dict[str, object],
    first: int,
    status: int,
    says: str,
    limited: Server,
    simulator: Server,
    make_key: Callable[..., str],
) -> None:
    """The SDK, left to its own two retries, asks once: it would wait for days, or in vain."""
    text = f"[[sim: output_tokens=20000]] {uuid.uuid4().hex}"
    caller = Caller(sdk, limited, make_key(**limits))
    model = f"@sim-anthropic/{CLAUDE}"
    for _ in range(first):
        caller.ask(text, model=model, is_stream=is_stream)
    with pytest.raises(ERRORS[sdk]) as raised:
        caller.ask(text, model=model, is_stream=is_stream)
    assert raised.value.status_code == status
    assert says in str(raised.value)
    assert len(caller.answers) == first + 1, "one request, no retry"
    refusal = caller.answers[-1]
    assert refusal.headers["x-should-retry"] == "false"
    assert "retry-after" not in refusal.headers
    assert "retry-after-ms" not in refusal.headers
    assert len(requests_with(simulator, text)) == first, "the provider is not asked"


@SDKS
def test_a_limit_that_clears_soon_says_when(sdk: str, limited: Server, make_key: Callable[..., str]) -> None:
    """Here the SDK may come back: it is told a time that it can wait."""
    key = make_key(rate_limits=[{"type": "requests", "unit": "rps", "value": 1}])
    path = "/v1/messages" if sdk == "anthropic" else "/v1/chat/completions"
    body = {"model": f"@sim-anthropic/{CLAUDE}", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
    with httpx.Client(base_url=limited.url, headers={"x-portkey-api-key": key}, trust_env=False, timeout=30) as http:
        answers = [http.post(path, json=body) for _ in range(4)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused, "four requests do not fit into one a second"
    for answer in refused:
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.headers.get("x-should-retry") != "false"


# ---- a provider that says that its credential has spent what it may

SPENT = ["enforced_spend_limit_reached", "contract_spend_limit_reached", "ramp_limit_exceeded"]
RETRY = {"attempts": 3, "on_status_codes": [429]}


def spent(code: str) -> str:
    """Order the first target alone to answer so, however often it is asked."""
    order = f"status=429, error_type=rate_limit_error, error_code={code}, retry_after={SIX_DAYS_S}"
    return f"[[sim: {order}, model={CLAUDE}]] {uuid.uuid4().hex}"


def went(calls: list[Simulated]) -> list[tuple[str, int | None]]:
    return [(call.body["model"], call.status) for call in calls]


@SDKS
@MODES
@pytest.mark.parametrize("code", SPENT)
@pytest.mark.parametrize(
    "second, codes",
    [
        ({"provider": "@sim-anthropic", "override_params": {"model": SECOND_CLAUDE}}, None),
        ({"provider": "@sim-openai", "override_params": {"model": GPT}}, [500]),
    ],
    ids=["to Claude", "to another provider, by a list without 429"],
)
def test_a_spend_limit_moves_to_the_next_target(
    sdk: str,
    is_stream: bool,
    code: str,
    second: Made,
    codes: list[int] | None,
    limited: Server,
    simulator: Server,
    make_key: Callable[..., str],
) -> None:
    """The first target is not tried again, though its own retries name 429; the SDK sees nothing but the answer."""
    strategy: Made = {"mode": "fallback"} | ({"on_status_codes": codes} if codes else {})
    config = {"strategy": strategy, "targets": [{"provider": "@sim-anthropic", "retry": RETRY}, second]}
    caller = Caller(sdk, limited, make_key(), config)
    text = spent(code)
    assert caller.ask(text, model=CLAUDE, is_stream=is_stream)
    assert went(requests_with(simulator, text)) == [(CLAUDE, 429), (second["override_params"]["model"], 200)]
    assert [answer.status_code for answer in caller.answers] == [200]
    assert caller.answers[0].headers["x-portkey-last-used-option-index"] == "config.targets[1]"


def test_an_ordinary_429_is_tried_again_where_it_was(
    limited: Server, simulator: Server, make_key: Callable[..., str]
) -> None:
    """So that the case above is about the code, and not about every 429."""
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [
            {"provider": "@sim-anthropic", "retry": RETRY},
            {"provider": "@sim-openai", "override_params": {"model": GPT}},
        ],
    }
    text = f"[[sim: status=429, times=1]] {uuid.uuid4().hex}"
    assert Caller("anthropic", limited, make_key(), config).ask(text, model=CLAUDE, is_stream=False)
    assert went(requests_with(simulator, text)) == [(CLAUDE, 429), (CLAUDE, 200)]


@SDKS
@MODES
@pytest.mark.parametrize("code", SPENT)
def test_a_spend_limit_without_a_next_target_comes_back_at_once(
    sdk: str, is_stream: bool, code: str, limited: Server, simulator: Server, make_key: Callable[..., str]
) -> None:
    """The provider asks to wait for six days. The SDK neither waits for a part of them nor asks again in vain."""
    caller = Caller(sdk, limited, make_key())
    text = spent(code)
    with pytest.raises(ERRORS[sdk]) as raised:
        caller.ask(text, model=f"@sim-anthropic/{CLAUDE}", is_stream=is_stream)
    assert raised.value.status_code == 429
    assert code in raised.value.response.text
    assert [answer.headers.get("x-should-retry") for answer in caller.answers] == ["false"]
    assert "retry-after" not in caller.answers[0].headers
    assert went(requests_with(simulator, text)) == [(CLAUDE, 429)]
