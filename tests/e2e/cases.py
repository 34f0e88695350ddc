"""The table of failing calls, and what every SDK must make of each.

A case is written once and runs with every generation of every SDK that can make it. What is expected comes from the
protocol (sections 5.3 to 5.5), not from what the gateway happens to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.e2e.clients import Client
from tests.e2e.gateway import BODY_LIMIT_BYTES, GATEWAY_KEY

CLAUDE = "claude-sonnet-5-5"
GPT = "gpt-4.1"
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
CLASSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    502: "InternalServerError",
    503: "InternalServerError",
    529: "InternalServerError",
}
"""The class that an SDK raises for a status, where it has one of its own. Else the base of all status errors."""
STATUS_ERROR = {"python": "APIStatusError", "javascript": "APIError"}
OWN_CLASSES = {
    ("python-newest", "anthropic"): {
        408: "RequestTimeoutError",
        413: "ContentTooLargeError",
        503: "ServiceUnavailableError",
        529: "OverloadedError",
    },
    ("python-previous", "anthropic"): {413: "RequestTooLargeError", 529: "OverloadedError"},
    ("python-older", "anthropic"): {413: "RequestTooLargeError", 529: "OverloadedError"},
    ("javascript-newest", "anthropic"): {
        408: "RequestTimeoutError",
        413: "ContentTooLargeError",
        503: "ServiceUnavailableError",
        529: "OverloadedError",
    },
}
"""Where one generation of an SDK has finer classes than the others."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A call that must fail, and how."""

    id: str
    sdk: str
    model: str
    text: str = "Hello"
    stream: bool = False
    api_key: str = GATEWAY_KEY
    max_tokens: int | None = 100
    pad_bytes: int = 0

    status: int
    """What the client sees. 200: the stream began well and fails later."""
    kind: str | None = None
    """``error.type``; None: it is the upstream's own word."""
    message: str = ""
    """What ``error.message`` must hold."""
    code: str | None = None
    upstream: str | None = None
    """Which upstream sees the call: simulator, recorder or none."""
    is_retried_once: bool = False
    """Whether a second try on a fresh connection is allowed: nothing had been answered on a reused one."""
    retry_after: str | None = None
    is_ours: bool = False
    """Whether ``x-portkey-gateway-exception`` must say that the gateway itself failed or refused."""

    def call(self, origin: str, client: str) -> dict[str, Any]:
        """Return the call as the drivers take it. Its text says who makes it, to find it again at the upstream."""
        return {
            "id": self.id,
            "sdk": self.sdk,
            "origin": origin,
            "model": self.model,
            "text": f"{self.text} {self.tag(client)}",
            "stream": self.stream,
            "api_key": self.api_key,
            "max_tokens": self.max_tokens,
            "pad_bytes": self.pad_bytes,
        }

    def tag(self, client: str) -> str:
        return f"(case {self.id} by {client})"


def both_ways(make: Callable[[bool], Iterator[Case]]) -> list[Case]:
    """Return the cases of a table, whole and streamed."""
    return [
        replace(case, id=f"{case.id}-streamed" if stream else case.id)
        for stream in (False, True)
        for case in make(stream)
    ]


def refusals(stream: bool) -> Iterator[Case]:
    """Calls that the gateway refuses by itself. No upstream may see them."""
    for sdk, model in (("anthropic", CLAUDE), ("openai", CLAUDE), ("portkey", CLAUDE)):
        base = Case(id=sdk, sdk=sdk, model=f"@sim-anthropic/{model}", stream=stream, status=400, is_ours=True)
        yield replace(
            base,
            id=f"wrong-key-{sdk}",
            api_key="not-a-key-of-ours",
            status=401,
            kind="authentication_error",
            message="Invalid API Key",
            code="03",
        )
        yield replace(
            base, id=f"unknown-slug-{sdk}", model="@nobody/claude-x", kind="invalid_request_error", message="nobody"
        )
        yield replace(
            base, id=f"no-provider-{sdk}", model=model, kind="invalid_request_error", message="x-portkey-provider"
        )
        yield replace(base, id=f"too-large-{sdk}", pad_bytes=8 * BODY_LIMIT_BYTES, status=413, kind="request_too_large")


def rejections(stream: bool) -> Iterator[Case]:
    """Calls that the provider refuses. Status, type and message are the provider's; one upstream call each."""
    routes = (
        ("messages", "anthropic", f"@sim-anthropic/{CLAUDE}"),
        ("translated", "openai", f"@sim-anthropic/{CLAUDE}"),
        ("chat", "openai", f"@sim-openai/{GPT}"),
    )
    for name, sdk, model in routes:
        # Same dialect on both sides: the provider's own bytes. Across dialects its name comes first.
        prefix = "anthropic error: " if name == "translated" else ""
        base = Case(id=name, sdk=sdk, model=model, stream=stream, status=404, message=prefix, upstream="simulator")
        types = {} if name == "chat" else ANTHROPIC_TYPES
        yield replace(
            base, id=f"unknown-model-{name}", model=model.partition("/")[0] + "/no-such-model", kind=types.get(404)
        )
        for status in ANTHROPIC_TYPES:
            retry_after = "7" if status == 429 else None
            directive = f"[[sim: status={status}, retry_after=7]]" if retry_after else f"[[sim: status={status}]]"
            yield replace(
                base,
                id=f"upstream-{status}-{name}",
                text=directive,
                status=status,
                kind=types.get(status),
                retry_after=retry_after,
            )
    yield Case(
        id="no-max-tokens-messages",
        sdk="anthropic",
        model=f"@sim-anthropic/{CLAUDE}",
        max_tokens=None,
        status=400,
        kind="invalid_request_error",
        message="max_tokens",
        upstream="simulator",
    )


def broken_connections(stream: bool) -> Iterator[Case]:
    """Calls to a provider that does not answer as HTTP servers do."""
    for name, sdk, vendor in (
        ("messages", "anthropic", "anthropic"),
        ("translated", "openai", "anthropic"),
        ("chat", "openai", "openai"),
    ):
        base = Case(
            id=name, sdk=sdk, model=f"@rec-{vendor}/m", stream=stream, status=502, kind="api_error", upstream="recorder"
        )
        yield replace(
            base,
            id=f"dead-{name}",
            model=f"@dead-{vendor}/m",
            status=503,
            upstream=None,
            is_ours=True,
            message="connection",
        )
        for fault in ("reset", "drop"):
            yield replace(base, id=f"{fault}-{name}", text=f"[[fault: {fault}]]", is_retried_once=True, is_ours=True)
        yield replace(
            base,
            id=f"stall-{name}",
            model=f"@slow-{vendor}/m",
            text="[[fault: stall]]",
            status=408,
            kind="timeout_error",
        )
        yield replace(
            base, id=f"page-{name}", text="[[fault: page]]", kind=None, message="Bad Gateway" if sdk == "openai" else ""
        )
    if not stream:
        yield Case(
            id="garbage-translated",
            sdk="openai",
            model="@rec-anthropic/m",
            text="[[fault: garbage]]",
            status=502,
            kind="api_error",
            upstream="recorder",
            is_ours=True,
        )


def broken_streams() -> Iterator[Case]:
    """Streams that begin well. The SDK must raise; it may not end as if the answer were complete."""
    for name, sdk, vendor in (
        ("messages", "anthropic", "anthropic"),
        ("translated", "openai", "anthropic"),
        ("chat", "openai", "openai"),
    ):
        base = Case(id=name, sdk=sdk, model=f"@rec-{vendor}/m", stream=True, status=200, upstream="recorder")
        incomplete = "api_error" if sdk == "anthropic" else "stream_incomplete"
        yield replace(base, id=f"cut-{name}", text="[[fault: cut]]", kind=incomplete)
        yield replace(base, id=f"short-{name}", text="[[fault: short]]", kind=incomplete)
        yield replace(
            base, id=f"pause-{name}", model=f"@slow-{vendor}/m", text="[[fault: pause]]", kind="timeout_error"
        )
        yield replace(
            base,
            id=f"error-event-{name}",
            text="[[fault: error_event]]",
            kind="server_error" if vendor == "openai" else "overloaded_error",
            message="Overloaded just now",
        )


CASES = [
    *both_ways(refusals),
    *both_ways(rejections),
    *both_ways(broken_connections),
    *broken_streams(),
]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one case with one client."""

    outcome: dict[str, Any]
    simulator_calls: int
    recorder_calls: int


def expected_class(client: Client, case: Case) -> str:
    """Return the name of the exception class that this client raises for the status of a case."""
    own = OWN_CLASSES.get((client.name, case.sdk), {})
    default = STATUS_ERROR[client.name.partition("-")[0]]
    return own.get(case.status) or CLASSES.get(case.status, default)


def error_of(body: Any) -> dict[str, Any]:
    """Return the error object of a body, which some SDKs hand over without its envelope."""
    assert isinstance(body, dict), f"the error has no JSON body but {body!r}"
    inner = body.get("error", body)
    assert isinstance(inner, dict), f"the error object is {inner!r}"
    return inner


def check(case: Case, client: Client, result: Result) -> None:
    """Assert that a call failed as its case says."""
    error = result.outcome["error"]
    assert error is not None, f"no exception; the client got {result.outcome['text']!r} as if it were complete"
    assert "APIError" in error["ancestors"], error
    inner = error_of(error["body"])
    assert inner.get("message"), "the message is empty"
    assert case.message in inner["message"]
    if case.kind:
        assert inner["type"] == case.kind
    if case.code:
        assert inner["code"] == case.code
    if case.status == 200:
        check_partial_answer(result.outcome)
    else:
        check_answer(case, client, error)
    check_upstream_calls(case, result)


def check_partial_answer(outcome: dict[str, Any]) -> None:
    assert outcome["text"], "what came before the fault is missing"
    assert not outcome["is_complete"], "the answer looks complete"


def check_answer(case: Case, client: Client, error: dict[str, Any]) -> None:
    headers = error["headers"]
    assert error["status"] == case.status
    assert error["class"] == expected_class(client, case)
    assert headers["content-type"].startswith("application/json")
    assert headers.get("retry-after") == case.retry_after
    assert (headers.get("x-portkey-gateway-exception") == "true") == case.is_ours
    assert headers["x-portkey-trace-id"]
    assert headers["x-portkey-request-id"]


def check_upstream_calls(case: Case, result: Result) -> None:
    allowed = {1, 2} if case.is_retried_once else {1}
    assert result.simulator_calls in (allowed if case.upstream == "simulator" else {0})
    assert result.recorder_calls in (allowed if case.upstream == "recorder" else {0})
