from __future__ import annotations

import threading

import msgspec
import pytest

from lockgate.entities import ApiKey, Organisation, User, Workspace
from lockgate.plan.keys import digest_of
from lockgate.store.bootstrap import FirstStart, begin
from lockgate.store.directory import open_directory
from lockgate.store.state import StateFolder, StoredKey
from tests.contract.store.world import ENVIRONMENT, digest

WANTED = FirstStart(service_scopes=("completions.write",), admin_scopes=("workspaces.create",))


def test_the_first_start_makes_one_of_each(directory):
    begun = begin(directory, WANTED)
    with directory.read() as view:
        organisation, user, workspace = view.all(Organisation), view.all(User), view.all(Workspace)
        keys = {key.kind: key for key in view.all(ApiKey)}
        service = view.find_api_key(digest(begun.service_key.reveal()))
        admin = view.find_api_key(digest(begun.admin_key.reveal()))
    assert [one.id for one in organisation] == [begun.organisation_id]
    assert [(one.role, one.organisation_id) for one in user] == [("owner", begun.organisation_id)]
    assert [(one.id, one.name, one.is_default) for one in workspace] == [
        (begun.workspace_id, "Shared Team Workspace", True)
    ]
    assert keys == {"workspace-service": service, "organisation-service": admin}
    assert (service.workspace_id, service.scopes) == (begun.workspace_id, ("completions.write",))
    assert (admin.workspace_id, admin.scopes) == (None, ("workspaces.create",))


def test_a_second_start_makes_nothing(directory):
    first = begin(directory, WANTED)
    revision = directory.revision()
    assert begin(directory, WANTED) == msgspec.structs.replace(first, service_key=None, admin_key=None)
    with directory.change() as tx:
        for key in tx.all(ApiKey):
            tx.archive(key)
    assert begin(directory, WANTED).service_key is None
    assert directory.revision() == revision + 2


def test_keys_are_made_only_where_they_are_wanted(directory):
    wanted = msgspec.structs.replace(WANTED, makes_service_key=False, makes_admin_key=False)
    begun = begin(directory, wanted)
    assert (begun.service_key, begun.admin_key) == (None, None)
    assert begin(directory, WANTED).service_key is not None


def test_keys_of_an_earlier_version_are_taken_over_once(directory, tmp_path):
    folder = StateFolder(tmp_path / "home")
    for name in ("first", "second"):
        folder.add_key(StoredKey(name=name, sha256=digest_of(f"old {name}").hex(), created_at="2026-01-01T00:00:00Z"))
    begun = begin(directory, WANTED, folder)
    assert begun.service_key is None
    with directory.change() as tx:
        first, second = (tx.find_api_key(digest(f"old {name}")) for name in ("first", "second"))
        assert (first.name, first.kind, first.workspace_id) == ("first", "workspace-service", begun.workspace_id)
        assert first.scopes == ("completions.write",)
        tx.archive(second)
    assert (tmp_path / "home" / "keys.json.imported").exists()
    assert folder.stored_keys() == ()
    # a process that died before it put the file aside
    (tmp_path / "home" / "keys.json.imported").rename(tmp_path / "home" / "keys.json")
    begin(directory, WANTED, folder)
    with directory.read() as view:
        assert [key.name for key in view.all(ApiKey, kind="workspace-service")] == ["first"]


def test_several_processes_may_start_at_once(empty_url, tmp_path):
    results, failures = [], []

    def start():
        try:
            mine = open_directory(url=empty_url, home=tmp_path, environment=ENVIRONMENT)
            results.append(begin(mine, WANTED))
            mine.close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len({(one.organisation_id, one.workspace_id) for one in results}) == 1
    assert sum(one.service_key is not None for one in results) == 1
    assert sum(one.admin_key is not None for one in results) == 1


@pytest.mark.parametrize("text", ["{", '{"keys": [{}]}'])
def test_a_damaged_file_of_keys_stops_the_start(directory, tmp_path, text):
    folder = StateFolder(tmp_path / "home")
    (folder.path / "keys.json").write_text(text)
    with pytest.raises(Exception, match="is damaged"):
        begin(directory, WANTED, folder)
    assert directory.revision() == 0
