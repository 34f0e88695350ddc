"""Which parts of a config are secrets: keys of providers, and what one vendor alone understands."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from lockgate.config.routes.nodes import CLOUD_KEYS
from lockgate.config.routes.read import snake_case

MASK = "*****"
_CLOUD = re.compile(CLOUD_KEYS)


def mask_secrets(text: bytes) -> bytes:
    """Return the JSON of a config with secrets replaced; the very same text when it holds none."""
    value = msgspec.json.decode(text)
    places = list(_secrets(value, ""))
    for node, key, _ in places:
        node[key] = MASK
    return msgspec.json.encode(value) if places else text


def find_masks(text: bytes) -> list[str]:
    """Return the paths at which a mask stands in place of a secret: whoever saves it would lose the secret."""
    return [path for node, key, path in _secrets(msgspec.json.decode(text), "") if node[key] == MASK]


def _secrets(value: object, path: str) -> Iterator[tuple[dict[str, object], str, str]]:
    """Yield the nodes that hold secrets, each with the key and the path of one."""
    if not isinstance(value, dict):
        return
    for key, child in value.items():
        name = snake_case(key)
        if name == "api_key" or _CLOUD.match(name):
            yield value, key, f"{path}{key}"
        elif name == "targets" and isinstance(child, list):
            for at, target in enumerate(child):
                yield from _secrets(target, f"{path}{key}.{at}.")
