import pytest

from lockgate.config import read_document
from lockgate.plan.keys import digest_of
from tests.unit.admin.catalog_plane import spend

FILE = """
[keys.bot]
key = "the-text-of-the-bot"
scopes = ["completions.write"]
metadata = { team = "billing" }
expires_at = 2027-01-01T00:00:00Z
usage_limits = { type = "cost", credit_limit = 40, periodic_reset = "monthly" }
rate_limits = [{ type = "requests", unit = "rpm", value = 120 }]
"""


@pytest.fixture
def declared(plane):
    plane.document = read_document(FILE, "lockgate.toml")
    plane.recompile()
    return plane


def test_a_declared_key_is_shown_with_its_limits_and_usage(declared):
    plane = declared
    key = plane.snapshot.keys[digest_of("the-text-of-the-bot")]
    spend(plane, next(claim for claim in key.claims if claim.limit.unit == "nanos"), nanos=10**9)
    shown = plane.ok("GET", "/api-keys/key_bot")
    assert (shown["source"], shown["name"], shown["type"]) == ("lockgate.toml", "bot", "workspace-service")
    assert (shown["workspace_id"], shown["organisation_id"]) == (plane.home.id, plane.organisation.id)
    assert (shown["usage_limits"]["credit_limit"], shown["usage"]["used"], shown["usage"]["remaining"]) == (40, 1, 39)
    assert shown["rate_limits"] == [{"type": "requests", "unit": "rpm", "value": 120}]
    assert (shown["scopes"], shown["defaults"]["metadata"]) == (["completions.write"], {"team": "billing"})
    assert (shown["expires_at"], shown["created_at"]) == ("2027-01-01T00:00:00.000Z", None)
    assert "the-text-of" not in plane.ask("GET", "/api-keys").text


def test_it_is_listed_last_on_every_page(declared):
    plane = declared
    names = [each["name"] for each in plane.ok("GET", "/api-keys")["data"]]
    assert (names[-1], len(names), plane.ok("GET", "/api-keys")["total"]) == ("bot", 5, 5)
    pages = [plane.ok("GET", f"/api-keys?page_size=2&current_page={n}")["data"] for n in range(4)]
    assert [each["name"] for page in pages for each in page] == names
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert names[-1] in {each["name"] for each in plane.ok("GET", "/api-keys", "service")["data"]}
    assert "bot" not in {each["name"] for each in plane.ok("GET", "/api-keys", "other")["data"]}
    other = plane.ok("GET", f"/api-keys?workspace_id={plane.other.id}")["data"]
    assert "bot" not in {each["name"] for each in other}


@pytest.mark.parametrize("method, path", [("PUT", ""), ("DELETE", ""), ("POST", "/rotate")])
def test_a_change_is_refused_and_says_where_it_can_be_made(declared, method, path):
    refused = declared.refused(409, method, f"/api-keys/key_bot{path}")
    assert refused["message"] == "Key 'bot' is declared in lockgate.toml; change it there"
    declared.refused(404, method, f"/api-keys/key_bot{path}", "other")


def test_others_do_not_see_it(declared):
    declared.refused(404, "GET", "/api-keys/key_bot", "other")
