"""The same-dialect promise over real sockets: what goes through the gateway is what came, byte for byte."""

from __future__ import annotations

import base64
import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.gateway import GATEWAY_KEY, Server
from tests.e2e.simulated import newest_entry

MODELS = {"anthropic": "claude-haiku-4-5-20251001", "openai": "gpt-4.1"}
PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=60).filter(lambda t: t.strip())
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")])
NUMBERS = st.sampled_from(["16", "64", "200"])


@st.composite
def bodies(draw: st.DrawFn, dialect: str, model: str) -> tuple[bytes, bytes, bool]:
    """Return a request body as a client could write it, the bytes that the provider must see, and whether the
    gateway asks for usage that the client does not want."""
    comma, colon = draw(SPACES)
    is_ascii = draw(st.booleans())

    def write(value: object) -> str:
        return json.dumps(value, ensure_ascii=is_ascii, separators=(comma, colon))

    turns = []
    for index in range(draw(st.integers(0, 2)) * 2 + 1):
        text = draw(TEXT)
        content: object = (
            text if draw(st.booleans()) else [{"type": "text", "text": text}, {"text": text, "type": "text"}]
        )
        turns.append({"role": ("user", "assistant")[index % 2], "content": content})
    members = [
        ('"messages"', write(turns)),
        ('"max_tokens"', draw(NUMBERS)),
        ('"temperature"', draw(st.sampled_from(["1", "1.0", "0.70", "1e-1"]))),
    ]
    is_stream = draw(st.booleans())
    if is_stream:
        members.append(('"stream"', "true"))
    wants_usage = is_stream and dialect == "openai" and draw(st.booleans())
    if wants_usage:
        members.append(('"stream_options"', write({"include_usage": True})))
    if dialect == "anthropic" and draw(st.booleans()):
        members.append(('"metadata"', write({"user_id": "user-" + "x" * draw(st.integers(1, 9))})))
    order = draw(st.permutations([*members, ('"model"', None)]))
    start, end = draw(st.sampled_from([("{", "}"), ("{ ", " }"), ("\n{", "}\n")]))

    def body(name: str) -> bytes:
        parts = [key + colon + (json.dumps(name) if value is None else value) for key, value in order]
        return (start + comma.join(parts) + end).encode()

    sent, expected = body(f"@sim-{dialect}/{model}"), body(model)
    is_asked = is_stream and dialect == "openai" and not wants_usage
    if is_asked:
        at = expected.rindex(b"}")
        expected = expected[:at] + b',"stream_options":{"include_usage":true}' + expected[at:]
    return sent, expected, is_asked


def without_usage(stream: bytes) -> bytes:
    """Leave out the chunk that tells usage and holds no choices."""
    return b"".join(part + b"\n\n" for part in stream.split(b"\n\n")[:-1] if b'"choices":[],' not in part)


@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_the_bodies_are_the_same_on_both_sides(dialect: str, gateway: Server, simulator: Server) -> None:
    with httpx.Client(base_url=gateway.url, trust_env=False, timeout=30) as client:
        statuses = []

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(bodies(dialect, MODELS[dialect]))
        def check(case: tuple[bytes, bytes, bool]) -> None:
            sent, expected, is_asked = case
            answer = client.post(
                PATHS[dialect],
                content=sent,
                headers={"x-portkey-api-key": GATEWAY_KEY, "content-type": "application/json"},
            )
            seen = newest_entry(simulator)
            statuses.append(answer.status_code)
            assert base64.b64decode(str(seen["body_base64"])) == expected
            told = base64.b64decode(str(seen["sent_base64"]))
            if is_asked and answer.status_code == 200:
                assert len(without_usage(told)) < len(told)
                told = without_usage(told)
            assert answer.content == told
            assert answer.status_code == seen["status"]

        check()
    assert statuses.count(200) > len(statuses) / 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 529])
@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_errors_of_the_provider_are_the_same_bytes(
    dialect: str, status: int, gateway: Server, simulator: Server
) -> None:
    body = {
        "model": f"@sim-{dialect}/{MODELS[dialect]}",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": f"[[sim: status={status}]]"}],
    }
    answer = httpx.post(
        gateway.url + PATHS[dialect], json=body, headers={"x-portkey-api-key": GATEWAY_KEY}, trust_env=False
    )
    seen = newest_entry(simulator)
    assert answer.status_code == status == seen["status"]
    assert answer.content == base64.b64decode(str(seen["sent_base64"]))


def test_betas_in_the_body_become_a_header_and_the_rest_stays(gateway: Server, simulator: Server) -> None:
    body = (
        b'{"betas": ["context-1m-2025-08-07"],"model":"@sim-anthropic/claude-haiku-4-5-20251001" ,'
        b'"max_tokens": 20, "messages":[{"role":"user","content":"caf\\u00e9 \\/ 1.0"}],"anthropic_beta":"b-one, b-two"}'
    )
    headers = {"x-api-key": GATEWAY_KEY, "anthropic-beta": "from-header"}
    httpx.post(gateway.url + "/v1/messages", content=body, headers=headers, trust_env=False)
    seen = newest_entry(simulator)
    assert base64.b64decode(str(seen["body_base64"])) == (
        b'{"model":"claude-haiku-4-5-20251001" ,"max_tokens": 20,'
        b'"messages":[{"role":"user","content":"caf\\u00e9 \\/ 1.0"}]}'
    )
    sent = dict(tuple(pair) for pair in seen["headers"])  # type: ignore[attr-defined]
    assert sent["anthropic-beta"] == "from-header,b-one,b-two,context-1m-2025-08-07"
