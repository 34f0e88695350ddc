"""The SDK's own classes are the oracle: what the table makes of an answer they take, and without it they would not."""

import pytest
from portkey_ai.api_resources.types.integrations_type import IntegrationWorkspacesResponse
from portkey_ai.api_resources.types.providers_type import ProviderListResponse
from pydantic import ValidationError

from lockgate.admin.sdk_shapes import TABLE, is_python_sdk, reshape

LIMIT = {"type": "requests", "unit": "rpm", "value": 5}
CLASSES = {
    ("GET", "/providers"): ProviderListResponse,
    ("GET", "/integrations/{slug}/workspaces"): IntegrationWorkspacesResponse,
}


def answer_of(rule, value):
    return {"object": "list", "total": 1, rule.entries: [{"id": "1", **dict.fromkeys(rule.fields, value)}]}


@pytest.mark.parametrize("where", TABLE, ids=str)
@pytest.mark.parametrize("value", [None, [], [LIMIT], [LIMIT, LIMIT]], ids=["null", "none", "one", "two"])
def test_the_sdk_takes_the_shape_and_nothing_is_lost(where, value):
    shaped = reshape(where[0], where[1], answer_of(TABLE[where], value))
    entry = CLASSES[where](**shaped).model_dump()[TABLE[where].entries][0]
    for field in TABLE[where].fields:
        assert entry[field] == (value[0] if value else None)
        assert entry[f"{field}_list"] == (value or [])


@pytest.mark.parametrize("where", TABLE, ids=str)
def test_without_the_table_the_sdk_would_refuse(where):
    with pytest.raises(ValidationError):
        CLASSES[where](**answer_of(TABLE[where], [LIMIT]))


def test_other_answers_stay_as_they_are():
    body = {"data": [{"rate_limits": [LIMIT]}]}
    assert reshape("GET", "/api-keys", body) is body


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({b"x-portkey-package-version": b"portkey-2.3.4", b"x-portkey-runtime": b"CPython"}, True),
        ({b"x-portkey-package-version": b"portkey-2.3.1"}, True),
        ({b"x-portkey-package-version": b"portkey-3.0.3", b"x-portkey-runtime": b"node"}, False),
        ({b"x-portkey-package-version": b"portkey-3.0.3", b"x-portkey-runtime": b"deno"}, False),
        ({b"x-portkey-package-version": b"portkey-2.3.1", b"x-portkey-runtime": b"PyPy"}, True),
        ({b"x-portkey-package-version": b"3.0.3"}, False),
        ({}, False),
    ],
)
def test_who_is_the_python_sdk(headers, expected):
    assert is_python_sdk(headers) is expected
