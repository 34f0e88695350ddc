import pytest

from lockgate.simulator.anthropic.models import MODELS, describe_model, find_model, write_model


def test_a_model_is_found_by_id_and_alias():
    assert find_model("claude-haiku-4-5").id == "claude-haiku-4-5-20251001"
    assert find_model("claude-opus-5-5").id == "claude-opus-5-5"


@pytest.mark.parametrize("name", ["claude-haiku-4-5-20250929", "claude-opus-4-1", "gpt-4o", ""])
def test_unknown_and_retired_models_are_not_served(name):
    assert find_model(name) is None


def test_retired_models_may_be_served():
    assert find_model("claude-opus-4-1", has_retired=True).lifecycle == "retired"
    assert describe_model("claude-opus-4-1").retires_at


def test_an_extra_model_follows_the_newest():
    assert find_model("mine", extra=("mine",)).thinking == MODELS[0].thinking
    assert find_model("mine", extra=("mine",)).id == "mine"


def test_names_are_unique():
    names = [name for model in MODELS for name in (model.id, *model.aliases)]
    assert len(names) == len(set(names))


def test_the_sdk_knows_the_same_models():
    from typing import get_args

    from anthropic.types.model import Model

    known = set(get_args(get_args(Model)[0]))
    ours = {name for model in MODELS if model.lifecycle != "retired" for name in (model.id, *model.aliases)}
    assert ours == known


def test_capabilities_follow_the_rules():
    found = write_model(find_model("claude-sonnet-5-5"))
    assert found["lifecycle"] == "active"
    types = found["capabilities"]["thinking"]["types"]
    assert {kind for kind, support in types.items() if support["supported"]} == {"adaptive", "between_tools"}
    plain = write_model(describe_model("claude-3-haiku-20240307"))["capabilities"]
    assert plain["thinking"] == {
        "supported": False,
        "types": {
            "adaptive": {"supported": False},
            "between_tools": {"supported": False},
            "disabled": {"supported": True},
            "enabled": {"supported": False},
        },
    }
    assert plain["structured_outputs"] == {"supported": False}
