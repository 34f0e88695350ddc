import pytest

from lockgate.config import read_document
from lockgate.errors import ConfigError, ConfigFaults


@pytest.mark.parametrize(
    "text, message",
    [
        ("[server]\nport = 1\nfoo = 2\n", "lockgate.toml:3: server.foo: unknown key; known here: drain_s, host, open"),
        ('[server]\nport = "x"\n', "lockgate.toml:2: server.port: expected a whole number, got text"),
        ("[server]\nport = 70000\n", "lockgate.toml:2: server.port: must be at most 65535"),
        ("\na = \n", "lockgate.toml:2: not valid TOML"),
        ('[providers.x]\ntype = "a"\n\napikey = "s"\n', "lockgate.toml:4: providers.x.apikey: unknown key"),
        ("[providers.x]\n", "lockgate.toml:1: providers.x.type: is missing; it is required"),
        (
            '[providers.x]\ntype="a"\n[providers.x.timeouts]\nidle = 3\n',
            "lockgate.toml:4: providers.x.timeouts.idle: unknown key; did you mean idle_s? known here: connect_s",
        ),
        (
            '[providers.x]\ntype="a"\n[providers.x.timeouts]\nidle_s = -3\n',
            "lockgate.toml:4: providers.x.timeouts.idle_s: must be more than 0",
        ),
        ("foo = 1", "lockgate.toml:1: foo: unknown key; known here: alerts, cache, configs, counters, database"),
        ("[configs.a]\nfile = 3", "lockgate.toml:2: configs.a.file: expected text"),
        ('[configs.a]\nfile = "x"\nretry = {attempts = 1}', "lockgate.toml:1: configs.a: give either file or"),
        ("[configs]\na = 3", "lockgate.toml:2: configs.a: expected a table"),
        ('[configs."a b"]', "lockgate.toml:1: configs.a b: a name holds letters"),
        ("configs = 3", "lockgate.toml:1: configs: expected tables such as [configs.NAME]"),
        (
            "[defaults]\nconfigs = 3",
            "lockgate.toml:2: defaults.configs: unknown key; did you mean config? known here: anthropic_version_default, config, retry_jitter",
        ),
        ('[providers."a b"]\ntype="x"', "lockgate.toml:1: providers.a b: a name holds letters"),
        ("providers = 3", "lockgate.toml:1: providers: expected tables"),
        ('[keys.a]\nsha256 = "zz"', "lockgate.toml:2: keys.a.sha256: must be a SHA-256 in hex"),
        (
            '[providers.a]\ntype = "x"\nheaders = {a = 1}',
            "lockgate.toml:3: providers.a.headers: expected text, got a whole number",
        ),
        (
            '\n[models."claude-x"]\nmax = 3',
            "lockgate.toml:3: models.claude-x.max: unknown key; known here: betas, binds_thinking, effort",
        ),
        (
            '[models."claude-x"]\nsampling = "two"',
            "lockgate.toml:2: models.claude-x.sampling: must be one of ",
        ),
        ('[models."claude-x"]\nmax_output = 0', "lockgate.toml:2: models.claude-x.max_output: must be at least 1"),
        ('[models."a b"]', "lockgate.toml:1: models.a b: a model's id holds no space"),
        ('[models."a*b"]', "lockgate.toml:1: models.a*b: a model's id holds no space, and '*' only at its end"),
        ('[journal]\nfsync = "often"', "lockgate.toml:2: journal.fsync: must be one of "),
    ],
)
def test_a_fault_names_file_and_line(text, message):
    with pytest.raises(ConfigError) as caught:
        read_document(text, "lockgate.toml")
    assert str(caught.value).startswith(message)


def test_all_faults_of_a_table_are_told():
    text = """
[server]
prot = 1
host = 127
drain_s = -1
[providers.a]
type = 3
model = []
usage_limits = { type = "cots", credit_limit = -5, periodic_reset = "daily" }
rate_limits = [ { unit = "rpx", value = 1.5 } ]
[keys.b]
usage_limits = { type = "cost" }
sha256 = "zz"
[records]
personal = ["email", "phon"]
body_days = 0
"""
    with pytest.raises(ConfigFaults) as caught:
        read_document(text, "x")
    told = sorted((str(fault) for fault in caught.value.faults), key=lambda line: int(line.split(":")[1]))
    assert [line.partition(" known here")[0] for line in told] == [
        "x:3: server.prot: unknown key; did you mean port?",
        "x:4: server.host: expected text, got a whole number",
        "x:5: server.drain_s: must be more than 0",
        "x:7: providers.a.type: expected text, got a whole number",
        "x:8: providers.a.model: unknown key; did you mean models?",
        "x:9: providers.a.usage_limits.type: must be one of cost, requests, tokens; did you mean cost?",
        "x:9: providers.a.usage_limits.credit_limit: must be more than 0",
        "x:9: providers.a.usage_limits.periodic_reset: must be one of monthly, weekly",
        "x:10: providers.a.rate_limits.0.unit: must be one of max, rpd, rph, rpm, rps, rpw, tpd, tph, tpm, tps, tpw; did you mean rpw?",
        "x:10: providers.a.rate_limits.0.value: expected a whole number, got a number",
        "x:12: keys.b.usage_limits.credit_limit: is missing; it is required",
        "x:13: keys.b.sha256: must be a SHA-256 in hex: 64 of the digits 0-9 and a-f",
        "x:15: records.personal.1: must be one of aadhaar, card, de-tax, email, iban, ip, phone, uk-nino, us-ssn; "
        "did you mean phone?",
        "x:16: records.body_days: must be at least 1",
    ]


def test_an_empty_file_is_all_defaults():
    document = read_document("", "lockgate.toml")
    assert (document.server.host, document.server.port) == ("127.0.0.1", 8787)
    assert document.providers == {}


def test_a_whole_file_is_read():
    document = read_document(
        """
        [server]
        port = 9000
        [providers.prod]
        type = "anthropic"
        api_key = "env:KEY"
        models = ["claude-a"]
        headers = {"x-team" = "blue"}
        [providers.prod.timeouts]
        idle_s = 20
        [keys.app]
        sha256 = "%s"
        providers = ["prod"]
        """
        % ("ab" * 32),
        "lockgate.toml",
    )
    assert document.server.port == 9000
    assert document.providers["prod"].models == ("claude-a",)
    assert document.providers["prod"].timeouts.idle_s == 20
    assert document.keys["app"].providers == ("prod",)


def test_facts_about_models_are_read():
    document = read_document(
        '[models."us.vendor/claude-x:1*"]\nlike = "claude-opus-5"\nthinking = []\n', "lockgate.toml"
    )
    settings = document.models["us.vendor/claude-x:1*"]
    assert (settings.like, settings.thinking, settings.effort) == ("claude-opus-5", (), None)


def test_a_config_is_kept_as_json():
    text = """
[configs.main]
retry = {attempts = 2}
[[configs.main.targets]]
provider = "@a"
weight = 0.5
[configs.other]
file = "other.json"
[defaults]
config = "main"
[keys.bot]
key = "x"
config = "other"
allow_config_override = false
"""
    document = read_document(text, "lockgate.toml")
    assert document.configs["main"].text == b'{"retry":{"attempts":2},"targets":[{"provider":"@a","weight":0.5}]}'
    assert (document.configs["other"].file, document.configs["other"].text) == ("other.json", b"")
    assert document.defaults.config == "main"
    assert (document.keys["bot"].config, document.keys["bot"].allow_config_override) == ("other", False)
