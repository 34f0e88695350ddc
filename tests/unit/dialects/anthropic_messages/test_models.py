import json

import pytest

from lockgate.core.models import ModelEntry
from lockgate.dialects.anthropic_messages.models import read_models, write_model, write_models
from lockgate.errors import Malformed


def test_what_is_written_can_be_read():
    entry = ModelEntry(id="claude-x", created_at=1_767_312_000, display_name="X", slug="prod")
    written = json.loads(write_model(entry))
    assert written == {
        "id": "@prod/claude-x",
        "type": "model",
        "display_name": "X",
        "created_at": "2026-01-02T00:00:00Z",
        "lifecycle": "active",
    }
    (read,) = read_models(write_models([entry]))
    assert (read.id, read.created_at, read.display_name) == ("@prod/claude-x", 1_767_312_000, "X")


def test_an_empty_list_has_no_first_and_last():
    assert json.loads(write_models([])) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data":[{}]}', b'{"data":3}', b'{"data":[{"id":"\xff"}]}'])
def test_garbage_is_malformed(body):
    with pytest.raises(Malformed):
        read_models(body)


def test_a_strange_date_is_no_error():
    assert read_models(b'{"data":[{"id":"a","created_at":"soon"}]}')[0].created_at == 0
