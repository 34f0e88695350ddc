import pytest

from lockgate.routing.tree import Routes
from tests.unit.admin.config_world import add_provider

ONE, TWO, THREE = ({"retry": {"attempts": number}} for number in (1, 2, 3))


@pytest.fixture
def slug(plane):
    """A config with three versions."""
    made = plane.ok("POST", "/configs", "service", json={"name": "one", "config": ONE})["slug"]
    for config, name in ((TWO, "two"), (THREE, "three")):
        plane.clock.pass_by(minutes=1)
        plane.ok("PUT", f"/configs/{made}", "service", json={"config": config, "name": name})
    return made


def routes(plane, name):
    return plane.snapshot.workspaces[plane.home.id].configs[name]


class TestVersions:
    def test_each_is_listed_whole_the_newest_first(self, plane, slug):
        listed = plane.ok("GET", f"/configs/{slug}/versions", "service")
        assert (listed["object"], listed["total"]) == ("list", 3)
        told = [(entry["version"], entry["name"], entry["config"], entry["slug"]) for entry in listed["data"]]
        assert told == [
            (3, "three", '{"retry":{"attempts":3}}', slug),
            (2, "two", '{"retry":{"attempts":2}}', slug),
            (1, "one", '{"retry":{"attempts":1}}', slug),
        ]
        assert listed["data"][0] == plane.ok("GET", f"/configs/{slug}", "service")
        page = plane.ok("GET", f"/configs/{slug}/versions?page_size=2&currentPage=1", "service")
        assert (page["total"], [entry["version"] for entry in page["data"]]) == (3, [1])

    def test_each_can_be_called(self, plane, slug):
        attempts = [routes(plane, f"{slug}@{number}").root.retry.attempts for number in (1, 2, 3)]
        assert attempts == [1, 2, 3]
        assert (routes(plane, slug).version, routes(plane, f"{slug}@1").version) == (3, 1)


class TestDiff:
    def test_between_two_versions(self, plane, slug):
        found = plane.ok("GET", f"/configs/{slug}/diff?from=1&to=3", "service")
        assert (found["from"], found["to"], found["names"], found["object"]) == (1, 3, ["one", "three"], "diff")
        assert found["changes"] == [{"path": "retry.attempts", "kind": "changed", "before": 1, "after": 3}]
        assert found["text"].splitlines()[:2] == [f"--- {slug}@1", f"+++ {slug}@3"]
        assert '-    "attempts": 1' in found["text"].splitlines()

    def test_to_the_newest_and_backwards_and_to_itself(self, plane, slug):
        assert plane.ok("GET", f"/configs/{slug}/diff?from=2", "service")["to"] == 3
        back = plane.ok("GET", f"/configs/{slug}/diff?from=3&to=1", "service")
        assert (back["changes"][0]["before"], back["changes"][0]["after"]) == (3, 1)
        same = plane.ok("GET", f"/configs/{slug}/diff?from=2&to=2", "service")
        assert (same["changes"], same["text"]) == ([], "")

    def test_the_python_sdk_is_told_the_same(self, plane, slug):
        path = f"/configs/{slug}/diff?from=1"
        headers = {"x-portkey-package-version": "portkey-2.3.4", "x-portkey-runtime": "CPython"}
        assert plane.ok("GET", path, "service", headers=headers) == plane.ok("GET", path, "service")

    @pytest.mark.parametrize("query, status", [("from=9", 404), ("from=1&to=x", 404), ("to=1", 400), ("", 400)])
    def test_what_is_not_there(self, plane, slug, query, status):
        plane.refused(status, "GET", f"/configs/{slug}/diff?{query}", "service")


class TestRestore:
    @pytest.mark.parametrize("by", ["number", "text", "id"])
    def test_an_older_version_becomes_the_newest(self, plane, slug, by):
        old = plane.ok("GET", f"/configs/{slug}?version=1", "service")
        version = {"number": 1, "text": "1", "id": old["version_id"]}[by]
        back = plane.ok("POST", f"/configs/{slug}/restore", "service", json={"version": version})
        assert (back["version"], back["config"], back["name"]) == (4, old["config"], "three")
        assert routes(plane, slug).root.retry.attempts == 1
        assert plane.ok("GET", f"/configs/{slug}/versions", "service")["total"] == 4

    def test_a_deleted_config_comes_back(self, plane, slug):
        plane.ok("DELETE", f"/configs/{slug}", "service")
        assert slug not in plane.snapshot.workspaces[plane.home.id].configs
        back = plane.ok("POST", f"/configs/{slug}/restore", "service", json={})
        assert (back["status"], back["config"]) == ("active", '{"retry":{"attempts":3}}')
        assert isinstance(routes(plane, slug), Routes)
        plane.ok("DELETE", f"/configs/{slug}", "service")
        older = plane.ok("POST", f"/configs/{slug}/restore", "service", json={"version": 1})
        assert older["config"] == '{"retry":{"attempts":1}}'

    def test_after_a_month_it_is_gone(self, plane, slug):
        plane.ok("DELETE", f"/configs/{slug}", "service")
        plane.clock.pass_by(days=31)
        refused = plane.refused(409, "POST", f"/configs/{slug}/restore", "service", json={})
        assert "30 days" in refused["message"]

    def test_without_its_secrets_it_does_not_come_back_by_itself(self, plane):
        body = {"name": "x", "config": {"provider": "openai", "api_key": "sk-canary"}}
        slug = plane.ok("POST", "/configs", "service", json=body)["slug"]
        plane.ok("PUT", f"/configs/{slug}", "service", json={"config": ONE})
        plane.ok("DELETE", f"/configs/{slug}", "service")
        refused = plane.refused(409, "POST", f"/configs/{slug}/restore", "service", json={"version": 1})
        assert "wiped" in refused["message"]
        plane.refused(404, "GET", f"/configs/{slug}", "service")
        assert plane.ok("POST", f"/configs/{slug}/restore", "service", json={"version": 2})["status"] == "active"

    def test_a_version_that_is_not_there(self, plane, slug):
        plane.refused(404, "POST", f"/configs/{slug}/restore", "service", json={"version": 9})
        plane.refused(404, "POST", "/configs/pc-none/restore", "service", json={})


class TestValidate:
    def test_a_right_config(self, plane):
        add_provider(plane, "claude")
        body = {"config": {"provider": "@claude", "cache": "semantic"}}
        assert plane.ok("POST", "/configs/validate", "service", json=body) == {
            "valid": True,
            "errors": [],
            "warnings": [{"path": "cache.mode", "message": "no semantic cache is set up; it acts as simple"}],
            "providers": ["claude"],
            "object": "validation",
        }

    def test_a_wrong_config_and_leniency(self, plane):
        body = {"config": '{"provider": "@claude", "x": 1}'}
        verdict = plane.ok("POST", "/configs/validate", "service", json=body)
        assert [(fault["path"], fault["message"].partition(";")[0]) for fault in verdict["errors"]] == [
            ("x", "unknown key")
        ]
        lenient = plane.ok("POST", "/configs/validate?lenient=1", "service", json=body)
        assert (lenient["valid"], [fault["path"] for fault in lenient["warnings"]]) == (True, ["x", "provider"])

    def test_nothing_is_written(self, plane):
        before = plane.directory.revision()
        plane.ok("POST", "/configs/validate", "service", json={"config": ONE})
        assert (plane.directory.revision(), plane.taken_over) == (before, 0)

    def test_one_of_three_scopes_is_enough(self, plane):
        for scope, status in (("configs.create", 200), ("configs.read", 200), ("configs.list", 403)):
            body = {"name": "k", "scopes": [scope]}
            key = plane.ok("POST", "/api-keys/workspace/service", json=body)["key"]
            assert plane.ask("POST", "/configs/validate", key, json={"config": ONE}).status_code == status
