import pytest
from msgspec import structs

from lockgate.app.offline import explain_offline, missing_providers, offline_snapshot
from lockgate.entities import Config, Organisation, Workspace
from lockgate.errors import ConfigError, NotFound
from lockgate.plan.explain import described_of
from lockgate.store.configs import create_config, save_config
from lockgate.store.directory import open_directory

TOML = """
[providers.claude]
type = "anthropic"
api_key = "env:NOT_THERE"

[keys.bot]
key = "file:not/there"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lockgate.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def stored(tmp_path):
    """A database with two workspaces, and a config with two versions in the second."""
    directory = open_directory(url=None, home=tmp_path, environment={})
    with directory.change() as tx:
        organisation = tx.insert(Organisation(name="O", slug="o"))
        own = {"organisation_id": organisation.id}
        tx.insert(Workspace(name="Shared", slug="ws-shared", is_default=True, **own))
        other = tx.insert(Workspace(name="Research", slug="ws-resear", **own))
        text = '{"provider":"openai","api_key":"k"}'
        config = create_config(tx, Config(workspace_id=other.id, slug="pc-x", name="x", text=text, **own))
        save_config(tx, structs.replace(config, text='{"provider":"@claude"}'))
    directory.close()


def explained(config, snapshot, **options):
    return explain_offline(config, described_of(model="m"), None, snapshot=snapshot, **options)


def test_no_secret_is_read_and_no_database_made(file, tmp_path):
    snapshot = offline_snapshot(file, {}, tmp_path / "home")
    assert explained('{"provider":"@claude"}', snapshot).served_by.slug == "claude"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lockgate.toml"]


def test_what_is_stored_is_found_in_its_workspace(file, tmp_path, stored):
    snapshot = offline_snapshot(file, {}, tmp_path)
    found = explained("pc-x", snapshot, workspace="ws-resear")
    assert (found.version, found.target.provider) == (2, "@claude")
    assert "There is no provider @claude" in found.served_by.problem
    assert explained("pc-x@1", snapshot, workspace="ws-resear").served_by.provider == "openai"
    with pytest.raises(NotFound, match="There is no config 'pc-x'"):
        explained("pc-x", snapshot)
    with pytest.raises(NotFound, match="there are: ws-resear, ws-shared"):
        explained("pc-x", snapshot, workspace="nope")


def test_without_a_file_the_environment_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snapshot = offline_snapshot(None, {"ANTHROPIC_API_KEY": "k"}, tmp_path)
    assert sorted(snapshot.targets) == ["anthropic"]
    simulated = offline_snapshot(None, {}, tmp_path)
    assert sorted(simulated.targets) == ["anthropic", "openai"]


def test_a_wrong_file_is_told_with_its_line(file, tmp_path):
    file.write_text(TOML + "[configs.main]\nweight = -1\n")
    with pytest.raises(ConfigError, match=r"lockgate\.toml:9: configs\.main\.weight"):
        offline_snapshot(file, {}, tmp_path)
    with pytest.raises(ConfigError, match="there is no configuration file"):
        offline_snapshot(tmp_path / "x.toml", {}, tmp_path)


def test_hosts_are_judged_as_the_gateway_does(file, tmp_path):
    config = '{"provider":"openai","custom_host":"http://10.0.0.1/v1"}'
    with pytest.raises(Exception, match="invalid custom host"):
        explained(config, offline_snapshot(file, {}, tmp_path))
    file.write_text(TOML + '[server]\ntrusted_custom_hosts = ["10.0.0.1"]\n')
    assert explained(config, offline_snapshot(file, {}, tmp_path)).target.custom_host == "http://10.0.0.1/v1"


def test_providers_that_only_a_database_could_hold_are_told_with_their_lines(file, tmp_path):
    (tmp_path / "b.json").write_text('{\n"override_params": {\n"model": "@y/m"}}')
    file.write_text(
        TOML + '[configs.a]\nprovider = "@x"\n[configs.b]\nfile = "b.json"\n[configs.c]\nprovider = "@claude"\n'
    )
    what = "is neither in the file nor in the environment, so the database must have it"
    assert [str(note) for note in missing_providers(file, {})] == [
        f"{file}:9: configs.a.provider: @x {what}",
        f"{tmp_path}/b.json:3: configs.b.override_params.model: @y {what}",
    ]
