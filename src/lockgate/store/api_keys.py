"""Making API keys. The text is in the answer only; what is stored is its digest."""

from __future__ import annotations

import os

import msgspec
from msgspec import Struct

from lockgate.core.secret import Secret
from lockgate.entities import ApiKey, KeyText
from lockgate.entities.secret_fields import mask
from lockgate.plan.keys import digest_of, write_key
from lockgate.store.transaction import Transaction

_KEY_BYTES = 32


class Issued(Struct, frozen=True, kw_only=True):
    """A key and its text, which is shown once."""

    key: ApiKey
    text: Secret


def issue_key(tx: Transaction, key: ApiKey, *, text: Secret | None = None) -> Issued:
    """Store a new key with a new text, or with one that an operator brings. Raises as ``tx.insert`` does."""
    text = text or new_text()
    stored = tx.insert(msgspec.structs.replace(key, texts=(_text(tx, text),)))
    return Issued(key=stored, text=text)


def new_text() -> Secret:
    """Return a key's text that nobody has."""
    return Secret(write_key(os.urandom(_KEY_BYTES)))


def _text(tx: Transaction, text: Secret) -> KeyText:
    revealed = text.reveal()
    return KeyText(digest=digest_of(revealed).hex(), mask=mask(revealed), created_at=tx.now)
