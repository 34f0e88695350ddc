"""``/v1/messages/count_tokens``: the provider's own count where it has one, else our estimate, never an error.

Source: Anthropic integration specification, section 6.1.
"""

from __future__ import annotations

import msgspec

from lockgate.core.body import Peek
from lockgate.core.estimate import estimate_tokens
from lockgate.dataplane.exchange import MULTIPLE_CHOICES, Exchange
from lockgate.dataplane.headers import relayed_headers
from lockgate.plan.resolve import Choice

_JSON = b"application/json"


class CountTokens(Exchange):
    """An exchange that counts instead of asking."""

    is_charged = False

    async def answer(self, choice: Choice, body: bytes, seen: Peek) -> None:
        """Count at the provider when it speaks our client's dialect and can count, else estimate."""
        await self.admit_call()
        provider = choice.target.provider
        dialect = self.plane.dialects[provider.dialect]
        if provider.count_tokens is None or dialect is not self.dialect:
            await self._estimate(body)
            return
        self.is_byte_path = True
        seals = self.seals_for(choice)
        is_foreign = seals.is_foreign if seals is not None else None
        written = dialect.forward(body, seen, choice.model, self.headers, None, is_foreign)
        self.ledger.prepared(written)
        request = self.request(choice.target, provider.count_tokens.path, written, is_stream=False)
        self.client.watch()
        response = await self.send(request)
        try:
            if response.status >= MULTIPLE_CHOICES:
                raise await self.rejected(response, dialect)
            data = await self.read_whole(response)
            await self.reply(response.status, data, _JSON, relayed_headers(response.headers))
        finally:
            response.close()

    async def _estimate(self, body: bytes) -> None:
        count = estimate_tokens(self.dialect.read_call(body))
        data = msgspec.json.encode({"input_tokens": count})
        await self.reply(200, data, _JSON, [(b"x-portkey-token-count", b"estimated")])
