import json

import pytest

from lockgate.core.models import ModelEntry
from lockgate.dialects.openai_chat.models import read_models, write_model, write_models
from lockgate.errors import Malformed


def test_what_is_written_can_be_read():
    entry = ModelEntry(id="gpt-x", created_at=5, owned_by="openai", slug="prod")
    assert json.loads(write_model(entry)) == {
        "id": "@prod/gpt-x",
        "object": "model",
        "created": 5,
        "owned_by": "openai",
        "slug": "gpt-x",
        "canonical_slug": "gpt-x",
    }
    (read,) = read_models(write_models([entry]))
    assert (read.id, read.created_at, read.owned_by) == ("@prod/gpt-x", 5, "openai")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"data":[{}]}', b'{"data":[{"id":"\xff"}]}', b'{"data":' + b"[" * 100_000]
)
def test_garbage_is_malformed(body):
    with pytest.raises(Malformed):
        read_models(body)
