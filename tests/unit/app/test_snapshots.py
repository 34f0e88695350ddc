import asyncio

import pytest

from lockgate.admin.scopes import ORGANISATION, WORKSPACE
from lockgate.app.snapshots import Snapshots
from lockgate.config import read_document
from lockgate.core.secret import Secret
from lockgate.entities import ApiKey, Integration, ProviderRecord, Workspace
from lockgate.errors import ConfigError
from lockgate.plan.keys import digest_of
from lockgate.providers import load_providers
from lockgate.store.api_keys import issue_key
from lockgate.store.bootstrap import FirstStart, begin
from lockgate.store.config_file import ConfigFile
from lockgate.store.directory import open_directory


@pytest.fixture
def directory(tmp_path):
    directory = open_directory(url=None, home=tmp_path, environment={})
    begin(directory, FirstStart(service_scopes=(), admin_scopes=(), makes_service_key=False, makes_admin_key=False))
    yield directory
    directory.close()


def snapshots_of(directory, tmp_path, text="", **environment):
    return Snapshots(
        file=ConfigFile(tmp_path / "lockgate.toml", is_required=False),
        document=read_document(text, "t"),
        environment=environment,
        providers=load_providers(),
        directory=directory,
        trusted=frozenset(),
        simulator_url=None,
    )


def add_provider(tx, slug="claude", **more):
    workspace = tx.all(Workspace)[0]
    integration = tx.insert(
        Integration(name=slug, slug=slug, provider="anthropic", workspace_id=workspace.id, organisation_id=workspace.organisation_id, **more),
        secrets={} if more else {"key": Secret("sk-stored")},
    )  # fmt: skip
    return tx.insert(
        ProviderRecord(
            organisation_id=workspace.organisation_id,
            workspace_id=workspace.id,
            integration_id=integration.id,
            slug=slug,
            name=slug,
        )
    )


def test_a_stored_change_is_taken_over_and_published(directory, tmp_path):
    snapshots = snapshots_of(directory, tmp_path)
    published = []
    snapshots.publish = published.append
    assert not snapshots.has_news()
    with directory.change() as tx:
        add_provider(tx)
        workspace = tx.all(Workspace)[0]
        issued = issue_key(
            tx,
            ApiKey(
                organisation_id=workspace.organisation_id, workspace_id=workspace.id, name="k", kind="workspace-service"
            ),
        )
    assert snapshots.has_news()
    asyncio.run(snapshots.take_changes())
    assert published == [snapshots.current]
    assert snapshots.current.targets["claude"].secret == Secret("sk-stored")
    assert digest_of(issued.text.reveal()) in snapshots.current.keys
    asyncio.run(snapshots.take_changes())
    assert len(published) == 1


def test_what_does_not_compile_is_refused_before_it_is_kept(directory, tmp_path):
    snapshots = snapshots_of(directory, tmp_path)
    with pytest.raises(ConfigError, match="GONE is not set"):
        with directory.change() as tx:
            add_provider(tx, references={"key": "env:GONE"})
            snapshots.check(tx.estate())
    assert not snapshots.has_news()


def test_a_document_that_does_not_compile_changes_nothing(directory, tmp_path):
    snapshots = snapshots_of(directory, tmp_path, '[providers.a]\ntype = "openai"\napi_key = "k"')
    with pytest.raises(ConfigError):
        asyncio.run(snapshots.take_document(read_document('[providers.a]\ntype = "nope"', "t")))
    assert "a" in snapshots.current.targets


def test_keys_of_the_environment_may_do_what_is_theirs(directory, tmp_path):
    snapshot = snapshots_of(directory, tmp_path, LOCKGATE_API_KEY="k", LOCKGATE_ADMIN_KEY="a").current
    key, admin = snapshot.keys[digest_of("k")], snapshot.keys[digest_of("a")]
    assert (key.kind, key.scopes, key.workspace) == ("workspace-service", WORKSPACE, snapshot.default_workspace)
    assert (admin.kind, admin.scopes) == ("organisation-service", ORGANISATION)
    assert admin.organisation == key.organisation != ""
