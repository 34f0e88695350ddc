"""Signatures: what the fake gave out sealed it recognises again, and nothing else.

The real API signs thinking and encrypts search results; a caller can do nothing with either but send it back unchanged.
Here a seal is a nonce and a MAC over the seed, the purpose and the text that travels beside it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import blake2b
from typing import Any

from lockgate.simulator.dice import Dice

_NONCE_BYTES = 18
_BINDING_BYTES = 12
_MAC_BYTES = 32


class Sealer:
    """Makes and checks the seals of one seed."""

    def __init__(self, seed: int) -> None:
        self._key = blake2b(f"seal:{seed}".encode(), digest_size=32).digest()

    def seal(self, purpose: str, text: str, dice: Dice, *, binding: bytes = b"") -> str:
        """Return a seal for a text; ``binding`` can be asked for again when it is opened."""
        head = dice.bytes(_NONCE_BYTES) + binding.ljust(_BINDING_BYTES, b"\0")[:_BINDING_BYTES]
        return base64.b64encode(head + self._mac(purpose, text, head)).decode()

    def open(self, purpose: str, text: str, seal: str) -> bytes | None:
        """Return the binding of a seal we made for this text; None: we did not."""
        try:
            raw = base64.b64decode(seal, validate=True)
        except (binascii.Error, ValueError):
            return None
        head, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if len(head) != _NONCE_BYTES + _BINDING_BYTES or not hmac.compare_digest(mac, self._mac(purpose, text, head)):
            return None
        return head[_NONCE_BYTES:]

    def _mac(self, purpose: str, text: str, head: bytes) -> bytes:
        body = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
        return blake2b(head + body, key=self._key, digest_size=_MAC_BYTES).digest()


def blocks_of(message: Any) -> list[Any]:
    """Return a message's content as blocks."""
    content = message.get("content", [])
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
