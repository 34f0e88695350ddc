import pytest
from msgspec import structs

from lockgate.entities import ApiKey, Workspace
from tests.unit.records.rows import row

US = 1_000_000


@pytest.fixture(autouse=True)
def rows(plane):
    now = int(plane.clock.now.timestamp()) * US
    plane.desk.store.append(
        [
            row(1, started_us=now - US, workspace_id=plane.home.id, api_key_id=plane.keys["service"].id),
            row(2, started_us=now - US, workspace_id=plane.home.id, api_key_id=plane.keys["user"].id),
            row(3, started_us=now - US, workspace_id=plane.other.id, api_key_id=plane.keys["other"].id),
        ]
    )


def seen(plane, key, query=""):
    return {each["id"] for each in plane.ok("GET", f"/logs{query}", key=key)["data"]}


def switch(plane, **switches):
    with plane.directory.change() as tx:
        workspace = tx.get(Workspace, plane.home.id)
        tx.update(structs.replace(workspace, security_settings={**workspace.security_settings, **switches}))


def test_a_key_of_the_organisation_names_one_several_or_all(plane):
    assert seen(plane, "admin") == {"rec_1", "rec_2"}
    assert seen(plane, "admin", f"?workspace_id={plane.other.slug}") == {"rec_3"}
    both = f"?workspace_id={plane.other.slug},{plane.home.id}"
    assert seen(plane, "admin", both) == seen(plane, "admin", "?workspace_id=*") == {"rec_1", "rec_2", "rec_3"}
    plane.refused(403, "GET", f"/logs?workspace_id={plane.other.slug},nowhere")


@pytest.mark.parametrize("name", ["*", "nowhere", "ws-resear-1f0c3a", "ws-shared-000001,ws-resear-1f0c3a"])
def test_a_key_of_a_workspace_names_no_other_one(plane, name):
    plane.refused(403, "GET", f"/logs?workspace_id={name}", "service")


def test_people_see_all_of_their_workspace_unless_it_says_own_data_only(plane):
    assert seen(plane, "user") == {"rec_1", "rec_2"}
    switch(plane, membersViewAllData=False)
    assert seen(plane, "user") == {"rec_2"}
    assert plane.ask("GET", "/logs/rec_1", "user").status_code == 404
    assert seen(plane, "service") == {"rec_1", "rec_2"}


def test_own_data_is_decided_by_the_role(plane):
    switch(plane, membersViewAllData=False)
    plane.promote("manager")
    assert seen(plane, "user") == {"rec_1", "rec_2"}
    switch(plane, managersViewAllData=False)
    assert seen(plane, "user") == {"rec_2"}
    plane.promote("admin")
    assert seen(plane, "user") == {"rec_1", "rec_2"}


def test_own_data_are_those_of_all_ones_keys(plane):
    switch(plane, membersViewAllData=False)
    with plane.directory.change() as tx:
        old = tx.get(ApiKey, plane.keys["user"].id)
        second = tx.insert(
            ApiKey(
                name="second", kind="workspace-user", user_id=old.user_id, workspace_id=old.workspace_id,
                organisation_id=old.organisation_id, texts=(structs.replace(old.texts[0], digest="0" * 64),),
            )
        )  # fmt: skip
    at = int(plane.clock.now.timestamp()) * US
    plane.desk.store.append([row(4, started_us=at, workspace_id=plane.home.id, api_key_id=second.id)])
    assert seen(plane, "user") == {"rec_2", "rec_4"}
