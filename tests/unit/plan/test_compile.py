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
        ("[configs.a]\nweight = -1", "configs.a.weight: expected `float` >= 0.0"),
        ('[configs.a]\nprovider = "@x"\nretries = 1', "configs.a.retries: unknown key; did you mean retry?"),
        ('[configs.a]\nprovider = "@x"\ninput_guardrails = ["g"]', "configs.a.input_guardrails: guardrails are not"),
        ('[configs.a]\nfile = "a.json"', "configs.a: invalid config JSON"),
        ('[defaults]\nconfig = "b"', "defaults.config: there is no config 'b' in [configs]; there: none"),
        (
            '[configs.a]\nprovider = "@x"\n[keys.k]\nkey = "k"\nconfig = "b"',
            "keys.k.config: there is no config 'b' in [configs]; there: a",
        ),
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
        ('[keys.a]\nkey="k"\n[keys.b]\nkey="k"', "keys.b: has the same text as keys.a; give each key its own"),
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


DECLARED = """
[providers.claude]
type = "anthropic"
api_key = "sk-1"
usage_limits = { type = "cost", credit_limit = 3, on_unpriced = "block" }
rate_limits = { type = "requests", unit = "rpm", value = 9 }

[keys.bot]
key = "text-of-the-bot"
scopes = ["completions:write", "logs.view"]
expires_at = 2027-01-01T00:00:00Z
metadata = { team = "billing" }
usage_limits = { type = "tokens", credit_limit = 5000 }
"""
SCOPES = frozenset({"completions.write", "models.list", "logs.view"})


def declared(text=DECLARED):
    sources = Sources(environment={}, providers=PROVIDERS, file="gateway.toml", key_scopes=SCOPES)
    return compile_snapshot(read_document(text, "t"), sources, Secret, 1)


def test_declared_limits_become_claims_of_the_provider_and_of_the_key():
    snapshot = declared()
    target = snapshot.targets["claude"]
    assert [(c.limit.scope, c.limit.unit, c.limit.cap, c.limit.per_attempt) for c in target.claims] == [
        ("provider", "requests", 9, True), ("provider", "nanos", 3 * 10**9, True),
    ]  # fmt: skip
    assert (target.claims[-1].limit.blocks_unpriced, target.source) == (True, "gateway.toml")
    key = snapshot.keys[digest_of("text-of-the-bot")]
    assert [(c.limit.scope, c.limit.unit, c.limit.cap, c.limit.per_attempt) for c in key.claims] == [
        ("key", "tokens", 5000, False)
    ]
    assert (key.scopes, key.metadata) == ({"completions.write", "logs.view"}, {"team": "billing"})
    assert (key.expires_at, key.source) == (1798761600.0, "gateway.toml")


def test_a_key_that_says_nothing_may_all_that_a_key_of_a_workspace_can():
    assert declared('[keys.a]\nkey = "text"').keys[digest_of("text")].scopes == SCOPES


@pytest.mark.parametrize(
    "line, message",
    [
        (
            'scopes = ["completion.write"]',
            "keys.a.scopes: a key of a workspace cannot have 'completion.write'; did you mean",
        ),
        ('scopes = ["organisation_users.create"]', "keys.a.scopes: "),
        ('metadata = { team = "' + "x" * 129 + '" }', "keys.a.metadata: "),
        ("usage_limits = { credit_limit = 0.001 }", "keys.a.usage_limits.credit_limit: "),
    ],
)
def test_what_a_declared_key_cannot_have(line, message):
    with pytest.raises(ConfigError) as caught:
        declared(f'[keys.a]\nkey = "text"\n{line}')
    assert caught.value.message.startswith(message)


def test_a_time_without_an_offset_is_utc():
    assert (
        declared('[keys.a]\nkey = "t"\nexpires_at = 2027-01-01T00:00:00').keys[digest_of("t")].expires_at
        == 1798761600.0
    )


def test_headers_that_become_metadata_come_from_the_file_and_the_environment():
    text = '[metadata]\nheaders = ["X-Team", "x-ticket"]'
    found = compiled(text, {"HEADERS_TO_METADATA": "X-Ticket, x_Region,,"}).metadata_headers
    assert found == (b"x-team", b"x-ticket", b"x_region")
    assert compiled().metadata_headers == ()


@pytest.mark.parametrize("name", ["authorization", "X-Api-Key", "Cookie", "x-portkey-config", "x-my-token"])
def test_no_credential_becomes_metadata(name):
    with pytest.raises(ConfigError, match=f"metadata.headers: {name} carries credentials"):
        compiled(f'[metadata]\nheaders = ["{name}"]')
    with pytest.raises(ConfigError, match=f"HEADERS_TO_METADATA: {name} carries"):
        compiled(environment={"HEADERS_TO_METADATA": f"x-team,{name}"})


def test_bodies_name_users_where_the_file_says_so():
    assert not compiled().workspaces["default"].takes_user_from_body
    assert compiled("[metadata]\nuser_from_body = true").workspaces["default"].takes_user_from_body
