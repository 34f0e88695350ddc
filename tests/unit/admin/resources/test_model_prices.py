import pytest

SONNET = {
    "request_token": {"price": 0.0003},
    "response_token": {"price": 0.0015},
    "cache_write_input_token": {"price": 0.000375},
    "cache_read_input_token": {"price": 0.00003},
    "additional_units": {"cache_write_1h": {"price": 0.0006}, "web_search": {"price": 1}},
}


@pytest.mark.parametrize(
    "path",
    ["/v1/model-configs/pricing/anthropic/claude-sonnet-4-5", "/model-configs/pricing/anthropic/claude-sonnet-4-5"],
)
def test_prices_are_public_and_in_cents(plane, path):
    answer = plane.ok("GET", path, None)
    assert answer["currency"] == "USD"
    found = answer["pay_as_you_go"]
    assert {name: found[name] for name in SONNET if name != "additional_units"} == {
        name: price for name, price in SONNET.items() if name != "additional_units"
    }
    assert SONNET["additional_units"].items() <= found["additional_units"].items()


@pytest.mark.parametrize("model", ["no-such-model", "a/b:c"])
def test_a_model_without_a_price(plane, model):
    assert plane.refused(404, "GET", f"/model-configs/pricing/anthropic/{model}", None)["message"] == "Model not found"


def test_names_with_slashes_and_colons_are_looked_up(plane):
    plane.ok("GET", "/model-configs/pricing/anthropic/claude-sonnet-4-5-20250929", None)
    plane.ok("GET", "/model-configs/pricing/bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", None)


def test_what_models_accept(plane):
    answer = plane.ok("GET", "/model-configs/general/anthropic", None)
    assert answer["name"] == "anthropic"
    assert answer["default"]["params"][0] == {"key": "max_tokens", "minValue": 1}
    most = plane.snapshot.facts.find("claude-sonnet-4-5").max_output
    assert answer["claude-sonnet-4-5"]["params"][0] == {"key": "max_tokens", "minValue": 1, "maxValue": most}
    plane.refused(404, "GET", "/model-configs/general/nope", None)
