"""Configs that come with requests: clients send the same few over and over, so compiled ones are kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

import msgspec

from lockgate.config.routes import ConfigRules, read_config
from lockgate.routing.compile import compile_routes
from lockgate.routing.tree import Routes

MAX_KEPT = 500
MAX_KEPT_BYTES = 4 * 1024 * 1024
"""Of the texts, all together."""


class InlineConfigs:
    """Reads and compiles under one set of rules; to be made anew with them."""

    def __init__(self, rules: ConfigRules) -> None:
        self._rules = rules
        self._kept: OrderedDict[bytes, Routes] = OrderedDict()
        self._size_bytes = 0

    def compile(self, text: bytes) -> Routes:
        """Return the routes of a config. Raises InvalidConfig, which is not kept."""
        found = self._kept.get(text)
        if found is not None:
            self._kept.move_to_end(text)
            return found
        routes = compile_routes(read_config(text, self._rules), inline_id(text))
        self._kept[text] = routes
        self._size_bytes += len(text)
        while len(self._kept) > MAX_KEPT or self._size_bytes > MAX_KEPT_BYTES:
            gone, _ = self._kept.popitem(last=False)
            self._size_bytes -= len(gone)
        return routes


def inline_id(text: bytes) -> str:
    """Return what stands for the id of a config that has none: the same for all that say the same."""
    canonical = _write(msgspec.json.decode(text))
    return f"inline-{sha256(canonical).hexdigest()[:32]}"


_write = msgspec.json.Encoder(order="sorted").encode
