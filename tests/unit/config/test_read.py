import pytest

from lockgate.config import read_document
from lockgate.errors import ConfigError


@pytest.mark.parametrize(
    "text, message",
    [
        ("[server]\nport = 1\nfoo = 2\n", "lockgate.toml:3: server.foo: unknown key; known here: drain_s, host, open"),
        ('[server]\nport = "x"\n', "lockgate.toml:2: server.port: expected `int`, got `str`"),
        ("[server]\nport = 70000\n", "lockgate.toml:2: server.port: expected `int` <= 65535"),
        ("\na = \n", "lockgate.toml:2: not valid TOML"),
        ('[providers.x]\ntype = "a"\n\napikey = "s"\n', "lockgate.toml:4: providers.x.apikey: unknown key"),
        ("[providers.x]\n", "lockgate.toml:1: providers.x: object missing required field `type`"),
        (
            '[providers.x]\ntype="a"\n[providers.x.timeouts]\nidle = 3\n',
            "lockgate.toml:4: providers.x.timeouts.idle: unknown key; known here: connect_s",
        ),
        (
            '[providers.x]\ntype="a"\n[providers.x.timeouts]\nidle_s = -3\n',
            "lockgate.toml:4: providers.x.timeouts.idle_s: expected",
        ),
        ("foo = 1", "lockgate.toml:1: foo: unknown key; known here: journal, keys, limits, models, providers"),
        ('[providers."a b"]\ntype="x"', "lockgate.toml:1: providers.a b: a name holds letters"),
        ("providers = 3", "lockgate.toml:1: providers: expected tables"),
        ('[keys.a]\nsha256 = "zz"', "lockgate.toml:2: keys.a.sha256: expected"),
        (
            '[providers.a]\ntype = "x"\nheaders = {a = 1}',
            "lockgate.toml:3: providers.a.headers: expected `str`, got `int`",
        ),
        (
            '\n[models."claude-x"]\nmax = 3',
            "lockgate.toml:3: models.claude-x.max: unknown key; known here: betas, effort",
        ),
        (
            '[models."claude-x"]\nsampling = "two"',
            "lockgate.toml:2: models.claude-x.sampling: invalid enum value 'two'",
        ),
        ('[models."claude-x"]\nmax_output = 0', "lockgate.toml:2: models.claude-x.max_output: expected `int` >= 1"),
        ('[models."a b"]', "lockgate.toml:1: models.a b: a model's id holds no space"),
        ('[models."a*b"]', "lockgate.toml:1: models.a*b: a model's id holds no space, and '*' only at its end"),
        ('[journal]\nfsync = "often"', "lockgate.toml:2: journal.fsync: invalid enum value 'often'"),
    ],
)
def test_a_fault_names_file_and_line(text, message):
    with pytest.raises(ConfigError) as caught:
        read_document(text, "lockgate.toml")
    assert str(caught.value).startswith(message)


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
