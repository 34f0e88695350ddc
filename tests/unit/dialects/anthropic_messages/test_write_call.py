"""The request as a whole: which fields, which headers, which version."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.catalog import find_facts
from lockgate.core.chat import Call, ToolChoice
from lockgate.dialects import ReplyRules, TargetInfo
from lockgate.dialects.anthropic_messages import DIALECT
from tests.unit.dialects.anthropic_messages.calls import (
    EPHEMERAL,
    SONNET,
    call,
    headers,
    raw,
    say,
    sent,
    text,
    tool,
    write,
)


def test_a_plain_call_becomes_a_plain_request():
    written = write(call(say("user", "Hi"), max_tokens=5, temperature=0.5, stop=("END",), user="u", stream=True))
    assert msgspec.json.decode(written.body) == {
        "model": SONNET,
        "max_tokens": 5,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u"},
        "stream": True,
    }
    assert written.headers == ((b"anthropic-version", b"2023-06-01"),)
    assert (written.dropped, written.adjusted, written.rules) == ((), (), ReplyRules())


@pytest.mark.parametrize(
    "model, asked, expected",
    [
        ("claude-3-haiku-20240307", None, 4096),
        ("claude-3-5-haiku-20241022", None, 8192),
        ("claude-sonnet-4-5", None, 16384),
        ("claude-opus-5-5", None, 16384),
        ("unknown", None, 4096),
        ("claude-3-haiku-20240307", 300_000, 300_000),
        ("claude-sonnet-4-5", 0, 0),
    ],
)
def test_the_token_limit_is_never_missing(model, asked, expected):
    assert sent(call(max_tokens=asked), model)["max_tokens"] == expected


def test_native_fields_keep_their_bytes():
    native = {
        "container": raw({"id": "c"}),
        "inference_geo": msgspec.Raw(b' "us" '),
        "cache_control": EPHEMERAL,
        "metadata": raw({"user_id": "a@b.example", "k": 1}),
    }
    body = write(call(user="a@b.example", native=native)).body
    for name, value in native.items():
        assert b'"%b":%b' % (name.encode(), bytes(value)) in body
    assert msgspec.json.decode(body)["metadata"] == {"user_id": "a@b.example", "k": 1}


def test_models_of_fallbacks_are_sent_without_a_slug():
    fallbacks = [{"model": "@prod/claude-haiku-4-5", "max_tokens": 5}, {"model": "claude-opus-5"}, "default"]
    written = write(call(native={"fallbacks": raw(fallbacks[:2])}))
    assert msgspec.json.decode(written.body)["fallbacks"] == [
        {**fallbacks[0], "model": "claude-haiku-4-5"},
        fallbacks[1],
    ]
    assert written.adjusted == ("fallbacks.model: slug left out",)
    for kept in (fallbacks[1:], "default"):
        written = write(call(native={"fallbacks": raw(kept)}))
        assert b'"fallbacks":%b' % bytes(raw(kept)) in written.body
        assert written.adjusted == ()


def test_a_native_field_of_another_api_is_dropped_by_name():
    written = write(call(native={"reasoning_summary": raw(1)}, unknown=("seed",)))
    assert written.dropped == ("seed", "reasoning_summary")
    assert "reasoning_summary" not in msgspec.json.decode(written.body)


def test_a_user_profile_goes_into_its_header():
    said = call(native={"user_profile_id": raw("prof_1")})
    assert headers(said) == {"anthropic-version": "2023-06-01", "anthropic-user-profile-id": "prof_1"}
    assert "user_profile_id" not in sent(said)


def test_a_workspace_goes_into_its_header():
    said = call(native={"workspace_id": raw("wrkspc_1"), "user_profile_id": raw("prof_1")})
    assert headers(said) == {
        "anthropic-version": "2023-06-01",
        "anthropic-user-profile-id": "prof_1",
        "anthropic-workspace-id": "wrkspc_1",
    }
    assert "workspace_id" not in sent(said)
    assert write(said).dropped == ()


@pytest.mark.parametrize("name", ["user_profile_id", "workspace_id"])
@pytest.mark.parametrize("value", ["a\r\nb: c", "é", "", 7, ["a"]])
def test_an_id_never_breaks_a_header_and_is_named_instead(name, value):
    said = call(native={name: raw(value)})
    assert headers(said) == {"anthropic-version": "2023-06-01"}
    assert write(said).dropped == (name,)


@pytest.mark.parametrize(
    "asked, temperature, model, expected",
    [
        (None, None, SONNET, "2023-06-01"),
        ("2023-06-01", 0.5, SONNET, "2023-06-01"),
        ("2026-10-21", None, SONNET, "2026-10-21"),
        ("2026-10-21", 0.5, SONNET, "2023-06-01"),
        ("2026-10-21", 0.5, "claude-opus-5", "2026-10-21"),
        ("2027-01-01", None, SONNET, "2027-01-01"),
        ("bedrock-2023-05-31", None, SONNET, "2023-06-01"),
        ("vertex-2023-10-16", None, SONNET, "2023-06-01"),
    ],
)
def test_the_version_is_the_clients_unless_it_forbids_what_is_sent(asked, temperature, model, expected):
    assert headers(call(api_version=asked, temperature=temperature), model)["anthropic-version"] == expected


@pytest.mark.parametrize(
    "default, asked, temperature, expected",
    [
        (None, None, None, "2023-06-01"),
        ("auto", None, None, "2026-10-21"),
        ("auto", None, 0.5, "2023-06-01"),
        ("auto", "2023-06-01", None, "2023-06-01"),
        ("2026-10-21", None, None, "2026-10-21"),
        ("2026-10-21", None, 0.5, "2023-06-01"),
        ("2023-06-01", None, None, "2023-06-01"),
        ("2023-06-01", "2026-10-21", None, "2026-10-21"),
        ("2026-10-21", "auto", None, "2023-06-01"),
    ],
)
def test_the_operators_version_is_for_clients_that_name_none(default, asked, temperature, expected):
    said = call(api_version=asked, temperature=temperature)
    info = TargetInfo(provider="anthropic", model=SONNET, facts=find_facts(SONNET), api_version=default)
    written = DIALECT.write_call(said, info)
    assert dict(written.headers)[b"anthropic-version"].decode() == expected
    assert not written.adjusted, "nobody asked for what gave way"


def test_a_version_that_had_to_give_way_is_named():
    assert write(call(api_version="2026-10-21", temperature=0.5)).adjusted == (
        "anthropic_version: 2023-06-01 sent, later ones refuse sampling parameters",
    )


def test_the_same_call_is_written_the_same_way():
    said = call(
        say("system", "late"),
        say("user", text("a", cache=EPHEMERAL)),
        tools=(tool("a.b"), tool("c")),
        tool_choice=ToolChoice(mode="any"),
        effort="high",
        native={"speed": raw("fast")},
    )
    assert write(said) == write(said)


def test_input_is_never_changed():
    said = call(say("user", text("a"), text("", cache=EPHEMERAL)), tools=(tool("a.b"),))
    before = msgspec.json.encode(said)
    write(said)
    assert msgspec.json.encode(said) == before


def test_what_is_written_can_be_read_again():
    said = call(
        say("user", "Hi"),
        say("assistant", "Yo"),
        say("user", "q"),
        max_tokens=5,
        tools=(tool("look", {"type": "object", "properties": {}}),),
    )
    info = TargetInfo(provider="anthropic", model="m", facts=find_facts("m"))
    again = DIALECT.read_call(DIALECT.write_call(said, info).body)
    assert again == msgspec.structs.replace(said, model="m")


def test_a_call_without_anything_is_written():
    assert sent(Call(model="m", messages=()))["messages"] == []
