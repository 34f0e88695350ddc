from __future__ import annotations

import msgspec

from lockgate.entities import ApiKey, Invite, KeyText, User
from lockgate.entities.entity import NEVER
from lockgate.store.audit import shown


def text(entity) -> str:
    return bytes(shown(entity)).decode()


def test_digests_and_hashes_are_masked_wherever_they_stand():
    key = ApiKey(
        name="k", kind="workspace-service", texts=(KeyText(digest="d" * 64, mask="gk_*****x7Q", created_at=NEVER),)
    )
    assert "dddd" not in text(key)
    assert "gk_*****x7Q" in text(key)
    assert "$argon2" not in text(User(email="a@b.c", password_hash="$argon2id$x"))
    assert "eeee" not in text(Invite(email="a@b.c", token_digest="e" * 64, expires_at=NEVER))


def test_what_is_not_there_stays_so():
    assert text(None) == "null"
    assert msgspec.json.decode(text(User(email="a@b.c")))["password_hash"] is None
