from tests.unit.admin.catalog_plane import make_integration


def test_an_organisations_key_finds_what_only_another_workspace_has(plane):
    make_integration(plane, "other", slug="theirs")
    assert plane.ok("GET", "/providers/theirs")["workspace_id"] == plane.other.id
    plane.refused(404, "GET", f"/providers/theirs?workspace_id={plane.home.id}")
    plane.ok("PUT", "/providers/theirs", json={"note": "n"})


def test_a_change_of_an_old_version_is_refused(plane):
    make_integration(plane, "service", slug="p")
    etag = plane.ask("GET", "/providers/p").headers["etag"]
    assert plane.ask("PUT", "/providers/p", json={"note": "n"}, headers={"if-match": etag}).headers["etag"] != etag
    for method in ("PUT", "DELETE"):
        plane.refused(412, method, "/providers/p", json={"note": "m"}, headers={"if-match": etag})


def test_a_disabled_provider_is_not_there_for_callers(plane):
    make_integration(plane, "service", slug="p")
    plane.ok("PUT", "/providers/p", json={"status": "disabled"})
    assert "p" not in plane.snapshot.workspaces[plane.home.id].targets
    assert plane.ok("GET", "/providers/p")["status"] == "disabled"
    plane.ok("PUT", "/providers/p", json={"status": "active"})
    assert "p" in plane.snapshot.workspaces[plane.home.id].targets
