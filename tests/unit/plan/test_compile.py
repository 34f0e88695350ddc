import pytest

from lockgate.catalog import packaged_facts
from lockgate.config import read_document
from lockgate.core.secret import Secret
from lockgate.errors import ConfigError
from lockgate.plan.compile import Sources, compile_snapshot, needs_simulator, split_base_url
from lockgate.plan.keys import digest_of
from lockgate.providers import load_providers

PROVIDERS = load_providers()


def compiled(text="", environment=None, simulator_url=None):
    def read_secret(reference):
        scheme, _, rest = reference.partition(":")
        return Secret((environment or {})[rest] if scheme == "env" else reference)

    sources = Sources(environment=environment or {}, providers=PROVIDERS, simulator_url=simulator_url)
    return compile_snapshot(read_document(text, "t"), sources, read_secret, 1)


def test_a_credential_in_the_environment_makes_a_provider():
    snapshot = compiled(environment={"ANTHROPIC_API_KEY": "sk-ant-1"})
    target = snapshot.targets["anthropic"]
    assert target.auth_headers == ((b"x-api-key", b"sk-ant-1"),)
    assert (target.origin.scheme, target.origin.host, target.origin.port) == ("https", "api.anthropic.com", 443)
    assert not target.is_simulated
    assert "openai" not in snapshot.targets


def test_an_oauth_token_goes_into_authorization_with_its_beta():
    target = compiled(environment={"ANTHROPIC_API_KEY": "sk-ant-oat01-x"}).targets["anthropic"]
    assert target.auth_headers == ((b"authorization", b"Bearer sk-ant-oat01-x"),)
    assert target.auth_also == (b"anthropic-beta", b"oauth-2025-04-20")


def test_a_record_beats_the_environment_and_the_simulator():
    snapshot = compiled(
        '[providers.anthropic]\ntype="anthropic"\napi_key="mine"',
        environment={"ANTHROPIC_API_KEY": "other"},
        simulator_url="http://127.0.0.1:9",
    )
    assert snapshot.targets["anthropic"].auth_headers == ((b"x-api-key", b"mine"),)
    assert snapshot.targets["openai"].is_simulated


def test_the_simulator_stands_in_for_both():
    snapshot = compiled(simulator_url="http://127.0.0.1:9")
    assert {slug: t.is_simulated for slug, t in snapshot.targets.items()} == {"anthropic": True, "openai": True}
    assert snapshot.targets["openai"].path_of("/chat/completions") == b"/v1/chat/completions"
    assert snapshot.targets["anthropic"].path_of("/v1/messages") == b"/v1/messages"


@pytest.mark.parametrize(
    "text, environment, expected",
    [
        ("", {}, True),
        ("", {"OPENAI_API_KEY": "x"}, False),
        ('[providers.a]\ntype="anthropic"\napi_key="k"', {}, False),
        ("[simulator]\nenabled = true", {"OPENAI_API_KEY": "x"}, True),
        ("[simulator]\nenabled = false", {}, False),
    ],
)
def test_the_simulator_runs_when_there_is_no_provider(text, environment, expected):
    sources = Sources(environment=environment, providers=PROVIDERS)
    assert needs_simulator(read_document(text, "t"), sources) is expected


@pytest.mark.parametrize(
    "text, message",
    [
        ('[providers.a]\ntype="nope"', "providers.a.type: unknown provider 'nope'; known: anthropic, openai"),
        ('[providers.a]\ntype="anthropic"', "providers.a.api_key: missing"),
        (
            '[providers.a]\ntype="openai-compatible"',
            "providers.a.base_url: a provider of type openai-compatible needs one",
        ),
        ('[providers.a]\ntype="openai"\napi_key="k"\nbase_url="ftp://x"', "providers.a.base_url: expected http"),
        (
            '[providers.a]\ntype="openai"\napi_key="k"\nbase_url="http://u:p@x/v1"',
            "providers.a.base_url: user, password",
        ),
        ('[providers.a]\ntype="openai"\napi_key="k"\nbase_url="http://x:99999"', "providers.a.base_url: the port"),
        (
            '[providers.a]\ntype="openai"\napi_key="k"\nheaders={"a b"="c"}',
            "providers.a.headers: 'a b' is not a header name",
        ),
        ('[providers.a]\ntype="openai"\napi_key="k"\nheaders={"a"="c\\nd"}', "providers.a.headers.a: a header value"),
        ('[providers.a]\ntype="openai"\napi_key="k"\nheaders={"Host"="c"}', "providers.a.headers: 'Host' is written"),
        ('[providers.a]\ntype="openai"\napi_key="k"\nbase_url="http://[::1"', "providers.a.base_url: not a URL"),
        ('[providers.a]\ntype="openai"\napi_key="k"\nbase_url="http://x/ü"', "providers.a.base_url: write it in plain"),
        ('[keys.a]\nkey="gk_short"', "keys.a: a key that begins with gk_"),
        ('[keys.a]\nkey=" k "', "keys.a: the key begins or ends with a space"),
        ("[keys.a]", "keys.a: give either key or sha256"),
        ('[keys.a]\nkey="k"\nproviders=["x"]', "keys.a.providers: there is no provider 'x'"),
    ],
)
def test_what_does_not_compile_names_the_entry(text, message):
    with pytest.raises(ConfigError) as caught:
        compiled(text)
    assert str(caught.value).startswith(message)


def test_keys_are_kept_by_digest():
    snapshot = compiled(f'[keys.a]\nkey="secret-a"\n[keys.b]\nsha256="{digest_of("secret-b").hex()}"')
    assert {d: k.name for d, k in snapshot.keys.items()} == {digest_of("secret-a"): "a", digest_of("secret-b"): "b"}


@pytest.mark.parametrize(
    "base, endpoint, path",
    [
        ("https://h", "/v1/messages", b"/v1/messages"),
        ("https://h/v1", "/v1/messages", b"/v1/messages"),
        ("https://h/v1/", "/v1/messages", b"/v1/messages"),
        ("https://h/proxy/v1", "/v1/messages", b"/proxy/v1/messages"),
        ("https://h/v1", "/chat/completions", b"/v1/chat/completions"),
        ("https://h/openai", "/chat/completions", b"/openai/chat/completions"),
    ],
)
def test_base_url_and_endpoint_join_with_one_version(base, endpoint, path):
    target = compiled(f'[providers.a]\ntype="openai"\napi_key="k"\nbase_url="{base}"').targets["a"]
    assert target.path_of(endpoint) == path


def test_ports_follow_the_scheme():
    assert split_base_url("http://h", "t")[0].port == 80
    assert split_base_url("https://h", "t")[0].port == 443
    assert split_base_url("http://[::1]:9", "t")[0] == split_base_url("http://[::1]:9/", "t")[0]


def test_without_entries_the_packaged_facts_are_used():
    assert compiled().facts is packaged_facts()


@pytest.mark.parametrize(
    "text, model, expected",
    [
        ('[models."claude-x"]\nlike="claude-opus-4-5"', "claude-x", {"sampling": "one", "max_output": 64_000}),
        (
            '[models."claude-x"]\nlike="claude-opus-4-5"\nmax_output=7',
            "us.anthropic.claude-x-20270101-v1:0",
            {"max_output": 7},
        ),
        ('[models."claude-x*"]\nlike="claude-3"', "claude-x-mini", {"max_output": 4_096}),
        ('[models."claude-opus-5"]\nmax_output=5', "claude-opus-5", {"max_output": 5, "sampling": "none"}),
        ('[models."claude-opus-5"]\nmax_output=5', "claude-sonnet-5", {"max_output": 128_000}),
        ('[models.a]\nlike="generic"\neffort=[]\n[models.b]\nlike="a"', "b", {"effort": (), "family": "b"}),
        ("[models.mine]\nhas_prefill=false", "mine", {"has_prefill": False, "max_output": 4_096}),
        ("[models.newest-claude]\nmax_output=9", "claude-of-tomorrow", {"max_output": 9, "sampling": "none"}),
        ('[models."claude-x"]\nthinking=["enabled"]', "claude-x", {"thinking": ("enabled",), "sampling": "none"}),
    ],
)
def test_an_operators_facts_stand_above_the_packaged_ones(text, model, expected):
    facts = compiled(text).facts.find(model)
    assert {name: getattr(facts, name) for name in expected} == expected


def test_being_like_an_unknown_row_is_refused():
    with pytest.raises(ConfigError, match=r"models\.claude-x\.like: there is no row 'claude-y' above"):
        compiled('[models."claude-x"]\nlike="claude-y"')
