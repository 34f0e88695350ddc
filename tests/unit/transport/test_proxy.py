"""Which proxy the environment asks for."""

from __future__ import annotations

import pytest

from lockgate.core.http import Origin
from lockgate.errors import ConfigError
from lockgate.transport.proxy import read_proxies

BOTH = {"HTTP_PROXY": "http://plain.example:3128", "HTTPS_PROXY": "http://tls.example:3129"}


def chosen(environment, url: str) -> str | None:
    """Return host:port of the proxy for a URL without a path."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    if not host:
        host, port = rest, ""
    number = int(port) if port else {"http": 80, "https": 443}[scheme]
    proxy = read_proxies(environment).choose(Origin(scheme=scheme, host=host.strip("[]"), port=number))
    return None if proxy is None else f"{proxy.host}:{proxy.port}"


@pytest.mark.parametrize(
    "environment,url,expected",
    [
        ({}, "https://a.example", None),
        (BOTH, "http://a.example", "plain.example:3128"),
        (BOTH, "https://a.example", "tls.example:3129"),
        ({"https_proxy": "http://lower.example:1", **BOTH}, "https://a.example", "lower.example:1"),
        ({"ALL_PROXY": "http://all.example:2"}, "https://a.example", "all.example:2"),
        ({"all_proxy": "http://all.example:2"}, "http://a.example", "all.example:2"),
        ({"ALL_PROXY": "http://all.example:2", **BOTH}, "http://a.example", "plain.example:3128"),
        ({"ALL_PROXY": "socks5://y.example:2", **BOTH}, "http://a.example", "plain.example:3128"),
        ({"HTTPS_PROXY": "bare.example:8080"}, "https://a.example", "bare.example:8080"),
        ({"HTTPS_PROXY": "http://bare.example"}, "https://a.example", "bare.example:80"),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "https://a.example", "::1:3128"),
        ({"HTTPS_PROXY": ""}, "https://a.example", None),
        ({"HTTPS_PROXY": "  "}, "https://a.example", None),
    ],
)
def test_the_variable_of_the_scheme_decides(environment, url, expected):
    assert chosen(environment, url) == expected


@pytest.mark.parametrize(
    "exceptions,url,is_direct",
    [
        ("a.example", "https://a.example", True),
        ("a.example", "https://b.a.example", True),
        ("a.example", "https://xa.example", False),
        (".a.example", "https://b.a.example", True),
        (".a.example", "https://a.example", True),
        ("*.a.example", "https://b.a.example", True),
        ("*", "https://a.example", True),
        ("x.example, A.Example ,y.example", "https://a.example", True),
        ("x.example a.example", "https://a.example", True),
        ("a.example:8443", "https://a.example:8443", True),
        ("a.example:8443", "https://a.example", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3:443", "https://10.1.2.3", True),
        ("2001:db8::1", "https://[2001:db8::1]", True),
        ("[2001:db8::1]:443", "https://[2001:db8::1]", True),
        ("[2001:db8::1]:80", "https://[2001:db8::1]", False),
        ("", "https://a.example", False),
        (",,", "https://a.example", False),
    ],
)
def test_exceptions_are_reached_directly(exceptions, url, is_direct):
    assert (chosen({**BOTH, "NO_PROXY": exceptions}, url) is None) is is_direct
    assert (chosen({**BOTH, "no_proxy": exceptions, "NO_PROXY": "*"}, url) is None) is is_direct


@pytest.mark.parametrize("host", ["localhost", "x.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_loopback_is_always_reached_directly(host):
    assert chosen(BOTH, f"https://{host}") is None


def test_user_and_password_become_basic_authorization_and_are_not_shown():
    settings = read_proxies({"HTTPS_PROXY": "http://us%40er:p%C3%A4ss@proxy.example:1"})
    assert settings.https is not None
    assert settings.https.authorization is not None
    assert settings.https.authorization.reveal() == "Basic dXNAZXI6cMOkc3M="
    assert "dXNA" not in repr(settings)


@pytest.mark.parametrize("value", ["socks5://p.example:1", "https://p.example:1", "http://", "http://p:x", "http://:1"])
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(value):
    with pytest.raises(ConfigError) as caught:
        read_proxies({"https_proxy": value})
    assert caught.value.path == "https_proxy"
    assert "p.example" not in caught.value.message
