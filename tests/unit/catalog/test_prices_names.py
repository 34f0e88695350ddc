import pytest

from lockgate.catalog.prices_names import names_of, split_place

ARN = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    "model, name",
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5"),
        ("us.anthropic.claude-opus-4-8-v1", "anthropic.claude-opus-4-8"),
        ("us-gov.anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8"),
        (ARN, "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        (ARN, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("publishers/anthropic/models/claude-opus-4-8", "claude-opus-4-8"),
        ("projects/p/locations/eu/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("meta.llama3-8b-instruct-v1:0", "meta.llama3-8b-instruct"),
    ],
)
def test_what_platforms_document_is_taken_off(model, name):
    assert name in list(names_of(model))


@pytest.mark.parametrize(
    "model", ["claude-sonnet-4-5-house", "gpt-4o-mini", "us-model", "in-house", "my.model", "claude-2026", ""]
)
def test_nothing_else_is_taken_off(model):
    assert set(names_of(model)) == {model}


def test_the_exact_name_comes_first_and_the_barest_last():
    names = list(dict.fromkeys(names_of(ARN)))
    assert names[0] == ARN
    assert names[1].startswith("eu.anthropic")
    assert names[-1] == "anthropic.claude-sonnet-4-5"


@pytest.mark.parametrize(
    "model, place",
    [
        ("us.anthropic.claude-x", "us"),
        ("us-gov.anthropic.claude-x", "us-gov"),
        ("global.anthropic.claude-x", "global"),
        (ARN, "eu"),
        ("anthropic.claude-x", None),
        ("claude-x", None),
        ("eu.x", None),
    ],
)
def test_the_geography_is_kept_as_the_place(model, place):
    assert split_place(model)[1] == place
