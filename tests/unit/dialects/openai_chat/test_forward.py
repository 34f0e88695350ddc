import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.catalog.facts import ModelFacts
from lockgate.core.body import peek
from lockgate.core.chat import Call
from lockgate.dialects import Added
from lockgate.dialects.openai_chat.forward import client_headers, forward, with_headers


def test_only_the_model_changes():
    body = b'{"x":1.0,"model" : "@s/m"}'
    assert forward(body, peek(body), "m", {}).body == b'{"x":1.0,"model" : "m"}'
    assert forward(body, peek(body), "@s/m", {}).body is body
    assert forward(b"{}", peek(b"{}"), None, {}).body == b"{}"


def test_openais_own_headers_go_along():
    client = {b"openai-organization": b"o", b"x-portkey-openai-project": b"p", b"openai-beta": b"b", b"x": b"no"}
    assert client_headers(client) == (
        (b"openai-organization", b"o"),
        (b"openai-project", b"p"),
        (b"openai-beta", b"b"),
    )


def test_headers_that_only_anthropic_obeys_are_named():
    client = {b"anthropic-user-profile-id": b"u", b"anthropic-workspace-id": b"w"}
    names = ("user_profile_id", "workspace_id")
    assert forward(b"{}", peek(b"{}"), None, client).dropped == names
    assert with_headers(Call(model="m", messages=(), unknown=("n",)), client).unknown == ("n", *names)
    assert client_headers(client) == ()


def test_headers_change_nothing_in_a_call():
    call = Call(model="m", messages=())
    assert with_headers(call, {b"anthropic-beta": b"x"}) is call


ASKED = b'"stream_options":{"include_usage":true}'


@pytest.mark.parametrize(
    "body, sent",
    [
        (b'{"stream":true}', b'{"stream":true,' + ASKED + b"}"),
        (b'{ "stream" : true } \n', b'{ "stream" : true ,' + ASKED + b"} \n"),
        (b'{"stream":true,"stream_options":null,"x":1}', b'{"stream":true,' + ASKED + b',"x":1}'),
        (b'{"stream_options":{},"stream":true}', b"{" + ASKED + b',"stream":true}'),
        (
            b'{"stream":true,"stream_options": {"include_obfuscation":false}}',
            b'{"stream":true,"stream_options": {"include_obfuscation":false,"include_usage":true}}',
        ),
        (b'{"stream":true,"stream_options":{"include_usage":false}}', b'{"stream":true,' + ASKED + b"}"),
        (b'{"stream":true,"stream_options":{"include_usage":null}}', b'{"stream":true,' + ASKED + b"}"),
        (
            b'{"stream":true,"stream_options":{"include_usage":true},"stream_options":{"include_usage":false}}',
            b'{"stream":true,"stream_options":{"include_usage":true},' + ASKED + b"}",
        ),
        (b'{"stream":true,"a":"\\"stream_options\\""}', b'{"stream":true,"a":"\\"stream_options\\"",' + ASKED + b"}"),
    ],
)
def test_usage_of_a_stream_is_asked_for_and_nothing_else_changes(body, sent):
    written = forward(body, peek(body), None, {})
    assert (written.body, written.hides_usage) == (sent, True)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"stream":false}', b'{"stream":true,"stream_options":{"include_usage":true}}']
)
def test_who_asks_for_usage_or_for_no_stream_is_taken_at_their_word(body):
    written = forward(body, peek(body), None, {})
    assert written.body is body
    assert not written.hides_usage


NAME = st.sampled_from(["stream_options", "stream\\u005foptions", "\\u0073tream_options", "x"])
VALUE = st.sampled_from(["null", "{}", '{"include_usage":false}', '{"include\\u005fusage":false}', '{"a":{}}'])


@given(st.lists(st.tuples(NAME, VALUE), max_size=3))
def test_nobody_opts_out_of_metering(members):
    body = ("{" + "".join(f'"{name}": {value}, ' for name, value in members) + '"stream": true}').encode()
    written = forward(body, peek(body), None, {})
    assert json.loads(written.body)["stream_options"]["include_usage"] is True


def added(provider="openai", fields=("model",)):
    return Added(fields=fields, facts=ModelFacts(family="gpt-5", max_output=1), provider=provider)


@pytest.mark.parametrize(
    "body, sent",
    [
        (b'{"model":"m", "max_tokens" : 5}', b'{"model":"m", "max_completion_tokens" : 5}'),
        (b'{"max_tokens":null,"max_tokens":5}', b'{"max_completion_tokens":null,"max_completion_tokens":5}'),
        (b'{"max\\u005ftokens":5,"x":"max_tokens"}', b'{"max_completion_tokens":5,"x":"max_tokens"}'),
    ],
)
def test_a_limit_goes_along_under_its_newer_name_where_a_config_changed_the_model(body, sent):
    written = forward(body, peek(body), None, {}, added())
    assert (written.body, written.adjusted) == (sent, ("max_tokens: sent as max_completion_tokens",))


@pytest.mark.parametrize(
    "body, config",
    [
        (b'{"max_tokens":5}', None),
        (b'{"max_tokens":5}', added("openai-compatible")),
        (b'{"max_tokens":5}', added(fields=("temperature",))),
        (b'{"max_tokens":5}', added(fields=("model", "max_tokens"))),
        (b'{"max_tokens":5,"max_completion_tokens":6}', added()),
        (b'{"max_completion_tokens":6}', added()),
        (b'{"max_tokens":null}', added()),
        (b"{}", added()),
    ],
)
def test_elsewhere_a_limit_stays_as_it_was_written(body, config):
    assert forward(body, peek(body), None, {}, config).body is body
