from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json

import httpx
import pytest
from msgspec import structs

from lockgate.entities import Workspace
from lockgate.records.bodies.kept import Kept, View
from lockgate.records.exports.export import PartLimits
from tests.unit.records.rows import row

US = 1_000_000


@pytest.fixture(autouse=True)
def rows(plane):
    now = int(plane.clock.now.timestamp()) * US
    plane.desk.now_us = now
    mine = {"workspace_id": plane.home.id, "model": "claude-a", "provider": "anthropic"}
    plane.desk.store.append(
        [
            row(1, started_us=now - 60 * US, api_key_id=plane.keys["service"].id, metadata={"team": "a"}, **mine),
            row(2, started_us=now - 50 * US, api_key_id=plane.keys["user"].id, status_code=500, **mine),
            row(3, started_us=now - 40 * US, workspace_id=plane.other.id, model="theirs"),
        ]
    )


def make(plane, key="service", **body):
    return plane.ok("POST", "/logs/exports", key, json=body)["id"]


def finish(plane, id, key="service"):
    """Start a job, do it, return it."""
    plane.ok("POST", f"/logs/exports/{id}/start", key)
    plane.desk.exports.work()
    return plane.ok("GET", f"/logs/exports/{id}", key)


def fetched(plane, id, key="service"):
    link = plane.ok("GET", f"/logs/exports/{id}/download", key)
    url = httpx.URL(link["signed_url"])
    answer = plane.ask("GET", f"{url.path}?{url.query.decode()}", None)
    assert answer.status_code == 200, answer.text
    assert len(answer.content) == link["size_bytes"] == int(answer.headers["content-length"])
    return answer.content


def test_from_draft_to_file(plane):
    made = plane.ok(
        "POST", "/logs/exports", "service",
        json={"filters": {"status_code": "200"}, "requested_data": ["id", "cost", "metadata"], "description": "mine"},
    )  # fmt: skip
    assert (made["total"], made["object"]) == (1, "export")
    shown = plane.ok("GET", f"/logs/exports/{made['id']}", "service")
    assert (shown["status"], shown["filters"], shown["requested_data"], shown["description"]) == (
        "draft", {"status_code": "200"}, ["id", "cost", "metadata"], "mine",
    )  # fmt: skip
    assert shown["workspace_id"] == plane.home.id
    plane.refused(400, "GET", f"/logs/exports/{made['id']}/download", "service")
    plane.ok("POST", f"/logs/exports/{made['id']}/start", "service")
    assert plane.ok("GET", f"/logs/exports/{made['id']}", "service")["status"] == "in_progress"
    plane.desk.exports.work()
    done = plane.ok("GET", f"/logs/exports/{made['id']}", "service")
    assert (done["status"], done["total_records"], done["exported_records"], done["error"]) == ("success", 1, 1, None)
    assert [json.loads(line) for line in fetched(plane, made["id"]).splitlines()] == [
        {"id": "rec_1", "cost": 1e-7, "metadata": {"team": "a"}}
    ]


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_other_formats(plane, form, tmp_path):
    id = make(plane, format=form.partition(".")[0], gzip=form.endswith("gz"), requested_data=["id", "status_code"])
    assert finish(plane, id)["status"] == "success"
    data = fetched(plane, id)
    if form == "parquet":
        import duckdb

        (tmp_path / "x.parquet").write_bytes(data)
        found = duckdb.sql(f"SELECT id, status_code FROM '{tmp_path}/x.parquet' ORDER BY id").fetchall()
        assert found == [("rec_1", 200), ("rec_2", 500)]
        return
    text = (gzip.decompress(data) if form.endswith("gz") else data).decode()
    assert list(csv.reader(io.StringIO(text))) == [["id", "status_code"], ["rec_1", "200"], ["rec_2", "500"]]


def test_bodies_are_exported_to_who_may_see_them(plane):
    view = View(name="request", data=b'{"model": "x"}', size_bytes=14)
    at = int(plane.clock.now.timestamp()) * US - 60 * US
    plane.desk.bodies.put([Kept(record_id="rec_1", started_us=at, workspace_id=plane.home.id, views=(view,))])
    id = make(plane, requested_data=["id", "request", "response"])
    finish(plane, id)
    assert json.loads(fetched(plane, id).splitlines()[0]) == {"id": "rec_1", "request": {"model": "x"}}
    scopes = {"name": "x", "scopes": ["logs.export"]}
    key = plane.ok("POST", "/api-keys/workspace/service", json=scopes)["key"]
    body = {"requested_data": ["id", "request"]}
    assert "logs.view" in plane.refused(403, "POST", "/logs/exports", key, json=body)["message"]
    plane.ok("POST", "/logs/exports", key, json={"requested_data": ["id"]})
    plane.refused(403, "POST", f"/logs/exports/{make(plane, **body)}/start", key)
    make(plane, "admin", **body)
    with plane.directory.change() as tx:
        home = tx.get(Workspace, plane.home.id)
        tx.update(structs.replace(home, security_settings={"organisationAdminsViewLogs": False}))
    plane.refused(403, "POST", "/logs/exports", "admin", json=body)


def test_a_waiting_one_is_changed_and_a_done_one_is_not(plane):
    id = make(plane, requested_data=["id"])
    changed = plane.ok("PUT", f"/logs/exports/{id}", "service", json={"filters": {"status_code": [500]}})
    assert (changed["id"], changed["total"]) == (id, 1)
    assert plane.ok("GET", f"/logs/exports/{id}", "service")["requested_data"] == ["id"]
    finish(plane, id)
    for method, path, body in (("PUT", "", {"filters": {}}), ("POST", "/start", None), ("POST", "/cancel", None)):
        refused = plane.refused(400, method, f"/logs/exports/{id}{path}", "service", **({"json": body} if body else {}))
        assert "success" in refused["message"]


def test_a_stopped_one_is_not_done(plane):
    id = make(plane)
    plane.ok("POST", f"/logs/exports/{id}/start", "service")
    plane.ok("POST", f"/logs/exports/{id}/cancel", "service")
    plane.desk.exports.work()
    assert plane.ok("GET", f"/logs/exports/{id}", "service")["status"] == "stopped"
    plane.refused(400, "POST", f"/logs/exports/{id}/start", "service")


def test_a_deleted_one_is_gone_with_its_result(plane):
    id = make(plane)
    finish(plane, id)
    path = plane.desk.exports.path_of(plane.desk.exports.book.get(id))
    assert path.exists()
    assert plane.ok("DELETE", f"/logs/exports/{id}", "service") == {}
    assert not path.exists()
    plane.refused(404, "GET", f"/logs/exports/{id}", "service")


@pytest.mark.parametrize(
    "body, path",
    [
        ({"requested_data": ["id", "colour"]}, "requested_data[1]"), ({"filters": {"cost_min": "x"}}, "cost_min"),
        ({"format": "xml"}, "format"), ({"filters": {"query": "a>>"}}, "filter[0:1]"), ({"filters": []}, None),
        ({"filters": {"status_cod": 500}}, "filters.status_cod"),
    ],
    ids=["field", "filter", "format", "query", "list", "unknown filter"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(plane, body, path):
    refused = plane.refused(400, "POST", "/logs/exports", "service", json=body)
    assert path is None or refused["error"]["param"] == path
    assert plane.ok("GET", "/logs/exports", "service")["total"] == 0


def test_a_workspace_and_a_person_see_their_own(plane):
    first, second = make(plane), make(plane, "user")
    third = make(plane, "admin", workspace_id=plane.other.slug)
    whole = make(plane, "admin", workspace_id="*")

    def listed(key, query=""):
        return {job["id"] for job in plane.ok("GET", f"/logs/exports{query}", key)["data"]}

    assert listed("service") == {first, second}
    assert listed("user") == {second}
    assert listed("other") == {third}
    assert listed("admin") == {first, second}
    assert listed("admin", "?workspace_id=*") == {first, second, third, whole}
    for key, id in (("user", first), ("other", first), ("service", third), ("other", whole)):
        plane.refused(404, "GET", f"/logs/exports/{id}", key)
        plane.refused(404, "POST", f"/logs/exports/{id}/start", key)
    plane.refused(403, "POST", "/logs/exports", "service", json={"workspace_id": plane.other.id})
    assert finish(plane, whole, "admin")["exported_records"] == 3


def test_people_export_their_own_data_where_the_workspace_says_so(plane):
    id = make(plane, "user", requested_data=["id"])
    with plane.directory.change() as tx:
        home = tx.get(Workspace, plane.home.id)
        tx.update(structs.replace(home, security_settings={"membersViewAllData": False}))
    assert finish(plane, id, "user")["exported_records"] == 1
    assert json.loads(fetched(plane, id, "user")) == {"id": "rec_2"}


def test_a_link_ends_and_is_of_one_export_only(plane):
    id, other = make(plane), make(plane)
    finish(plane, id)
    finish(plane, other)
    url = httpx.URL(plane.ok("GET", f"/logs/exports/{id}/download", "service")["url"])
    assert url.host == "gateway"
    query = url.query.decode()
    assert plane.ask("HEAD", f"{url.path}?{query}", None).content == b""
    plane.refused(403, "GET", f"/logs/exports/{other}/file?{query}", None)
    plane.refused(403, "GET", f"/logs/exports/{id}/file", None)
    plane.refused(403, "GET", f"{url.path}?{query}1", None)
    plane.desk.now_us += 901 * US
    plane.refused(403, "GET", f"{url.path}?{query}", None)
    plane.desk.now_us -= 901 * US
    plane.ok("DELETE", f"/logs/exports/{id}", "service")
    plane.refused(404, "GET", f"{url.path}?{query}", None)


def test_what_the_organisation_denies_is_not_exported(plane):
    waiting = make(plane, requested_data=["id", "cost"])
    plane.ok("PUT", "/admin/organisation/defaults", json={"denied_export_fields": ["cost", "request"]})
    for name in ("cost", "cost_nano", "request"):
        refused = plane.refused(400, "POST", "/logs/exports", "service", json={"requested_data": ["id", name]})
        assert refused["error"]["param"] == "requested_data[1]"
    plane.refused(400, "POST", f"/logs/exports/{waiting}/start", "service")
    found = plane.ok("GET", "/logs/exports/field-restrictions", "service")
    assert found["denied_fields"] == ["cost", "request"]
    assert "cost" not in found["allowed_fields"]


def test_which_fields_there_are(plane):
    found = plane.ok("GET", "/logs/exports/field-restrictions", "service")
    assert found["denied_fields"] == []
    assert {"id", "request", "response", "cost"} < set(found["allowed_fields"])


def test_a_filter_that_does_not_exist_is_refused_with_the_one_that_was_meant(plane):
    refused = plane.refused(400, "POST", "/logs/exports", "service", json={"filters": {"status_cod": 500, "x": 1}})
    assert refused["error"]["message"] == "filters: there is no filter status_cod, x; did you mean status_code?"
    id = make(plane)
    plane.refused(400, "PUT", f"/logs/exports/{id}", "service", json={"filters": {"nosuch": 1}})


def test_one_file_has_one_link(plane):
    id = make(plane, requested_data=["id"])
    finish(plane, id)
    link = plane.ok("GET", f"/logs/exports/{id}/download", "service")
    [part] = link["signed_urls"]
    assert (part["name"], part["rows"], part["sha256"]) == (f"{id}.jsonl", 2, link["sha256"])
    assert (part["signed_url"], link["manifest_url"]) == (link["signed_url"], None)


def test_a_long_result_has_a_link_for_each_part_and_one_for_the_manifest(plane):
    plane.desk.part_limits = PartLimits(rows=1)
    id = make(plane, requested_data=["id"], filters={"query": "status>0"})
    job = finish(plane, id)
    assert (job["parts"], job["sha256"], job["exported_records"]) == (2, None, 2)
    link = plane.ok("GET", f"/logs/exports/{id}/download", "service")
    assert link["signed_url"] == link["signed_urls"][0]["signed_url"]
    assert fetched(plane, id) == b'{"id":"rec_1"}\n'
    data = []
    for part in link["signed_urls"]:
        url = httpx.URL(part["signed_url"])
        answer = plane.ask("GET", f"{url.path}?{url.query.decode()}", None)
        assert f'filename="{part["name"]}"' in answer.headers["content-disposition"]
        assert hashlib.sha256(answer.content).hexdigest() == part["sha256"]
        data.append(answer.content)
    assert [json.loads(each)["id"] for each in data] == ["rec_1", "rec_2"]
    assert job["size_bytes"] == sum(map(len, data))
    url = httpx.URL(link["manifest_url"])
    answer = plane.ask("GET", f"{url.path}?{url.query.decode()}", None)
    assert answer.headers["content-type"] == "application/json"
    manifest = answer.json()
    assert (manifest["rows"], manifest["format"], manifest["columns"]) == (2, "jsonl", ["id"])
    assert manifest["asked"]["filters"] == {"query": "status>0"}
    assert [part["sha256"] for part in manifest["parts"]] == [part["sha256"] for part in link["signed_urls"]]
    for other in ("part=1", "part=3", "part=-1"):
        changed = f"{url.path}?{url.query.decode()}".replace("part=0", other)
        assert plane.ask("GET", changed, None).status_code == 403


def test_what_is_whole_of_a_failed_export_may_be_fetched(plane, monkeypatch):
    plane.desk.part_limits = PartLimits(rows=1)
    id = make(plane, requested_data=["id"])
    plane.ok("POST", f"/logs/exports/{id}/start", "service")
    exports, scan = plane.desk.exports, plane.desk.store.scan

    def failing(query):
        yield [entry for batch in scan(query) for entry in batch]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(plane.desk.store, "scan", failing)
    exports.work()
    job = plane.ok("GET", f"/logs/exports/{id}", "service")
    assert (job["status"], job["parts"]) == ("failed", 1)
    assert "No space left on device; 1 parts with 1 records are whole" in job["error"]
    link = plane.ok("GET", f"/logs/exports/{id}/download", "service")
    assert (len(link["signed_urls"]), link["manifest_url"]) == (1, None)
    assert fetched(plane, id) == b'{"id":"rec_1"}\n'


def test_a_workspace_is_named_by_its_id(plane):
    body = {"filters": {"query": f"workspace:{plane.home.slug}"}}
    said = plane.refused(400, "POST", "/logs/exports", "service", json=body)
    assert f"workspace:{plane.home.id}" in said["message"]
    assert make(plane, filters={"query": f"workspace:{plane.home.id}"})
