"""OpenAI's SDK raises the right exception with the right words."""

from __future__ import annotations

import openai
import pytest

from lockgate.dialects.openai_chat import DIALECT
from lockgate.errors import Draining, InvalidRequest, NotFound, Rejected, Unauthenticated
from tests.unit.dialects.openai_chat.sdk import client

CASES = {
    "key": (Unauthenticated("Invalid API Key", wire_code="03"), openai.AuthenticationError, "Invalid API Key"),
    "field": (InvalidRequest("n: x", path="messages[0].role"), openai.BadRequestError, "n: x"),
    "route": (NotFound("no such route"), openai.NotFoundError, "no such route"),
    "draining": (Draining("shutting down"), openai.InternalServerError, "shutting down"),
    "provider": (
        Rejected("slow down", status=429, kind="rate_limit_error", wire_code="rate_limit_exceeded", param="p"),
        openai.RateLimitError,
        "anthropic error: slow down",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_sdk_says_what_went_wrong(name):
    error, kind, message = CASES[name]
    body = DIALECT.write_error(error, request_id="req_1", provider="anthropic")
    with client(body, status=error.status) as found, pytest.raises(kind) as caught:
        found.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert message in str(caught.value)
    assert caught.value.type == error.kind
    assert caught.value.code == error.wire_code
    assert caught.value.param == (error.param if isinstance(error, Rejected) else error.path)
