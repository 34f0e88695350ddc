from lockgate.admin.state.apply import ids_of
from tests.unit.admin.catalog_plane import make_integration


def test_ids_by_part_and_name(plane):
    make_integration(plane, "service", slug="own")
    with plane.directory.read() as view:
        ids = ids_of(view)
    assert ids["workspaces", (plane.home.slug,)] == plane.home.id
    assert ids["keys", ("", "admin")] == plane.keys["admin"].id
    assert ids["keys", (plane.home.slug, "service")] == plane.keys["service"].id
    assert ids["providers", (plane.home.slug, "own")] == plane.ok("GET", "/providers/own")["id"]
    assert ids["integrations", ("own",)] == plane.ok("GET", "/integrations/own")["id"]


def test_two_of_one_name_are_known_by_their_ids_too(plane):
    made = [plane.ok("POST", "/api-keys/workspace/service", "service", json={"name": "same"})["id"] for _ in range(2)]
    with plane.directory.read() as view:
        ids = ids_of(view)
    assert [ids["keys", (plane.home.slug, "same", id)] for id in made] == made
    assert ("keys", (plane.home.slug, "same")) not in ids
