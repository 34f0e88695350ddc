import msgspec
import pytest

from lockgate.entities import Config
from lockgate.routing.tree import Routes
from tests.unit.admin.config_world import CLAUDE, add_provider, declare

PLAIN = {"retry": {"attempts": 2}}


def make(plane, key="service", **body):
    return plane.ok("POST", "/configs", key, json={"name": "claude with fallback", "config": PLAIN} | body)


def saved(plane, slug, key="service", **query):
    return plane.ok("GET", f"/configs/{slug}", key, params=query)


class TestCreate:
    def test_the_documented_answer(self, plane):
        made = make(plane)
        assert made["slug"].startswith("pc-claude-")
        assert made == {
            "id": made["id"], "version_id": made["version_id"], "slug": made["slug"], "version": 1, "warnings": [],
            "object": "config",
        }  # fmt: skip

    def test_it_serves_at_once(self, plane):
        made = make(plane)
        routes = plane.snapshot.workspaces[plane.home.id].configs[made["slug"]]
        assert isinstance(routes, Routes)
        assert (routes.id, routes.version, routes.root.retry.attempts) == (made["slug"], 1, 2)
        assert made["slug"] not in plane.snapshot.workspaces[plane.other.id].configs

    @pytest.mark.parametrize("config", ['{"retry": {"attempts": 2}}', '{"retry":{"attempts":2},\n "name": "ü"}'])
    def test_text_is_kept_as_it_is(self, plane, config):
        assert saved(plane, make(plane, config=config)["slug"])["config"] == config

    def test_an_object_keeps_the_order_of_its_keys(self, plane):
        config = {"retry": {"attempts": 1}, "override_params": {"z": 1, "a": {"camelCase": None, "": []}}}
        slug = make(plane, config=config)["slug"]
        assert saved(plane, slug)["config"] == msgspec.json.encode(config).decode()

    def test_the_workspace_is_the_callers_or_the_named_one(self, plane):
        assert saved(plane, make(plane)["slug"])["workspace_id"] == plane.home.id
        assert saved(plane, make(plane, "other")["slug"], "other")["workspace_id"] == plane.other.id
        named = make(plane, "admin", workspace_id=plane.other.slug)
        assert saved(plane, named["slug"], "other")["workspace_id"] == plane.other.id
        plane.refused(403, "POST", "/configs", "service", json={"name": "x", "config": PLAIN, "workspace_id": "ws-x"})

    def test_slugs_differ_though_names_are_the_same(self, plane):
        assert len({make(plane)["slug"] for _ in range(5)}) == 5


class TestValidation:
    @pytest.mark.parametrize(
        "config, paths",
        [
            ({}, ["provider"]),
            ({"retries": 1, "retry": {"attempts": 1}}, ["retries"]),
            ({"retry": {"attempts": 6.5}}, ["retry.attempts"]),
            ({"strategy": {"mode": "best"}, "targets": [PLAIN]}, ["strategy.mode"]),
            (
                {"strategy": {"mode": "fallback"}, "targets": [PLAIN, {"weight": -1, "provider": "@x"}, {"a": 1}]},
                ["targets.1.weight", "targets.2.a"],
            ),
            ({"provider": "@nobody"}, ["provider"]),
            (
                {"strategy": {"mode": "fallback"}, "targets": [{"virtual_key": "a"}, {"provider": "@b"}]},
                ["targets.0.virtual_key", "targets.1.provider"],
            ),
            ({"override_params": {"model": "@nobody/claude"}}, ["override_params.model"]),
            ({"prompt_id": "pp-x"}, ["prompt_id"]),
            ({"provider": "@nobody", "prompt_id": "pp-x"}, ["provider", "prompt_id"]),
            ({**PLAIN, "input_guardrails": ["pg-1"]}, ["input_guardrails"]),
            ({**PLAIN, "after_request_hooks": [{"id": "x"}]}, ["after_request_hooks"]),
            ({"provider": "openai", "custom_host": "http://127.0.0.1:9"}, ["custom_host"]),
            ({"provider": "openai", "api_key": "*****"}, ["api_key"]),
            (
                {
                    "strategy": {"mode": "conditional", "conditions": [{"query": {"x.y": 1}, "then": "a"}], "default": "b"},
                    "targets": [{"name": "a", **PLAIN}],
                },
                ["strategy.default"],
            ),
            ("{", [""]),
            ("[]", [""]),
            ("", [""]),
        ],
    )  # fmt: skip
    def test_each_fault_is_told_with_its_path_and_nothing_is_saved(self, plane, config, paths):
        before = plane.directory.revision()
        refused = plane.refused(400, "POST", "/configs", "service", json={"name": "x", "config": config})
        assert [error.partition(",")[0] for error in refused["errors"]] == [f"path: {path}" for path in paths]
        assert refused["message"].startswith("Invalid config passed: ")
        assert refused["error"]["code"] == "AB01"
        verdict = plane.ok("POST", "/configs/validate", "service", json={"config": config})
        assert (verdict["valid"], [error["path"] for error in verdict["errors"]]) == (False, paths)
        made = plane.save_config("pc-1")
        plane.refused(400, "PUT", f"/configs/{made.slug}", "service", json={"config": config})
        assert plane.directory.revision() == before + 1

    def test_what_acts_as_another_number_is_warned_of(self, plane):
        config = {**PLAIN, "cache": {"mode": "simple", "max_age": 5}, "retry": {"attempts": 50}}
        made = plane.ok("POST", "/configs", "service", json={"name": "x", "config": config})
        assert made["warnings"] == [
            "path: retry.attempts, message: 50 is out of range, 5 is used",
            "path: cache.max_age, message: 5 is out of range, 60 is used",
        ]
        verdict = plane.ok("POST", "/configs/validate", "service", json={"config": config})
        assert (verdict["valid"], [one["path"] for one in verdict["warnings"]]) == (
            True,
            ["retry.attempts", "cache.max_age"],
        )

    def test_a_malformed_query_is_refused_with_its_path(self, plane):
        conditions = [{"query": {"metadata.x": {"$wrong": 1}}, "then": "a"}]
        config = {
            "strategy": {"mode": "conditional", "conditions": conditions, "default": "a"},
            "targets": [{"name": "a", **PLAIN}],
        }
        refused = plane.refused(400, "POST", "/configs", "service", json={"name": "x", "config": config})
        assert refused["errors"][0].startswith("path: strategy.conditions.0.query, message: ")

    @pytest.mark.parametrize(
        "body",
        [
            {"config": PLAIN},
            {"name": "x"},
            {"name": "", "config": PLAIN},
            {"name": "x", "config": None},
            {"name": "x", "config": []},
            {"name": "x", "config": 3},
            {"name": "x", "config": PLAIN, "is_default": "maybe"},
        ],
    )
    def test_a_body_that_is_no_config_is_refused(self, plane, body):
        plane.refused(400, "POST", "/configs", "service", json=body)

    def test_a_config_that_nests_too_deep_is_refused(self, plane):
        for depth in (260, 300, 600, 5000):
            body = b'{"name":"x","config":' + b'{"override_params":' * depth + b"1" + b"}" * depth + b"}"
            plane.refused(400, "POST", "/configs", "service", content=body)

    def test_unknown_things_pass_with_a_warning_when_lenient(self, plane):
        config = {"provider": "@later", "future": True, "cache": {"mode": "simple", "max_age": 1}}
        made = plane.ok("POST", "/configs?lenient=true", "service", json={"name": "x", "config": config})
        assert [warning.partition(",")[0] for warning in made["warnings"]] == [
            "path: future",
            "path: cache.max_age",
            "path: provider",
        ]
        assert isinstance(plane.snapshot.workspaces[plane.home.id].configs[made["slug"]], Routes)
        plane.refused(400, "PUT", f"/configs/{made['slug']}", "service", json={"config": config})
        changed = plane.ok("PUT", f"/configs/{made['slug']}?lenient=True", "service", json={"config": config})
        assert changed["version"] == 1

    @pytest.mark.parametrize(
        "config", [{"input_guardrails": ["g"], **PLAIN}, {"strategy": {"mode": "x"}, "targets": []}]
    )
    def test_what_would_not_run_is_refused_even_when_lenient(self, plane, config):
        plane.refused(400, "POST", "/configs?lenient=true", "service", json={"name": "x", "config": config})

    def test_a_provider_of_the_workspace_may_be_named_in_every_way(self, plane):
        add_provider(plane)
        config = {
            "strategy": {"mode": "fallback"},
            "targets": [
                {"provider": f"@{CLAUDE}"},
                {"virtual_key": CLAUDE},
                {"override_params": {"model": f"@{CLAUDE}/claude-x"}},
            ],
        }
        slug = make(plane, config=config)["slug"]
        with plane.directory.read() as view:
            assert view.get(Config, slug).providers == (CLAUDE,)
        verdict = plane.ok("POST", "/configs/validate", "service", json={"config": config})
        assert (verdict["valid"], verdict["providers"], verdict["warnings"]) == (True, [CLAUDE], [])
        body = {"name": "x", "config": config, "workspace_id": plane.other.slug}
        assert len(plane.refused(400, "POST", "/configs", json=body)["errors"]) == 3


class TestRead:
    def test_the_documented_shape(self, plane):
        made = make(plane)
        assert saved(plane, made["slug"]) == saved(plane, made["id"]) == {
            "id": made["id"],
            "name": "claude with fallback",
            "slug": made["slug"],
            "workspace_id": plane.home.id,
            "organisation_id": plane.organisation.id,
            "is_default": 0,
            "status": "active",
            "owner_id": plane.keys["service"].id,
            "updated_by": plane.keys["service"].id,
            "created_at": "2026-08-21T09:30:00.000Z",
            "last_updated_at": "2026-08-21T09:30:00.000Z",
            "version_id": made["version_id"],
            "version": 1,
            "creation_source": "api",
            "format": "json",
            "type": "ORG_CONFIG",
            "object": "config",
            "config": '{"retry":{"attempts":2}}',
        }  # fmt: skip

    def test_secrets_are_shown_to_readers_and_to_nobody_else(self, plane):
        config = {"provider": "openai", "api_key": "sk-canary-0123456789"}
        made = make(plane, config=config)
        assert "sk-canary" in saved(plane, made["slug"])["config"]
        assert "sk-canary" not in plane.ask("GET", "/configs", "service").text
        assert "sk-canary" not in plane.ask("GET", "/audit-logs").text

    def test_other_workspaces_see_nothing(self, plane):
        made = make(plane)
        path = f"/configs/{made['slug']}"
        assert plane.ok("GET", "/configs", "other")["data"] == []
        for method, rest, body in (
            ("GET", "", None), ("PUT", "", {"name": "x"}), ("DELETE", "", None), ("GET", "/versions", None),
            ("GET", "/diff?from=1", None), ("POST", "/restore", {}), ("GET", "/usages", None),
        ):  # fmt: skip
            plane.refused(404, method, path + rest, "other", json=body)

    @pytest.mark.parametrize("slug", ["pc-none", "x%00y", "ü", "a b", "@", "pc-1@1"])
    def test_what_is_not_there_is_not_found(self, plane, slug):
        plane.refused(404, "GET", f"/configs/{slug}", "service")

    def test_an_older_version(self, plane):
        made = make(plane)
        path = f"/configs/{made['slug']}"
        plane.clock.pass_by(minutes=1)
        changed = plane.ok("PUT", path, "admin", json={"name": "new", "config": {"retry": {"attempts": 3}}})
        assert changed == {"version_id": changed["version_id"], "version": 2, "warnings": [], "object": "config"}
        newest = saved(plane, made["slug"])
        assert (newest["name"], newest["version_id"], newest["config"]) == (
            "new", changed["version_id"], '{"retry":{"attempts":3}}',
        )  # fmt: skip
        assert newest["last_updated_at"] == "2026-08-21T09:31:00.000Z"
        assert saved(plane, made["slug"], version="2") == newest
        for version in ("1", made["version_id"]):
            old = saved(plane, made["slug"], version=version)
            assert (old["name"], old["version"], old["version_id"]) == ("claude with fallback", 1, made["version_id"])
            assert (old["config"], old["updated_by"]) == ('{"retry":{"attempts":2}}', plane.keys["service"].id)
        plane.refused(404, "GET", path, "service", params={"version": "3"})


class TestList:
    def test_configs_of_the_workspace_the_newest_first(self, plane):
        slugs = []
        for name in ("one", "two", "three"):
            plane.clock.pass_by(seconds=1)
            slugs.append(make(plane, name=name)["slug"])
        make(plane, "other")
        listed = plane.ok("GET", "/configs", "service")
        assert (listed["object"], listed["total"]) == ("list", 3)
        assert [entry["slug"] for entry in listed["data"]] == slugs[::-1]
        assert all("config" not in entry for entry in listed["data"])
        assert plane.ok("GET", "/configs", params={"workspace_id": plane.other.slug})["total"] == 1
        assert plane.ok("GET", "/configs", params={"search": "TWO"})["data"][0]["name"] == "two"
        page = plane.ok("GET", "/configs", params={"page_size": 2, "current_page": 1})
        assert (page["total"], [entry["slug"] for entry in page["data"]]) == (3, slugs[:1])


class TestUpdate:
    def test_what_is_the_same_makes_no_version(self, plane):
        made = make(plane)
        path = f"/configs/{made['slug']}"
        for body in (
            {},
            {"config": PLAIN},
            {"slug": made["slug"], "name": "claude with fallback"},
            {"status": "active"},
        ):
            assert plane.ok("PUT", path, "service", json=body)["version_id"] == made["version_id"]

    def test_a_version_that_is_not_the_newest_is_refused(self, plane):
        made = make(plane)
        path = f"/configs/{made['slug']}"
        etag = plane.ask("GET", path, "service").headers["etag"]
        assert etag == '"1"'
        answer = plane.ask("PUT", path, "service", json={"name": "a"}, headers={"if-match": etag})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
        for stale in ('"1"', f'"{made["version_id"]}"'):
            plane.refused(412, "PUT", path, "service", json={"name": "b"}, headers={"if-match": stale})
            plane.refused(412, "DELETE", path, "service", headers={"if-match": stale})
            plane.refused(412, "POST", path + "/restore", "service", json={"version": 1}, headers={"if-match": stale})
        newest = answer.json()["version_id"]
        plane.ok("PUT", path, "service", json={"name": "c"}, headers={"if-match": f'"{newest}"'})

    def test_archiving_deletes(self, plane):
        made = make(plane)
        plane.ok("PUT", f"/configs/{made['slug']}", "service", json={"status": "archived"})
        plane.refused(404, "GET", f"/configs/{made['slug']}", "service")
        assert made["slug"] not in plane.snapshot.workspaces[plane.home.id].configs


class TestDefault:
    def test_a_default_routes_the_workspace_and_there_is_one_at_most(self, plane):
        first, second = make(plane, is_default=1), make(plane)
        assert plane.snapshot.workspaces[plane.home.id].config_id == first["slug"]
        assert saved(plane, first["slug"])["is_default"] == 1
        plane.ok("PUT", f"/configs/{second['slug']}", "service", json={"isDefault": True})
        flags = {entry["slug"]: entry["is_default"] for entry in plane.ok("GET", "/configs", "service")["data"]}
        assert flags == {first["slug"]: 0, second["slug"]: 1}
        plane.ok("PUT", f"/configs/{first['slug']}", "service", json={"is_default": 0})
        assert plane.snapshot.workspaces[plane.home.id].config_id == second["slug"]
        plane.ok("PUT", f"/configs/{second['slug']}", "service", json={"is_default": 0})
        assert plane.snapshot.workspaces[plane.home.id].config_id is None


class TestDelete:
    def test_a_config_in_use_stays_and_the_refusal_names_the_users(self, plane):
        made = make(plane, is_default=1)
        path = f"/configs/{made['slug']}"
        body = {"name": "bot", "defaults": {"config_id": made["slug"]}}
        key = plane.ok("POST", "/api-keys/workspace/service", "service", json=body)
        refused = plane.refused(409, "DELETE", path, "service")
        assert "the API key 'bot' and the workspace" in refused["message"]
        usages = plane.ok("GET", path + "/usages", "service")
        assert [(one["id"], one["object"]) for one in usages["data"]] == [
            (key["id"], "api_key"),
            (plane.home.id, "workspace"),
        ]
        plane.refused(409, "PUT", path, "service", json={"status": "archived"})
        assert saved(plane, made["slug"])["status"] == "active"
        plane.ok("PUT", path, "service", json={"is_default": 0})
        plane.ok("DELETE", f"/api-keys/{key['id']}", "service")
        assert plane.ok("DELETE", path, "service") == {}
        plane.refused(404, "GET", path, "service")

    def test_a_key_needs_a_config_that_is_there(self, plane):
        theirs = make(plane, "other")
        for name in ("pc-none", theirs["slug"]):
            body = {"name": "bot", "defaults": {"config_id": name}}
            refused = plane.refused(400, "POST", "/api-keys/workspace/service", "service", json=body)
            assert f"there is no config '{name}'" in refused["message"]
            assert refused["error"]["param"] == "defaults.config_id"

    @pytest.mark.parametrize(
        "path, body, param",
        [
            ("/admin/workspaces/{home}", {"defaults": {"config_id": "pc-none"}}, "defaults.config_id"),
            (
                "/admin/workspaces/{home}",
                {"defaults": {"user_api_key_config": "pc-none"}},
                "defaults.user_api_key_config",
            ),
            ("/admin/organisation/defaults", {"config_id": "pc-none"}, "config_id"),
        ],
    )
    def test_so_does_everybody_whose_default_it_is(self, plane, path, body, param):
        refused = plane.refused(400, "PUT", path.format(home=plane.home.slug), json=body)
        assert refused["error"]["param"] == param
        assert refused["message"].startswith(f"{param}: there is no config 'pc-none' in the workspace")
        assert refused["message"].endswith("; make it first, or leave it out")


class TestScopes:
    @pytest.mark.parametrize(
        "scope, method, path, body",
        [
            ("configs.create", "POST", "/configs", {"name": "x", "config": PLAIN}),
            ("configs.list", "GET", "/configs", None),
            ("configs.read", "GET", "/configs/pc-1", None),
            ("configs.read", "GET", "/configs/pc-1/versions", None),
            ("configs.read", "GET", "/configs/pc-1/diff?from=1", None),
            ("configs.update", "PUT", "/configs/pc-1", {"name": "y"}),
            ("configs.update", "POST", "/configs/pc-1/restore", {"version": 1}),
            ("configs.delete", "DELETE", "/configs/pc-1", None),
        ],
    )
    def test_each_operation_needs_its_scope(self, plane, scope, method, path, body):
        plane.save_config("pc-1")
        rest = [f"configs.{action}" for action in ("create", "list", "read", "update", "delete")]
        rest.remove(scope)
        keys = [
            plane.ok("POST", "/api-keys/workspace/service", json={"name": "k", "scopes": scopes})["key"]
            for scopes in (rest, [scope])
        ]
        assert scope in plane.refused(403, method, path, keys[0], json=body)["message"]
        plane.ok(method, path, keys[1], json=body)


class TestTheFile:
    """What the configuration file holds is shown, and changed there only."""

    @pytest.fixture
    def plane(self, plane):
        declare(plane, '[configs.main]\nprovider = "openai"\napi_key = "sk-canary"\n[defaults]\nconfig = "main"\n')
        return plane

    def test_it_is_shown_without_secrets(self, plane):
        shown = saved(plane, "main")
        assert (shown["creation_source"], shown["version"], shown["version_id"]) == ("file", 0, None)
        assert (shown["workspace_id"], shown["is_default"]) == (plane.home.id, 1)
        assert shown["config"] == '{"provider":"openai","api_key":"*****"}'

    def test_it_is_listed_behind_the_stored_ones(self, plane):
        slugs = [make(plane)["slug"] for _ in range(3)]
        listed = plane.ok("GET", "/configs", "service")
        assert (listed["total"], listed["data"][-1]["slug"]) == (4, "main")
        found = [
            entry["slug"]
            for page in range(4)
            for entry in plane.ok("GET", "/configs", "service", params={"page_size": 2, "current_page": page})["data"]
        ]
        assert sorted(found) == sorted([*slugs, "main"])
        assert plane.ok("GET", "/configs", "service", params={"search": "mai"})["total"] == 1

    def test_it_is_not_changed(self, plane):
        for method, rest, body in (
            ("PUT", "", {"name": "x"}), ("DELETE", "", None), ("POST", "/restore", {"version": 1}),
            ("GET", "/versions", None), ("GET", "/diff?from=1", None), ("GET", "/usages", None),
        ):  # fmt: skip
            refused = plane.refused(409, method, "/configs/main" + rest, "service", json=body)
            assert "configuration file" in refused["message"]
        plane.refused(404, "GET", "/configs/main?version=1", "service")

    def test_other_workspaces_do_not_see_it(self, plane):
        plane.refused(404, "GET", "/configs/main", "other")
        plane.refused(404, "PUT", "/configs/main", "other", json={"name": "x"})
        assert plane.ok("GET", "/configs", "other")["total"] == 0

    def test_a_key_may_have_it_by_default(self, plane):
        body = {"name": "bot", "defaults": {"config_id": "main"}}
        plane.ok("POST", "/api-keys/workspace/service", "service", json=body)
