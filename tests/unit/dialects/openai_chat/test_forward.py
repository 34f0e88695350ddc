from lockgate.core.body import peek
from lockgate.core.chat import Call
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


def test_headers_change_nothing_in_a_call():
    call = Call(model="m", messages=())
    assert with_headers(call, {b"anthropic-beta": b"x"}) is call
