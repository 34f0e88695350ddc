import base64

import pytest

from lockgate.config import AlertSettings
from lockgate.core.http import Origin
from lockgate.core.secret import Secret
from lockgate.errors import ConfigError
from lockgate.plan.hook import compile_hook


def test_an_address_is_taken_apart_and_its_path_is_a_secret():
    hook = compile_hook(AlertSettings(webhook="https://hooks.example.com/services/T0/abc?x=1", secret="s"), Secret)
    assert hook.origin == Origin(scheme="https", host="hooks.example.com", port=443)
    assert hook.target.reveal() == "/services/T0/abc?x=1"
    assert hook.key == b"s"
    assert "abc" not in repr(hook.target)


@pytest.mark.parametrize(
    "url, port, target",
    [("http://10.0.0.7:9093", 9093, "/"), ("http://alerts", 80, "/"), ("https://[::1]:8/a", 8, "/a")],
)
def test_an_operator_may_name_any_host(url, port, target):
    hook = compile_hook(AlertSettings(webhook=url), Secret)
    assert (hook.origin.port, hook.target.reveal(), hook.key) == (port, target, None)


def test_a_secret_may_be_written_as_the_specification_does():
    text = "whsec_" + base64.b64encode(b"\x00key").decode()
    assert compile_hook(AlertSettings(webhook="http://a", secret=text), Secret).key == b"\x00key"


def test_nothing_said_nothing_sent():
    assert compile_hook(AlertSettings(), Secret) is None


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"secret": "s"}, "alerts.secret: signs messages to alerts.webhook, which is missing"),
        ({"webhook": "ftp://c4nary/"}, "alerts.webhook: expected https://"),
        ({"webhook": "c4nary"}, "alerts.webhook: expected https://"),
        ({"webhook": "http://c4nary:port"}, "alerts.webhook: not a URL"),
        ({"webhook": "http://u:c4nary@host/"}, "alerts.webhook: user and password"),
        ({"webhook": "http://host/c4nary x"}, "alerts.webhook: write it in plain ASCII"),
        ({"webhook": "http://host/", "secret": "whsec_c4nary!"}, "alerts.secret: what follows whsec_ is not Base64"),
    ],
)
def test_what_is_wrong_is_named_without_repeating_it(settings, words):
    with pytest.raises(ConfigError) as caught:
        compile_hook(AlertSettings(**settings), Secret)
    assert caught.value.message.startswith(words)
    assert "c4nary" not in caught.value.message


def test_a_reference_that_leads_nowhere_is_named_by_its_entry():
    def read(reference):
        raise ConfigError("the environment variable HOOK is not set")

    with pytest.raises(ConfigError, match=r"^alerts\.webhook: the environment variable HOOK is not set"):
        compile_hook(AlertSettings(webhook="env:HOOK"), read)
