import json

import pytest

from lockgate.catalog.prices import WIRE_NAMES
from lockgate.entities import Integration, IntegrationModel
from tests.unit.admin.catalog_plane import make_integration, target
from tools.fences import fences
from tools.files import ROOT

PATH = "/integrations/main/models"
TUNED = {
    "slug": "claude-house-tuned", "enabled": True, "is_custom": True, "base_model_slug": "claude-sonnet-4-5",
    "configurations": {"custom_host": "https://llm.example.org/v1", "custom_headers": {"x-token": "canary-0123456789"}},
    "pricing_config": {"type": "static", "pay_as_you_go": {"request_token": {"price": 0.0002},
                                                            "response_token": {"price": 0.001}}},
}  # fmt: skip


@pytest.fixture
def models(plane):
    make_integration(plane, "service", slug="main")
    return plane


def put(plane, **body):
    return plane.ok("PUT", PATH, json=body)


def own(plane):
    return {each["slug"]: each for each in plane.ok("GET", PATH)["models"] if each["created_at"] is not None}


def test_a_custom_model_serves_with_its_own_host_headers_and_price(models):
    plane = models
    assert put(plane, allow_all_models=False, models=[{"slug": "claude-sonnet-4-5", "enabled": True}, TUNED]) == {}
    shown = plane.ok("GET", PATH)
    assert (shown["allow_all_models"], shown["object"], shown["total"]) == (False, "list", len(shown["models"]))
    model = shown["models"][1]
    assert model == {
        "slug": "claude-house-tuned", "name": None, "enabled": True, "is_custom": True, "is_finetune": False,
        "base_model_slug": "claude-sonnet-4-5",
        "configurations": {"custom_host": "https://llm.example.org/v1", "custom_headers": {"x-token": "can*****789"}},
        "pricing_config": {
            "type": "static", "unit": "cents_per_token", "currency": "USD",
            "pay_as_you_go": {"request_token": {"price": 0.0002}, "response_token": {"price": 0.001}},
            "usd_per_million_tokens": {"request_token": 2, "response_token": 10},
        },
        "capabilities": [], "context_window": None, "max_output_tokens": None, "deprecated_at": None,
        "created_at": "2026-08-21T09:30:00.000Z", "last_updated_at": "2026-08-21T09:30:00.000Z",
    }  # fmt: skip
    serving = target(plane, "main")
    assert serving.models == {"claude-sonnet-4-5", "claude-house-tuned"}
    custom = serving.customs["claude-house-tuned"]
    assert (custom.origin.host, custom.base_path, custom.base_model) == ("llm.example.org", "/v1", "claude-sonnet-4-5")
    assert custom.extra_headers == ((b"x-token", b"canary-0123456789"),)
    assert "canary" not in plane.ask("GET", PATH).text


def test_models_of_the_price_book_are_listed_too(models):
    shown = {each["slug"]: each for each in models.ok("GET", PATH)["models"]}
    assert shown["claude-sonnet-4-5"]["enabled"] is True
    put(models, allow_all_models=False)
    shown = {each["slug"]: each for each in models.ok("GET", PATH)["models"]}
    assert shown["claude-sonnet-4-5"]["enabled"] is False
    assert (shown["claude-sonnet-4-5"]["is_custom"], shown["claude-sonnet-4-5"]["created_at"]) == (False, None)


def test_the_rest_is_untouched_null_clears_and_what_is_missing_stays(models):
    put(models, models=[TUNED, {"slug": "m", "enabled": False}])
    put(models, models=[{"slug": "claude-house-tuned", "name": "Tuned"}])
    found = own(models)
    assert (found["claude-house-tuned"]["name"], found["claude-house-tuned"]["pricing_config"]["currency"]) == (
        "Tuned",
        "USD",
    )
    assert found["m"]["enabled"] is False
    assert target(models, "main").denied == {"m"}
    put(models, models=[{"slug": "claude-house-tuned", "pricing_config": None, "configurations": None, "name": None}])
    model = own(models)["claude-house-tuned"]
    assert (model["pricing_config"], model["configurations"], model["name"], model["is_custom"]) == (
        None,
        {},
        None,
        True,
    )


def test_what_is_shown_can_be_sent_back(models):
    put(models, models=[{**TUNED, "configurations": {"custom_host": "https://llm.example.org/v1"}}])
    before = own(models)
    put(models, models=list(before.values()))
    assert own(models) == before


def test_prices_may_be_in_dollars_per_million_and_a_dear_one_is_warned_about(models):
    price = {"request_token": {"price": 2}, "response_token": {"price": 10}}
    assert (
        put(
            models, models=[{"slug": "m", "pricing_config": {"unit": "usd_per_million_tokens", "pay_as_you_go": price}}]
        )
        == {}
    )
    assert own(models)["m"]["pricing_config"]["pay_as_you_go"] == {
        "request_token": {"price": 0.0002}, "response_token": {"price": 0.001},
    }  # fmt: skip
    (warning, _) = put(models, models=[{"slug": "m", "pricing_config": {"pay_as_you_go": price}}])["warnings"]
    assert warning.startswith("m: request_token: 20000 dollars per million tokens")


def test_the_reference_shows_prices_that_are_taken(models):
    page = ROOT / "docs" / "reference" / "prices.md"
    (fence,) = fences(page, "json")
    assert put(models, **json.loads(fence.text)) == {}
    shown = {slug: model["pricing_config"]["usd_per_million_tokens"] for slug, model in own(models).items()}
    first, second = shown["house-model"], shown["house-model-mini"]
    assert (first["request_token"], first["response_token"]) == (3, 15)
    assert (second["request_token"], second["response_token"]) == (0.25, 2)
    assert [name for name in WIRE_NAMES.values() if f"`{name}`" not in page.read_text()] == []


def test_a_model_that_may_be_misspelt_is_warned_of_once(models):
    assert put(models, models=[{"slug": "claude-sonet-4-5", "enabled": True}])["warnings"] == [
        "claude-sonet-4-5: anthropic has no such model in the price book, so that it has no price; "
        "did you mean claude-sonnet-4-5?"
    ]
    assert put(models, models=[{"slug": "claude-sonet-4-5", "enabled": False}]) == {}
    price = {"pay_as_you_go": {"request_token": {"price": 0.0003}}}
    for known in (
        {"slug": "claude-sonnet-4-5"}, {"slug": "x", "is_custom": True}, {"slug": "y", "is_finetune": True},
        {"slug": "z", "base_model_slug": "claude-sonnet-4-5"}, {"slug": "p", "pricing_config": price},
    ):  # fmt: skip
        assert put(models, models=[known]) == {}


@pytest.mark.parametrize(
    "model, path",
    [
        ({"slug": ""}, "models[0].slug"),
        ({"slug": "m", "pricing_config": {"pay_as_you_go": {}}}, "models[0].pricing_config.pay_as_you_go"),
        ({"slug": "m", "pricing_config": {"type": "dynamic"}}, "models[0].pricing_config.type"),
        ({"slug": "m", "configurations": {"custom_host": "http://10.0.0.1"}}, "configurations.custom_host"),
        ({"slug": "m", "context_window": 0}, "models[0].context_window"),
    ],
)
def test_what_cannot_be_is_refused_by_its_path(models, model, path):
    assert models.refused(400, "PUT", PATH, json={"models": [model]})["error"]["param"] == path
    assert own(models) == {}


@pytest.mark.parametrize(
    "options",
    [
        {"path": PATH + "?slugs=a,b"},
        {"path": PATH, "json": {"models": ["a", "b"]}},
        {"path": PATH + "?slugs=a, b,claude-sonnet-4-5"},
    ],
)
def test_deleting_removes_customs_and_puts_others_back(models, options):
    put(models, models=[{"slug": "a", "is_custom": True}, {"slug": "b"}, {"slug": "c"}])
    options = dict(options)
    assert models.ok("DELETE", options.pop("path"), **options) == {}
    assert set(own(models)) == {"c"}


def test_deleting_what_is_not_there(models):
    models.refused(400, "DELETE", PATH)
    models.refused(404, "DELETE", PATH + "?slugs=nope")


def test_a_fine_tuned_model_inherits_the_price_and_another_custom_one_does_not(models):
    put(models, models=[
        {"slug": "ft", "is_custom": True, "is_finetune": True, "base_model_slug": "claude-sonnet-4-5"},
        {"slug": "own", "is_custom": True, "base_model_slug": "claude-sonnet-4-5"},
    ])  # fmt: skip
    serving, prices, at_s = target(models, "main"), models.snapshot.prices, models.clock.unix()
    assert prices.find("anthropic", "ft", at_s, serving.price_terms).card().input > 0
    assert prices.find("anthropic", "own", at_s, serving.price_terms) is None


def test_models_of_one_integration_belong_to_it_alone(models):
    make_integration(models, slug="other")
    put(models, models=[{"slug": "m"}])
    models.ok("PUT", "/integrations/other/models", json={"models": [{"slug": "m", "enabled": False}]})
    assert own(models)["m"]["enabled"] is True
    with models.directory.read() as view:
        integration = view.get(Integration, "main")
        assert [each.slug for each in view.all(IntegrationModel, integration_id=integration.id)] == ["m"]
