from __future__ import annotations

import msgspec
import pytest

from lockgate.core.secret import Secret
from lockgate.entities import ApiKey, KeyText, Organisation, User
from lockgate.errors import InvalidRequest
from lockgate.plan.keys import is_well_formed
from lockgate.store.api_keys import issue_key
from tests.contract.store.world import digest


def blank(world, **more):
    return ApiKey(workspace_id=world.a.id, name="svc", kind="workspace-service", **more)


def test_a_new_key_opens_and_its_text_is_stored_nowhere(directory, world):
    with directory.change(world.of_a) as tx:
        issued = issue_key(tx, blank(world))
        assert tx.find_api_key(digest(issued.text.reveal())) == issued.key
    text = issued.text.reveal()
    assert is_well_formed(text)
    assert text.startswith("gk_")
    assert issued.key.texts[0].mask == f"gk_*****{text[-3:]}"
    assert text not in msgspec.json.encode(issued.key).decode() + repr(issued)


def test_an_operators_own_text_is_taken(directory, world):
    with directory.change(world.of_a) as tx:
        issued = issue_key(tx, blank(world), text=Secret("a text of their own"))
        assert tx.find_api_key(digest("a text of their own")) == issued.key
        assert issued.text == Secret("a text of their own")


def test_a_key_is_found_by_each_of_its_texts_and_by_no_former_one(directory, world, clock):
    texts = [KeyText(digest=digest(text), mask="", created_at=clock.now) for text in ("one", "two", "three")]
    with directory.change(world.of_a) as tx:
        key = issue_key(tx, blank(world), text=Secret("one")).key
        rotating = tx.update(msgspec.structs.replace(key, texts=(texts[1], texts[0])))
        assert tx.find_api_key(digest("one")) == tx.find_api_key(digest("two")) == rotating
        with pytest.raises(InvalidRequest, match="one text, or two"):
            tx.update(msgspec.structs.replace(rotating, texts=tuple(texts)))
        with pytest.raises(InvalidRequest, match="one text, or two"):
            tx.update(msgspec.structs.replace(rotating, texts=()))
        done = tx.update(msgspec.structs.replace(rotating, texts=(texts[1],)))
        assert tx.find_api_key(digest("one")) is None
        assert tx.find_api_key(digest("two")) == done
        issue_key(tx, blank(world), text=Secret("one"))


@pytest.mark.parametrize(
    "change, path",
    [
        ({"kind": "organisation-service"}, "workspace_id"),
        ({"workspace_id": None}, "workspace_id"),
        ({"kind": "workspace-user"}, "user_id"),
        ({"user_id": "somebody"}, "user_id"),
    ],
)
def test_a_kind_has_its_shape(directory, world, change, path):
    with pytest.raises(InvalidRequest) as raised, directory.change(world.admin) as tx:
        if "user_id" in change:
            change = {"user_id": tx.insert(User(email="a@b.c")).id}
        issue_key(tx, msgspec.structs.replace(blank(world), **change))
    assert raised.value.path == path


def test_the_organisation_limits_how_long_keys_live(directory, world, clock):
    with directory.change(world.admin) as tx:
        old = issue_key(tx, blank(world)).key
        tx.update(msgspec.structs.replace(tx.get(Organisation, "acme"), api_key_max_ttl_s=86400))
        for end in (None, clock.now.replace(year=2027)):
            with pytest.raises(InvalidRequest, match="at most 1 days") as raised:
                issue_key(tx, blank(world, expires_at=end))
            assert raised.value.path == "expires_at"
        issue_key(tx, blank(world, expires_at=clock.now.replace(hour=20)))
        tx.update(msgspec.structs.replace(old, name="an older key can still be renamed"))
