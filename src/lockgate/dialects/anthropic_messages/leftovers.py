"""Names what a client wrote into a call or its messages and that has no place in the canonical form.

Does not belong here: keys of blocks, tools and options. Those are carried, and the writer that loses them names them.
"""

from __future__ import annotations

from lockgate.core.json_text import NULL, object_keys
from lockgate.core.shapes import name_lost, shape_of
from lockgate.dialects.anthropic_messages.wire import CallIn, MessageIn

_CALL_FIELDS = frozenset(CallIn.__struct_fields__)
_MESSAGE = shape_of(MessageIn)


def unknown_keys(body: bytes) -> tuple[str, ...]:
    """Return the paths of keys that nobody knows: those of the call, then those of its messages."""
    keys = object_keys(body)
    found = dict.fromkeys(name for name, value in keys.items() if name not in _CALL_FIELDS and value != NULL)
    name_lost(keys.get("messages", NULL), _MESSAGE, "messages", found)
    return tuple(found)
