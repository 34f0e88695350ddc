from __future__ import annotations

import msgspec
import pytest

from lockgate.store.replies import Asked, _digest, _key, _place

ASKED = Asked(organisation_id="o", caller="c", name="POST /x k", request=b"{}")


@pytest.mark.parametrize("change", [{"caller": "d"}, {"name": "POST /x l"}, {"name": "half \ud800"}])
def test_each_caller_and_name_has_a_place_of_its_own(change):
    assert _place(msgspec.structs.replace(ASKED, **change)) != _place(ASKED)


def test_a_clients_text_is_not_stored():
    assert "POST" not in _key(ASKED) + _place(ASKED)


def test_a_request_is_the_same_byte_by_byte():
    assert _digest(ASKED) == _digest(msgspec.structs.replace(ASKED, name="other"))
    assert _digest(ASKED) != _digest(msgspec.structs.replace(ASKED, request=b"{ }"))
