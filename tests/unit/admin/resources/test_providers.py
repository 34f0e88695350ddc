import msgspec
import pytest

from lockgate.config import read_document
from lockgate.entities import ApiKey, ProviderRecord
from tests.unit.admin.catalog_plane import SECRET, make_integration, spend, target

DOLLAR = 10**9
PYTHON = {"x-portkey-package-version": "portkey-2.3.4"}
FILE = """
[providers.from-file]
type = "anthropic"
api_key = "sk-of-the-file-0123456789"
usage_limits = { type = "cost", credit_limit = 3 }
rate_limits = { type = "requests", unit = "rpm", value = 9 }
"""


@pytest.fixture
def catalog(plane):
    """One integration, shared with the first workspace, and no provider yet."""
    make_integration(plane, slug="main")
    access = {"workspaces": [{"id": plane.home.id}], "create_default_provider": False}
    plane.ok("PUT", "/integrations/main/workspaces", json=access)
    return plane


def make(plane, who="service", **body):
    return plane.ok("POST", "/providers", who, json={"name": "Claude prod", "integration_id": "main"} | body)


def test_every_field_of_the_documented_shape(catalog):
    plane = catalog
    made = make(
        plane,
        slug="claude-prod",
        note="for the bots",
        usage_limits={"type": "cost", "credit_limit": 10, "periodic_reset": "weekly"},
        rate_limits=[{"type": "requests", "unit": "rpm", "value": 60}],
        expires_at="2026-12-31",
        tags=["prod"],
    )
    assert made == {"id": made["id"], "slug": "claude-prod", "object": "provider"}
    (rate, budget) = target(plane, "claude-prod").claims
    spend(plane, budget, nanos=2 * DOLLAR, reserved=DOLLAR)
    shown = plane.ok("GET", "/providers/claude-prod", "service")
    assert shown == {
        "id": made["id"],
        "slug": "claude-prod",
        "name": "Claude prod",
        "note": "for the bots",
        "integration_id": "main",
        "organisation_id": plane.organisation.id,
        "workspace_id": plane.home.id,
        "ai_provider_name": "anthropic",
        "model_config": {},
        "status": "active",
        "trouble": None,
        "usage_limits": {
            "type": "cost", "credit_limit": 10, "alert_threshold": None, "periodic_reset": "weekly",
            "periodic_reset_days": None, "next_usage_reset_at": "2026-08-23T00:00:00.000Z", "id": budget.limit.id,
        },
        "rate_limits": [{"type": "requests", "unit": "rpm", "value": 60}],
        "usage": {"type": "cost", "used": 2, "reserved": 1, "remaining": 7, "as_of": "2026-08-21T09:30:00.000Z"},
        "reset_usage": None,
        "expires_at": "2026-12-31T00:00:00.000Z",
        "last_reset_at": None,
        "tags": ["prod"],
        "source": "database",
        "created_at": "2026-08-21T09:30:00.000Z",
        "last_updated_at": "2026-08-21T09:30:00.000Z",
        "object": "provider",
    }  # fmt: skip
    for name in (made["id"], "@claude-prod", "%40claude-prod"):
        assert plane.ok("GET", f"/providers/{name}", "service") == shown
    assert rate.limit.cap == 60


def test_limits_may_be_null_and_lists_have_the_shape_of_the_python_class(catalog):
    plane = catalog
    make(plane, slug="bare")
    make(plane, slug="rates", rate_limits=[{"value": 1}, {"unit": "rph", "value": 2}])
    api = {each["slug"]: each for each in plane.ok("GET", "/providers", "service")["data"]}
    python = {each["slug"]: each for each in plane.ok("GET", "/providers", "service", headers=PYTHON)["data"]}
    assert (api["bare"]["usage_limits"], api["bare"]["rate_limits"], api["bare"]["usage"]) == (None, None, None)
    assert (python["bare"]["rate_limits"], python["bare"]["rate_limits_list"]) == (None, [])
    assert python["rates"]["rate_limits"] == api["rates"]["rate_limits"][0]
    assert python["rates"]["rate_limits_list"] == api["rates"]["rate_limits"]


def test_a_generated_slug_has_letters_and_random_digits(catalog):
    slug = make(catalog)["slug"]
    assert msgspec.json.encode(slug).decode().strip('"').startswith("claude-")
    assert len(slug) == len("claude-1f0c3a")
    assert make(catalog)["slug"] != slug


def test_the_same_slug_may_exist_in_several_workspaces(catalog):
    plane = catalog
    make(plane, slug="claude")
    plane.refused(409, "POST", "/providers", "service", json={"name": "n", "integration_id": "main", "slug": "claude"})
    plane.ok("PUT", "/integrations/main/workspaces",
             json={"workspaces": [{"id": plane.other.id}], "default_provider_slug": "claude"})  # fmt: skip
    assert plane.ok("GET", "/providers/claude")["workspace_id"] == plane.home.id
    assert plane.ok("GET", f"/providers/claude?workspace_id={plane.other.slug}")["workspace_id"] == plane.other.id
    assert plane.ok("GET", "/providers/claude", "other")["workspace_id"] == plane.other.id
    assert plane.ok("GET", f"/providers?workspace_id={plane.other.id}")["total"] == 1


@pytest.mark.parametrize("in_query", [True, False])
def test_a_change_names_the_workspace_in_query_or_body(catalog, in_query):
    plane = catalog
    plane.ok("PUT", "/integrations/main/workspaces", json={"workspaces": [{"id": plane.other.id}]})
    place = {"workspace_id": plane.other.slug}
    options = {"params": place, "json": {"note": "n"}} if in_query else {"json": {"note": "n"} | place}
    made = plane.ok("PUT", "/providers/main", **options)
    assert (made["slug"], made["object"]) == ("main", "provider")
    assert plane.ok("GET", "/providers/main", "other")["note"] == "n"
    options = {"params": place} if in_query else {"json": place}
    assert plane.ok("DELETE", "/providers/main", **options) == {}
    plane.refused(404, "GET", "/providers/main", "other")


def test_what_is_missing_stays_null_clears_and_the_counter_goes_on(catalog):
    plane = catalog
    make(
        plane,
        slug="p",
        note="n",
        usage_limits={"credit_limit": 10},
        rate_limits=[{"value": 5}],
        expires_at="2027-01-01",
    )
    spend(plane, target(plane, "p").claims[1], nanos=9 * DOLLAR)
    plane.ok("PUT", "/providers/p", json={"name": "other"})
    shown = plane.ok("GET", "/providers/p")
    assert (shown["note"], shown["usage"]["used"], shown["rate_limits"][0]["value"]) == ("n", 9, 5)
    plane.ok("PUT", "/providers/p", json={"usage_limits": {"credit_limit": 12}})
    assert plane.ok("GET", "/providers/p")["usage"]["remaining"] == 3
    plane.ok("PUT", "/providers/p", json={"note": None, "usage_limits": None, "rate_limits": None, "expires_at": None})
    shown = plane.ok("GET", "/providers/p")
    assert [shown[name] for name in ("note", "usage_limits", "rate_limits", "expires_at")] == [None] * 4
    assert target(plane, "p").claims == ()


def test_the_state_is_derived_so_raising_a_limit_revives_at_once(catalog):
    plane = catalog
    make(plane, slug="p", usage_limits={"credit_limit": 1})
    spend(plane, target(plane, "p").claims[0], nanos=DOLLAR)
    assert plane.ok("GET", "/providers/p")["status"] == "exhausted"
    plane.ok("PUT", "/providers/p", json={"usage_limits": {"credit_limit": 2}})
    assert plane.ok("GET", "/providers/p")["status"] == "active"
    plane.ok("PUT", "/providers/p", json={"usage_limits": {"credit_limit": 1}})
    plane.ok("PUT", "/providers/p", json={"reset_usage": True})
    shown = plane.ok("GET", "/providers/p")
    assert (shown["status"], shown["usage"]["used"], shown["last_reset_at"]) == (
        "active",
        0,
        "2026-08-21T09:30:00.000Z",
    )
    plane.ok("PUT", "/providers/p", json={"expires_at": "2026-08-21T10:00:00Z"})
    plane.clock.pass_by(hours=1)
    assert plane.ok("GET", "/providers/p")["status"] == "expired"


def test_a_rate_of_zero_blocks(catalog):
    make(catalog, slug="p", rate_limits=[{"type": "requests", "unit": "rpm", "value": 0}])
    assert target(catalog, "p").claims[0].limit.cap == 0


@pytest.mark.parametrize(
    "body, path",
    [
        ({"integration_id": "nope"}, "integration_id"),
        ({"integration_id": "secret"}, "integration_id"),
        ({"integration_id": "foreign"}, "integration_id"),
        ({"integration_id": None}, "integration_id"),
        ({"name": None}, "name"),
        ({"slug": "a b"}, "slug"),
        ({"expires_at": "2020-01-01"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"usage_limits": [{"credit_limit": 1}, {"type": "tokens", "credit_limit": 100}]}, "usage_limits"),
        ({"usage_limits": {"credit_limit": 1, "alert_threshold": 2}}, "usage_limits.alert_threshold"),
        ({"rate_limits": [{"value": 1.5}]}, "rate_limits[0].value"),
    ],
)
def test_what_cannot_be_is_refused_by_its_path(catalog, body, path):
    plane = catalog
    make_integration(plane, slug="secret")
    make_integration(plane, "other", slug="foreign", create_default_provider=False)
    full = {"name": "n", "integration_id": "main"} | body
    for who in ("admin", "service"):
        refused = plane.refused(400, "POST", "/providers", who, json={k: v for k, v in full.items() if v is not None})
        assert refused["error"]["param"] == path
    with plane.directory.read() as view:
        assert view.all(ProviderRecord) == ()


def test_tenants_are_apart(catalog):
    plane = catalog
    make(plane, slug="p")
    for method in ("GET", "PUT", "DELETE"):
        plane.refused(404, method, "/providers/p", "other")
        plane.refused(403, method, f"/providers/p?workspace_id={plane.home.id}", "other")
    assert plane.ok("GET", "/providers", "other")["total"] == 0
    plane.refused(403, "POST", "/providers", "user", json={"name": "n", "integration_id": "main"})


def test_pages_count_from_zero(catalog):
    for i in range(3):
        make(catalog, slug=f"p{i}")
        catalog.clock.pass_by(seconds=1)
    page = catalog.ok("GET", "/providers?page_size=2&current_page=1", "service")
    assert (page["total"], [each["slug"] for each in page["data"]]) == (3, ["p0"])


def test_a_key_that_names_it_keeps_it_unless_forced(catalog):
    plane = catalog
    make(plane, slug="p")
    with plane.directory.change() as tx:
        tx.update(msgspec.structs.replace(tx.get(ApiKey, plane.keys["service"].id), providers=("p",)))
    plane.recompile()
    assert "API key 'service'" in plane.refused(409, "DELETE", "/providers/p")["message"]
    usages = plane.ok("GET", "/providers/p/usages")
    assert usages == {
        "total": 1, "object": "list",
        "data": [{"id": plane.keys["service"].id, "object": "api_key", "name": "service"}],
    }  # fmt: skip
    assert plane.ok("DELETE", "/providers/p?force_delete=true") == {}


# ---- what a file or the environment declares


@pytest.fixture
def declared(catalog):
    catalog.document = read_document(FILE, "lockgate.toml")
    catalog.environment["OPENAI_API_KEY"] = "sk-of-the-environment-0123456789"
    catalog.recompile()
    return catalog


def test_declared_providers_are_shown_first_and_read_only(declared):
    plane = declared
    make(plane, slug="stored")
    listed = plane.ok("GET", "/providers", "service")
    assert [(each["slug"], each["source"]) for each in listed["data"]] == [
        ("from-file", "lockgate.toml"),
        ("openai", "the environment variable OPENAI_API_KEY"),
        ("stored", "database"),
    ]
    assert listed["total"] == 3
    pages = [plane.ok("GET", f"/providers?page_size=2&current_page={n}", "service")["data"] for n in (0, 1)]
    assert [[each["slug"] for each in page] for page in pages] == [["from-file", "openai"], ["stored"]]
    shown = plane.ok("GET", "/providers/from-file", "service")
    assert (shown["ai_provider_name"], shown["integration_id"], shown["object"]) == ("anthropic", None, "provider")
    spend(plane, target(plane, "from-file").claims[1], nanos=DOLLAR)
    shown = plane.ok("GET", "/providers/from-file", "service")
    assert (shown["usage_limits"]["credit_limit"], shown["usage"]["remaining"]) == (3, 2)
    assert shown["rate_limits"] == [{"type": "requests", "unit": "rpm", "value": 9}]
    for method in ("PUT", "DELETE"):
        assert "lockgate.toml" in plane.refused(409, method, "/providers/from-file")["message"]
        assert "OPENAI_API_KEY" in plane.refused(409, method, "/providers/openai")["message"]
    assert (
        "lockgate.toml"
        in plane.refused(409, "POST", "/providers", json={"name": "n", "integration_id": "main", "slug": "from-file"})[
            "message"
        ]
    )
    assert plane.ok("GET", "/providers", "other")["total"] == 0
    text = plane.ask("GET", "/providers").text + plane.ask("GET", "/virtual-keys").text
    assert "sk-of" not in text


def test_the_simulator_gives_way_to_what_is_stored(catalog):
    plane = catalog
    plane.simulator_url = "http://127.0.0.1:1"
    plane.recompile()
    assert plane.ok("GET", "/providers/anthropic")["source"] == "the simulator"
    plane.refused(404, "PUT", "/providers/anthropic", json={"note": "n"})
    make(plane, slug="anthropic")
    assert plane.ok("GET", "/providers/anthropic")["source"] == "database"
    assert target(plane, "anthropic").secret.reveal() == SECRET
    assert plane.ok("DELETE", "/providers/anthropic") == {}
    assert plane.ok("GET", "/providers/anthropic")["source"] == "the simulator"
