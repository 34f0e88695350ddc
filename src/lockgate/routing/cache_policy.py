"""Whether an answer may come from the cache, and whether one may go into it.

Source: gateway protocol specification, section 4.9; addendum of November 2026, section 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Literal

from msgspec import Raw, Struct

from lockgate.core.json_text import NULL
from lockgate.routing.outcome import Origin, Outcome

DEFAULT_MAX_AGE_S = 604_800
MIN_AGE_S, MAX_AGE_S = 60, 7_776_000
MAX_TENANT_AGE_S = 25_923_000
"""The longest that a tenant may set as its own default."""

STATEFUL = frozenset({"thread", "container", "compaction"})
"""Fields of a body that tie it to what one provider keeps: what was answered once is no answer again."""

UNCACHED = frozenset(
    "uploadFile listFiles retrieveFile deleteFile retrieveFileContent createBatch retrieveBatch cancelBatch "
    "listBatches getBatchOutput listFinetunes createFinetune retrieveFinetune cancelFinetune imageEdit realtime "
    "messagesCountTokens createTranscription createTranslation getModelResponse deleteModelResponse "
    "listResponseInputItems".split()
)
"""Operations whose answers are never kept."""

_OK = 200


class CachePolicy(Struct, frozen=True, kw_only=True):
    """A config's ``cache``."""

    mode: Literal["simple", "semantic"]
    max_age_s: int | None = None
    """None: not said."""


class CacheUse(Enum):
    """What is done with the cache, and what ``x-portkey-cache-status`` says when nothing was found in it."""

    DISABLED = "DISABLED"
    LOOKUP = "MISS"
    REFRESH = "REFRESH"
    """Not looked up; the answer takes the place of the one that is kept."""


class CacheAsked(Struct, frozen=True, kw_only=True):
    """What of a request decides about the cache."""

    operation: str
    method: str = "POST"
    is_json: bool = True
    is_refresh: bool = False
    """``x-portkey-cache-force-refresh`` is true."""
    is_debug_off: bool = False
    """``x-portkey-debug`` is false, and no setting of the tenant overrules it."""
    params: Mapping[str, Raw] = {}
    """The top level of the shaped body."""


def cache_use(policy: CachePolicy | None, asked: CacheAsked) -> CacheUse:
    """Decide for one request at one target."""
    if policy is None or asked.operation in UNCACHED or asked.is_debug_off or not asked.is_json:
        return CacheUse.DISABLED
    if asked.operation == "proxy" and (asked.method != "POST" or policy.mode != "simple"):
        return CacheUse.DISABLED
    if any(asked.params.get(field, NULL) != NULL for field in STATEFUL):
        return CacheUse.DISABLED
    return CacheUse.REFRESH if asked.is_refresh else CacheUse.LOOKUP


def max_age_s(policy: CachePolicy, tenant_default_s: int | None = None) -> int:
    """Return how long an answer may be used: the shorter of what config and tenant say, within the limits."""
    if tenant_default_s is not None:
        tenant_default_s = min(max(tenant_default_s, MIN_AGE_S), MAX_TENANT_AGE_S)
    if policy.max_age_s is None:
        return DEFAULT_MAX_AGE_S if tenant_default_s is None else tenant_default_s
    own = min(max(policy.max_age_s, MIN_AGE_S), MAX_AGE_S)
    return own if tenant_default_s is None else min(own, tenant_default_s)


def may_store(use: CacheUse, outcome: Outcome, *, is_complete: bool, is_error_object: bool) -> bool:
    """Tell whether an answer may be kept: a whole one with status 200 from the provider that is no error inside.

    ``is_complete`` is off for a stream that ended without its end marker, and for one that cannot be put together
    without loss.
    """
    return (
        use is not CacheUse.DISABLED
        and outcome.origin is Origin.PROVIDER
        and outcome.status == _OK
        and is_complete
        and not is_error_object
    )
