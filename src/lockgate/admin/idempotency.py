"""``Idempotency-Key``: the same request with the same key within a day gets the stored answer, not a second effect.

A request that was refused changed nothing and may be tried again. Source: control-plane specification, section 0.7.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from lockgate.admin.call import Call
from lockgate.errors import GatewayError, InvalidRequest
from lockgate.store.directory import Directory
from lockgate.store.replies import Asked, Reply, begin, finish

MAX_KEY = 255
_REPLAY = (b"x-lockgate-idempotent-replay", b"true")

_log = logging.getLogger("lockgate.admin")


def read_asked(key: str, call: Call[Any, Any], body: bytes) -> Asked:
    """Return what makes the request the same as another. Raises InvalidRequest for a key that is too long."""
    if len(key) > MAX_KEY:
        raise InvalidRequest(f"Idempotency-Key: must have at most {MAX_KEY} characters")
    principal = call.principal
    return Asked(
        organisation_id=principal.organisation_id,
        caller=principal.key.id,
        name=f"{call.method} {call.uri} {key}",
        request=body,
    )


def once(directory: Directory, asked: Asked, work: Callable[[], Reply]) -> Reply:
    """Do the work and keep its answer, or return the answer that is kept, marked as a replay.

    Raises Conflict when the key was used for another request, or while the first one is still under way.
    """
    kept = begin(directory, asked)
    if kept is not None:
        return msgspec.structs.replace(kept, headers=(*kept.headers, _REPLAY))
    answer: Reply | None = None
    try:
        answer = work()
    finally:
        _finish(directory, asked, answer)
    return answer


def _finish(directory: Directory, asked: Asked, answer: Reply | None) -> None:
    """Keep the answer. Work that is done is answered, also when it cannot be kept."""
    try:
        finish(directory, asked, answer)
    except GatewayError as error:
        _log.warning("the answer to an Idempotency-Key could not be kept: %s", error)
