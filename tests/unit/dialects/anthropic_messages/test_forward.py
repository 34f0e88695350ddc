import pytest

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
