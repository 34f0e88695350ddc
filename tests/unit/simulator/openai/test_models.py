from typing import get_args

import pytest
from openai.types.shared.chat_model import ChatModel

from lockgate.simulator.openai.models import MODELS, find_model, write_model


def test_a_model_is_found_by_name():
    assert find_model("gpt-4o").id == "gpt-4o"


@pytest.mark.parametrize("name", ["gpt-5-2025", "claude-opus-5", "ft:nothing:x", ""])
def test_unknown_models_are_not_served(name):
    assert find_model(name) is None


def test_a_fine_tuned_model_follows_its_base():
    model = find_model("ft:gpt-4o-mini-2024-07-18:acme::1")
    assert (model.id, model.max_output_tokens) == ("ft:gpt-4o-mini-2024-07-18:acme::1", 16_384)


def test_an_extra_model_follows_the_newest():
    assert find_model("mine", extra=("mine",)).efforts == MODELS[0].efforts


def test_every_name_is_one_the_sdk_knows_and_unique():
    names = [model.id for model in MODELS]
    assert len(set(names)) == len(names)
    assert set(names) <= set(get_args(ChatModel)) | {"gpt-5.2-pro", "gpt-5.1-codex"}


def test_a_model_is_shown():
    assert write_model(find_model("o3")) == {
        "id": "o3", "object": "model", "created": 1_715_367_049, "owned_by": "system",
    }  # fmt: skip
