import pytest
from msgspec import Raw

from lockgate.core.body import peek
from lockgate.core.chat import Call
from lockgate.dialects.anthropic_messages.forward import client_headers, forward, with_headers
from lockgate.errors import InvalidRequest


def sent(body, client=None, model="m"):
    return forward(body, peek(body), model, client or {})


def test_only_the_model_changes():
    assert sent(b'{"model" : "@s/m","x":1.0}').body == b'{"model" : "m","x":1.0}'
    body = b'{"model":"m"}'
    assert sent(body).body is body


@pytest.mark.parametrize(
    "client, body, version",
    [
        ({}, b'{"model":"m"}', b"2023-06-01"),
        ({b"anthropic-version": b"2026-10-21"}, b'{"model":"m"}', b"2026-10-21"),
        ({b"anthropic-version": b"a", b"x-portkey-anthropic-version": b"b"}, b'{"model":"m"}', b"b"),
        ({}, b'{"model":"m","anthropic_version":"2026-10-21"}', b"2026-10-21"),
        ({b"anthropic-version": b"a"}, b'{"model":"m","anthropic_version":"z"}', b"a"),
        ({}, b'{"model":"m","anthropic_version":null}', b"2023-06-01"),
        ({}, b'{"model":"m","anthropic_version":"bedrock-2023-05-31"}', b"2023-06-01"),
        ({}, b'{"model":"m","anthropic_version":"vertex-2023-10-16"}', b"2023-06-01"),
        ({b"anthropic-version": b"vertex-2023-10-16"}, b'{"model":"m"}', b"2023-06-01"),
        ({b"anthropic-version": b"bedrock-x"}, b'{"model":"m","anthropic_version":"2026-10-21"}', b"2026-10-21"),
        ({b"anthropic-version": b"2031-01-01"}, b'{"model":"m"}', b"2031-01-01"),
    ],
)
def test_the_version_is_the_clients_else_the_oldest(client, body, version):
    written = sent(body, client)
    assert dict(written.headers)[b"anthropic-version"] == version
    assert written.body == b'{"model":"m"}'


@pytest.mark.parametrize(
    "client, members, expected",
    [
        ({}, b"", None),
        ({b"anthropic-beta": b"a, b,,a"}, b"", b"a,b"),
        ({b"anthropic-beta": b"a", b"x-portkey-anthropic-beta": b"b"}, b"", b"a,b"),
        ({}, b',"betas":["x","y,z"]', b"x,y,z"),
        ({}, b',"anthropic_beta":"x,y"', b"x,y"),
        ({}, b',"anthropic_beta":["x"]', b"x"),
        ({b"anthropic-beta": b"a"}, b',"betas":["b"],"anthropic_beta":"c"', b"a,c,b"),
        ({}, b',"betas":null', None),
    ],
)
def test_betas_of_headers_and_body_are_one_header(client, members, expected):
    written = sent(b'{"model":"m"' + members + b"}", client)
    assert dict(written.headers).get(b"anthropic-beta") == expected
    assert written.body == b'{"model":"m"}'


@pytest.mark.parametrize("member", [b'"betas":3', b'"anthropic_beta":[1]', b'"anthropic_version":3'])
def test_unusable_betas_are_refused_with_their_name(member):
    with pytest.raises(InvalidRequest) as caught:
        sent(b'{"model":"m",' + member + b"}")
    assert caught.value.path in member.decode()


def test_ids_of_the_client_go_along():
    client = {b"anthropic-user-profile-id": b"u", b"anthropic-workspace-id": b"w", b"x-other": b"no"}
    assert client_headers(client) == (
        (b"anthropic-version", b"2023-06-01"),
        (b"anthropic-user-profile-id", b"u"),
        (b"anthropic-workspace-id", b"w"),
    )


def test_betas_of_headers_join_those_of_a_call():
    call = Call(model="m", messages=(), betas=("a",))
    assert with_headers(call, {b"x-portkey-anthropic-beta": b"a,b"}).betas == ("a", "b")
    assert with_headers(call, {}) is call


def test_ids_of_headers_join_a_call_and_win_over_its_body():
    call = Call(model="m", messages=(), native={"user_profile_id": Raw(b'"of_the_body"'), "speed": Raw(b'"fast"')})
    client = {b"anthropic-user-profile-id": b"u", b"anthropic-workspace-id": b"w"}
    assert with_headers(call, client).native == {
        "user_profile_id": Raw(b'"u"'),
        "workspace_id": Raw(b'"w"'),
        "speed": Raw(b'"fast"'),
    }


def test_what_was_changed_is_named():
    written = sent(b'{"model":"@s/m","top_p":0.5,"temperature":1.0,"betas":["x"]}')
    assert written.body == b'{"model":"m","temperature":1.0}'
    assert written.adjusted == ("top_p: left out, temperature is set",)
    assert sent(b'{"model":"@s/m"}').adjusted == ()


@pytest.mark.parametrize(
    "client, betas",
    [({b"anthropic-beta": b"structured-outputs-2025-11-13"}, b""), ({}, b',"betas":["structured-outputs-2025-11-13"]')],
)
def test_a_client_that_names_the_beta_of_the_old_output_format_keeps_it(client, betas):
    members = b'"model":"m","output_format":{"type":"json_schema","schema":{}}'
    assert sent(b"{" + members + betas + b"}", client).body == b"{" + members + b"}"


@pytest.mark.parametrize(
    "client, named, expected",
    [
        ({}, None, None),
        ({}, "2026-10-21", "2026-10-21"),
        ({b"anthropic-version": b"2026-10-21"}, None, "2026-10-21"),
        ({b"anthropic-version": b"2023-06-01"}, "2026-10-21", "2023-06-01"),
        ({b"x-portkey-anthropic-version": b"2026-10-21", b"anthropic-version": b"2023-06-01"}, None, "2026-10-21"),
        ({b"anthropic-version": b"bedrock-2023-05-31"}, "2026-10-21", "2026-10-21"),
    ],
)
def test_the_version_of_a_header_is_stronger_than_that_of_a_translated_body(client, named, expected):
    call = Call(model="m", messages=(), api_version=named)
    assert with_headers(call, client).api_version == expected
