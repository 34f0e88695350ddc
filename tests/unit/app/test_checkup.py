import pytest

from lockgate.app.checkup import check_all
from lockgate.entities import Integration, Organisation, ProviderRecord, Workspace
from lockgate.errors import ConfigError, ConfigFaults
from lockgate.store.directory import open_directory

GOOD = """
[providers.claude]
type = "anthropic"
api_key = "k"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path


def look(folder, text, environment=None, **options):
    path = folder / "lockgate.toml"
    path.write_text(text)
    return check_all(path, environment or {}, folder / "home", **options)


def faults_of(folder, text, environment=None, **options):
    with pytest.raises(ConfigError) as caught:
        look(folder, text, environment, **options)
    error = caught.value
    found = error.faults if isinstance(error, ConfigFaults) else [error]
    return [str(fault).removeprefix(f"{folder}/") for fault in found]


def test_a_right_file_and_a_database_that_is_not_made_yet(folder):
    found = look(folder, GOOD)
    assert list(found.document.providers) == ["claude"]
    assert (found.notes, found.database) == (
        [],
        f"The database sqlite:///{folder}/home/lockgate.db is made at the first start.",
    )
    assert not (folder / "home" / "lockgate.db").exists()
    assert look(folder, GOOD, is_offline=True).database is None


def test_all_faults_of_reading_are_told_with_their_lines(folder):
    text = """
[server]
prot = 1
[providers.a]
type = "anthropic"
api_kee = "k"
[keys.b]
usage_limits = { type = "cost", credit_limit = "x" }
[limits]
body_bytes = -1
"""
    assert faults_of(folder, text) == [
        "lockgate.toml:6: providers.a.api_kee: unknown key; did you mean api_key? known here: allow_custom_host, api_key, "
        "base_url, headers, models, rate_limits, timeouts, type, usage_limits",
        "lockgate.toml:8: keys.b.usage_limits.credit_limit: expected a number, got text",
        "lockgate.toml:3: server.prot: unknown key; did you mean port? known here: " + known_of_server(),
        "lockgate.toml:10: limits.body_bytes: must be at least 1",
    ]


def known_of_server():
    from lockgate.config.document import ServerSettings

    return ", ".join(sorted(ServerSettings.__struct_fields__))


def test_all_faults_of_compiling_are_told_and_those_of_environment_and_database_too(folder):
    text = """
[database]
url = "sqlite:////nowhere/at/all.db"
[providers.a]
type = "antropic"
[providers.b]
type = "openai"
api_key = "env:NOT_SET"
[keys.c]
key = "x"
scopes = ["completions.wrte"]
"""
    environment = {"LOCKGATE_API_KEY": "same", "LOCKGATE_ADMIN_KEY": "same"}
    found = faults_of(folder, text, environment)
    assert [fault.split(": ")[0] for fault in found[:3]] == ["lockgate.toml:5", "lockgate.toml:8", "lockgate.toml:11"]
    assert found[3] == "LOCKGATE_API_KEY and LOCKGATE_ADMIN_KEY hold the same text; give each its own"
    # the document was not right, so only its own part of it can be judged
    assert len(found) == 4
    right = '[database]\nurl = "sqlite:////nowhere/at/all.db"\n'
    assert faults_of(folder, right) == ["database.url: there is no folder /nowhere/at for sqlite:////nowhere/at/all.db"]
    assert look(folder, right, is_offline=True).database is None


def test_addresses_of_servers_and_who_is_served_are_looked_at_with_their_lines(folder):
    text = """
[server]
host = "0.0.0.0"
open = true
[counters]
url = "localhost:6379"
[cache]
url = "http://x"
"""
    what = "expected redis://HOST:PORT/0, rediss://HOST:PORT/0 or unix:///PATH"
    assert sorted(faults_of(folder, text)) == [
        "lockgate.toml:4: server.open: it serves anybody without a key, so it needs a loopback host, not 0.0.0.0",
        f"lockgate.toml:6: counters.url: {what}",
        f"lockgate.toml:8: cache.url: {what}",
    ]


def test_two_keys_of_one_text_are_refused(folder):
    text = '[keys.a]\nkey = "x"\n[keys.b]\nkey = "x"\n'
    assert faults_of(folder, text) == ["lockgate.toml:3: keys.b: has the same text as keys.a; give each key its own"]
    told = faults_of(folder, '[keys.a]\nkey = "x"\n', {"LOCKGATE_ADMIN_KEY": "x"})
    assert "the same text as the environment variable LOCKGATE_ADMIN_KEY" in told[0]
    # the key of the environment may be declared, to give it limits
    assert look(folder, '[keys.a]\nkey = "x"\n', {"LOCKGATE_API_KEY": "x"}).notes == []


class TestProvidersOfKeys:
    TEXT = GOOD + '[keys.a]\nkey = "x"\nproviders = ["claude", "openai", "stored"]\n'

    def test_one_that_is_nowhere_is_a_fault(self, folder):
        assert faults_of(folder, self.TEXT) == [
            "lockgate.toml:7: keys.a.providers: there is no provider 'stored' in the file or the environment, "
            "nor in the database"
        ]

    def test_without_a_look_at_the_database_it_is_a_note(self, folder):
        (note,) = look(folder, self.TEXT, is_offline=True).notes
        assert note.endswith("'stored' in the file or the environment, so the database must have it")

    def test_one_of_the_database_is_right(self, folder):
        directory = open_directory(url=None, home=folder / "home", environment={})
        with directory.change() as tx:
            organisation = tx.insert(Organisation(name="O", slug="o"))
            own = {"organisation_id": organisation.id}
            home = tx.insert(Workspace(name="Shared", slug="ws-shared", is_default=True, **own))
            integration = tx.insert(Integration(name="i", slug="i", provider="anthropic", workspace_id=home.id, **own))
            tx.insert(
                ProviderRecord(workspace_id=home.id, integration_id=integration.id, slug="stored", name="s", **own)
            )
        directory.close()
        found = look(folder, self.TEXT)
        assert (found.notes, found.database) == ([], f"The database sqlite:///{folder}/home/lockgate.db answers.")
