"""What may come from the cache and go into it: the tables of section 4.9."""

from __future__ import annotations

import pytest

from lockgate.core.json_text import object_keys
from lockgate.routing.cache_policy import UNCACHED, CacheAsked, CachePolicy, CacheUse, cache_use, max_age_s, may_store
from lockgate.routing.outcome import Origin, Outcome
from tests.unit.routing.configs import LOST, TIMEOUT, status

SIMPLE, SEMANTIC = CachePolicy(mode="simple"), CachePolicy(mode="semantic")


def use(policy=SIMPLE, body=b"{}", **asked):
    asked.setdefault("operation", "chatComplete")
    return cache_use(policy, CacheAsked(params=object_keys(body), **asked))


@pytest.mark.parametrize("operation", ["chatComplete", "messages", "complete", "embed", "createModelResponse"])
def test_operations_that_are_cached(operation):
    assert use(operation=operation) is CacheUse.LOOKUP
    assert use(SEMANTIC, operation=operation) is CacheUse.LOOKUP


@pytest.mark.parametrize("operation", sorted(UNCACHED))
def test_operations_that_never_are(operation):
    assert use(operation=operation) is CacheUse.DISABLED


def test_the_list_of_those_is_complete():
    expected = (
        "uploadFile listFiles retrieveFile deleteFile retrieveFileContent createBatch retrieveBatch cancelBatch "
        "listBatches getBatchOutput listFinetunes createFinetune retrieveFinetune cancelFinetune imageEdit realtime "
        "messagesCountTokens createTranscription createTranslation getModelResponse deleteModelResponse "
        "listResponseInputItems"
    )
    assert set(expected.split()) == UNCACHED


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"policy": None}, CacheUse.DISABLED),
        ({"policy": None, "is_refresh": True}, CacheUse.DISABLED),
        ({"is_refresh": True}, CacheUse.REFRESH),
        ({"is_debug_off": True}, CacheUse.DISABLED),
        ({"is_debug_off": True, "is_refresh": True}, CacheUse.DISABLED),
        ({"is_json": False}, CacheUse.DISABLED),
        ({"operation": "proxy"}, CacheUse.LOOKUP),
        ({"operation": "proxy", "method": "GET"}, CacheUse.DISABLED),
        ({"operation": "proxy", "policy": SEMANTIC}, CacheUse.DISABLED),
        ({"body": b'{"thread":{"type":"create"}}'}, CacheUse.DISABLED),
        ({"body": b'{"container":"c"}'}, CacheUse.DISABLED),
        ({"body": b'{"compaction":{"type":"summarize"}}'}, CacheUse.DISABLED),
        ({"body": b'{"thread":null}'}, CacheUse.LOOKUP),
        ({"body": b'{"messages":[{"thread":1}]}'}, CacheUse.LOOKUP),
    ],
)
def test_what_a_request_says_about_the_cache(given, expected):
    assert use(**given) is expected


@pytest.mark.parametrize(
    "own, tenant, expected",
    [
        (None, None, 604_800),
        (300, None, 300),
        (1, None, 60),
        (10**9, None, 7_776_000),
        (None, 120, 120),
        (None, 10**9, 25_923_000),
        (300, 120, 120),
        (120, 300, 120),
        (10**9, 10**9, 7_776_000),
    ],
)
def test_the_age_in_seconds(own, tenant, expected):
    assert max_age_s(CachePolicy(mode="simple", max_age_s=own), tenant) == expected


@pytest.mark.parametrize(
    "outcome, given, expected",
    [
        (status(200), {}, True),
        (status(200), {"use": CacheUse.REFRESH}, True),
        (status(200), {"use": CacheUse.DISABLED}, False),
        (status(200), {"is_complete": False}, False),
        (status(200), {"is_error_object": True}, False),
        (status(201), {}, False),
        (status(206), {}, False),
        (status(246), {}, False),
        (Outcome(status=246, origin=Origin.OUTPUT_HOOK), {}, False),
        (Outcome(status=446, origin=Origin.INPUT_HOOK), {}, False),
        (Outcome(status=200, origin=Origin.CACHE), {}, False),
        (status(429), {}, False),
        (status(500), {}, False),
        (LOST, {}, False),
        (TIMEOUT, {}, False),
    ],
)
def test_only_whole_good_answers_are_kept(outcome, given, expected):
    given = {"use": CacheUse.LOOKUP, "is_complete": True, "is_error_object": False, **given}
    assert may_store(given.pop("use"), outcome, **given) is expected
