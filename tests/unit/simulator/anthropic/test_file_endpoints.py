import pytest

from lockgate.simulator.anthropic import endpoints
from lockgate.simulator.app import Simulator, SimulatorSettings
from lockgate.simulator.script import Match, Rule, Script
from tests.unit.simulator.driver import ANTHROPIC_HEADERS, api, call, file_part, form, upload

OLD = "files-api-2025-04-14"


@pytest.fixture
def five():
    simulator = Simulator()
    ids = [upload(simulator, file_part(f"{number}.txt")).json["id"] for number in range(5)]
    return simulator, ids[::-1]


def test_a_file_is_uploaded_shown_and_deleted():
    simulator = Simulator()
    made = upload(simulator).json
    assert (made["type"], made["filename"], made["size_bytes"]) == ("file", "a.txt", 15)
    assert "scope" not in made
    path = f"/v1/files/{made['id']}"
    assert api(simulator, "GET", path).json == made
    assert api(simulator, "GET", path, beta=OLD).json == {**made, "scope": None}
    assert api(simulator, "DELETE", path).json == {"id": made["id"], "type": "file_deleted"}
    gone = api(simulator, "GET", path)
    assert (gone.status, gone.json["error"]["type"]) == (404, "not_found_error")
    assert gone.message == f"File not found: {made['id']}"


@pytest.mark.parametrize("path", ["/v1/files/file_1", "/v1/files/file_1/content"])
def test_an_unknown_file_is_not_found(path):
    assert api(Simulator(), "GET", path).status == 404
    assert api(Simulator(), "GET", path.replace("file_1", "file-1")).status == 400
    assert api(Simulator(), "DELETE", "/v1/files/file_1").status == 404


def test_the_new_list_has_cursors(five):
    simulator, ids = five
    first = api(simulator, "GET", "/v1/files", query="limit=2&beta=true").json
    assert [file["id"] for file in first["data"]] == ids[:2]
    assert set(first) == {"data", "next_page"}
    assert first["next_page"].startswith("page_")
    api(simulator, "DELETE", f"/v1/files/{ids[1]}")
    second = api(simulator, "GET", "/v1/files", query=f"limit=3&page={first['next_page']}").json
    assert [file["id"] for file in second["data"]] == ids[2:]
    assert second["next_page"] is None


def test_the_new_list_finds_ids(five):
    simulator, ids = five
    found = api(simulator, "GET", "/v1/files", query=f"ids[]={ids[3]}&ids[]={ids[0]}&ids[]=file_gone").json
    assert ([file["id"] for file in found["data"]], found["next_page"]) == ([ids[0], ids[3]], None)


def test_the_old_list_has_ids_at_its_ends(five):
    simulator, ids = five
    found = api(simulator, "GET", "/v1/files", query=f"limit=2&after_id={ids[0]}", beta=OLD).json
    assert [file["id"] for file in found["data"]] == ids[1:3]
    assert (found["first_id"], found["last_id"], found["has_more"]) == (ids[1], ids[2], True)
    assert "next_page" not in found
    assert "scope" in found["data"][0]
    back = api(simulator, "GET", "/v1/files", query=f"limit=2&before_id={ids[3]}", beta=OLD).json
    assert [file["id"] for file in back["data"]] == ids[1:3]


@pytest.mark.parametrize("beta", ["", OLD])
def test_no_upload_has_a_scope_to_be_found_by(five, beta):
    assert api(five[0], "GET", "/v1/files", query="scope_id=session_1", beta=beta).json["data"] == []


@pytest.mark.parametrize(
    "query, beta",
    [
        ("after_id=file_1", ""),
        ("before_id=file_1", ""),
        ("order=asc", ""),
        ("page=page_1", ""),
        ("page=page_3xAAAAAAAAAAAAAAAA", ""),
        ("ids[]=a&limit=3", ""),
        ("ids[]=a&page=b", ""),
        ("&".join(f"ids[]=file_{number}" for number in range(101)), ""),
        ("limit=0", ""),
        ("page=x", OLD),
        ("ids[]=a", OLD),
        ("after_id=file_none", OLD),
        ("limit=1001", OLD),
    ],
)
def test_what_the_other_shape_has_is_refused(five, query, beta):
    answer = api(five[0], "GET", "/v1/files", query=query, beta=beta)
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")


def test_a_generated_file_is_downloaded():
    simulator = Simulator()
    data = bytes(range(256))
    made = upload(simulator, file_part("generated-naïve.bin", data, "application/x-odd")).json
    assert made["downloadable"] is True
    answer = api(simulator, "GET", f"/v1/files/{made['id']}/content")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, data, "application/x-odd")
    expected = "attachment; filename=\"generated-na_ve.bin\"; filename*=UTF-8''generated-na%C3%AFve.bin"
    assert answer.headers["content-disposition"] == expected
    assert answer.headers["content-length"] == "256"
    cut = api(simulator, "GET", f"/v1/files/{made['id']}/content", x_simulator="cut=100")
    assert cut.body == data[:100]


@pytest.mark.parametrize(
    "name, keep_bytes, status, code",
    [
        ("a.txt", 100, 400, "file_not_downloadable"),
        ("expired-a.txt", 100, 404, "file_expired"),
        ("generated-a.txt", 1, 500, None),
    ],
)
def test_other_content_is_refused(name, keep_bytes, status, code):
    simulator = Simulator(SimulatorSettings(keep_file_bytes=keep_bytes))
    made = upload(simulator, file_part(name)).json
    answer = api(simulator, "GET", f"/v1/files/{made['id']}/content")
    assert (answer.status, answer.json["error"].get("details", {}).get("error_code")) == (status, code)


@pytest.mark.parametrize(
    "headers, body, status",
    [
        ({"x-api-key": ""}, form(file_part()), 401),
        ({"anthropic-version": ""}, form(file_part()), 400),
        ({"anthropic-beta": "unknown-1"}, form(file_part()), 400),
        ({"content-type": "application/json"}, b"{}", 400),
        ({"content-type": "multipart/mixed; boundary=xx"}, form(file_part()), 400),
        ({"content-type": "multipart/form-data"}, form(file_part()), 400),
        ({}, form(file_part("a*")), 400),
        ({}, form(file_part())[:-5], 400),
    ],
)
def test_a_wrong_upload_leaves_nothing_behind(headers, body, status):
    simulator = Simulator()
    sent = {**ANTHROPIC_HEADERS, "content-type": "multipart/form-data; boundary=xx", **headers}
    answer = call(simulator, "POST", "/v1/files", headers=sent, body=body)
    assert (answer.status, answer.json["type"]) == (status, "error")
    assert api(simulator, "GET", "/v1/files").json["data"] == []


def test_an_upload_may_be_larger_than_other_bodies_but_not_too_large(monkeypatch):
    monkeypatch.setattr(endpoints, "MAX_FILE_BYTES", 0)
    monkeypatch.setattr(endpoints, "_FORM_BYTES", 200)
    assert upload(Simulator(), file_part(data=b"x" * 10)).status == 200
    answer = upload(Simulator(), file_part(data=b"x" * 200))
    assert (answer.status, answer.json["error"]["type"]) == (413, "request_too_large")


def test_an_ordered_failure_uploads_and_deletes_nothing():
    rule = Rule(match=Match(path="/v1/files", text_contains="bad"), fault={"status": 529})
    simulator = Simulator(SimulatorSettings(script=Script(rules=(rule,))))
    assert upload(simulator, file_part("bad.txt")).status == 529
    assert api(simulator, "GET", "/v1/files").json["data"] == []
    made = upload(simulator).json
    path = f"/v1/files/{made['id']}"
    assert api(simulator, "DELETE", path, x_simulator="status=500").status == 500
    assert api(simulator, "GET", path).status == 200


def test_the_journal_keeps_only_the_beginning_of_an_upload():
    simulator = Simulator(SimulatorSettings(keep_upload_bytes=100))
    upload(simulator, file_part(data=b"x" * 500))
    entry = simulator.requests[-1]
    assert (len(entry.body), entry.status) == (100, 200)
    assert entry.body_bytes > 500
    assert entry.body.startswith(b"--xx\r\n")
