"""The error tree. Each class states its HTTP status, stable code, kind and whether another target may help.

    GatewayError
    ├── InvalidRequest      400  the client's input is wrong; ``path`` says where
    │   ├── Unsupported     400  right in itself, but the target cannot express it
    │   ├── BadFilter       400  a filter of records is wrong; ``start`` and ``end`` say which token
    │   ├── InvalidDocument 400  something in a document of the declarative state; ``faults`` has each with its line
    │   └── InvalidConfig   400  the config that routes the request is wrong; ``faults`` has each path
    ├── Unauthenticated     401  no gateway key, or none that we know
    ├── Forbidden           403
    ├── NotFound            404  no such route or object
    ├── MethodNotAllowed    405  the route exists, but not for this method
    ├── ModelNotAllowed     412  the provider record does not offer this model
    ├── Conflict            409  not in the state of a thing; asking again at once would not help
    ├── PreconditionFailed  412  the thing has changed since the version that If-Match names
    ├── TooLarge            413
    ├── ClientGone          499  the client left before the answer was complete
    ├── NoTarget            400  nothing says which provider serves the request
    ├── Draining            503  the gateway is shutting down
    ├── LimitReached             a budget or a rate refuses; ``limit`` says which
    │   ├── RateLimited     429  too many requests or tokens in too short a time
    │   ├── BudgetReserved  429  what is left is reserved by requests or batches under way
    │   └── BudgetExceeded  412  a budget is used up, or less is left than the request may cost
    ├── CountersUnreachable 503  the store of budgets and rates does not answer
    ├── Unavailable         503  the database cannot be reached
    ├── UpstreamError       ...  the provider's side failed
    │   ├── Unreachable     503  no connection could be made
    │   ├── TimedOut        408  one of our time limits ran out
    │   ├── Broken          502  the connection broke before the answer was complete
    │   │   └── StreamCut   502  a stream ended without its end marker
    │   ├── Malformed       502  the answer is not what the dialect promises
    │   └── Rejected        =    the provider answered with an error; its status is kept
    ├── ConfigError         -    what an operator wrote is wrong; never sent to a client
    │   └── ConfigFaults    -    several of them
    └── Internal            500  a bug of ours

``kind`` is the ``error.type`` that clients read; it uses Anthropic's vocabulary, which both dialects
understand. Constructing an error logs nothing; the edge renders it once, in the client's dialect.
Messages never hold a secret, a prompt or an upstream body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple


class GatewayError(Exception):
    """Base of all errors that Lockgate raises on purpose."""

    status: int = 500
    code: ClassVar[str] = "internal"
    kind: str = "api_error"
    retryable: ClassVar[bool] = False
    is_ours: ClassVar[bool] = True
    """True: the gateway refused or failed by itself; False: the provider's side did."""

    def __init__(self, message: str, *, path: str | None = None, wire_code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        """Where in the client's input the fault is, e.g. ``messages[2].content[0].type``."""
        self.wire_code = wire_code
        """What ``error.code`` says on the wire when it differs from null, always text."""


class InvalidRequest(GatewayError):
    """The client's input is wrong."""

    status = 400
    code = "invalid_request"
    kind = "invalid_request_error"


class Unsupported(InvalidRequest):
    """The input is valid, but the chosen target cannot express it."""

    code = "unsupported"


class Fault(NamedTuple):
    """One thing that is wrong, and where."""

    path: str
    """Dotted, such as ``targets.0.weight``; empty for the whole."""
    what: str

    def __str__(self) -> str:
        return f"path: {self.path}, message: {self.what}"


class PlacedFault(NamedTuple):
    """One thing that is wrong in a text."""

    path: str
    """Such as ``keys[0].scopes``; empty for the whole."""
    what: str
    line: int | None = None
    """From 1; None where there is no text."""

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.path}: {self.what}" if self.path else f"{where}{self.what}"


class InvalidConfig(InvalidRequest):
    """The config that routes the request is wrong. The answer lists each fault with its path."""

    code = "invalid_config"

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        where = f"{first.path}: " if first.path else ""
        super().__init__(f"Invalid config passed: {where}{first.what}{more}", path=first.path or None)
        self.faults = tuple(faults)


class InvalidDocument(InvalidRequest):
    """Something in a document of the declarative state is wrong. All faults are listed, each with its place."""

    code = "invalid_document"

    def __init__(self, faults: Sequence[PlacedFault]) -> None:
        several = f"{len(faults)} faults, and nothing is changed:\n" if len(faults) > 1 else ""
        super().__init__(several + "\n".join(map(str, faults)), path=faults[0].path or None)
        self.faults = tuple(faults)


class BadFilter(InvalidRequest):
    """A filter of records is wrong; the message says what, ``start`` and ``end`` where in its text."""

    code = "bad_filter"

    def __init__(self, message: str, *, start: int, end: int) -> None:
        super().__init__(f"{message} (characters {start} to {end})", path=f"filter[{start}:{end}]")
        self.start = start
        self.end = end


class NoTarget(InvalidRequest):
    """Nothing in the request says which provider should serve it, or the one named is unknown."""

    code = "no_target"


class Unauthenticated(GatewayError):
    """No gateway key was given, or none that we know."""

    status = 401
    code = "unauthenticated"
    kind = "authentication_error"


class Forbidden(GatewayError):
    """The key is known but may not do this."""

    status = 403
    code = "forbidden"
    kind = "permission_error"


class NotFound(GatewayError):
    """No such route or object."""

    status = 404
    code = "not_found"
    kind = "not_found_error"


class MethodNotAllowed(GatewayError):
    """The route exists, but not for this method."""

    status = 405
    code = "method_not_allowed"
    kind = "invalid_request_error"


class ModelNotAllowed(GatewayError):
    """The provider record does not offer the model that was asked for."""

    status = 412
    code = "model_not_allowed"
    kind = "model_not_allowed_error"


class Conflict(GatewayError):
    """The thing exists, but what was asked of it is not possible in the state it is in."""

    status = 409
    code = "conflict"
    kind = "invalid_request_error"


class PreconditionFailed(GatewayError):
    """The thing is at another version than the one that ``If-Match`` names."""

    status = 412
    code = "precondition_failed"
    kind = "invalid_request_error"


class TooLarge(GatewayError):
    """The request is larger than the limit."""

    status = 413
    code = "too_large"
    kind = "request_too_large"


class ClientGone(GatewayError):
    """The client left before the answer was complete. Never sent; it is what the record says."""

    status = 499
    code = "client_gone"
    kind = "api_error"


class Draining(GatewayError):
    """The gateway is shutting down and takes no new requests."""

    status = 503
    code = "draining"
    kind = "overloaded_error"
    retryable = True


class LimitReached(GatewayError):
    """A budget or a rate refuses the request."""

    code = "limit_reached"

    def __init__(
        self,
        message: str,
        *,
        limit: Mapping[str, object] | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        is_of_target: bool = False,
    ) -> None:
        super().__init__(message, wire_code=self.code)
        self.is_of_target = is_of_target
        """Whether it is a limit of who serves, so that another target may help; else one of who asks."""
        self.limit = limit
        """What ``error.limit`` says on the wire: which limit, how far it is used, when it resets."""
        self.headers = headers
        """The same for clients that read headers, and when to ask again."""


class RateLimited(LimitReached):
    """Too many requests or tokens in too short a time."""

    status = 429
    code = "rate_limit_exceeded"
    kind = "rate_limit_error"


class BudgetReserved(LimitReached):
    """What is left of a budget is reserved: by requests under way, which clears in seconds, or by batches, which may
    take hours; then there is no ``retry-after``, and ``x-should-retry`` is false."""

    status = 429
    code = "budget_reserved"
    kind = "rate_limit_error"


class BudgetExceeded(LimitReached):
    """A budget is used up, or less is left of it than the request may cost."""

    status = 412
    code = "budget_exceeded"
    kind = "budget_exceeded"


class CountersUnreachable(GatewayError):
    """The store of the counters of budgets and rates does not answer."""

    status = 503
    code = "counters_unreachable"
    retryable = True


class Unavailable(GatewayError):
    """The database cannot be reached, or is busy for too long. Requests to models go on without it."""

    status = 503
    code = "unavailable"
    kind = "overloaded_error"
    retryable = True


class Internal(GatewayError):
    """A bug of ours. The message is always the same; details go to the log."""


class ConfigError(GatewayError):
    """What an operator wrote is wrong. ``path`` holds ``file:line`` where it is known."""

    code = "config"
    kind = "invalid_request_error"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigFaults(ConfigError):
    """Several things that an operator wrote are wrong: all of them, a line each."""

    def __init__(self, faults: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def raise_all(faults: Sequence[ConfigError]) -> None:
    """Raise the faults together, one alone as it is, and nothing when there is none."""
    if len(faults) > 1:
        raise ConfigFaults(faults)
    if faults:
        raise faults[0]


class UpstreamError(GatewayError):
    """The provider's side failed."""

    code = "upstream"
    retryable = True
    is_ours = False


class Unreachable(UpstreamError):
    """No connection to the provider could be made, so no byte of the request was sent."""

    status = 503
    code = "upstream_unreachable"
    is_ours = True


class TimedOut(UpstreamError):
    """One of our time limits ran out. ``phase`` is one of pool, connect, tls, write, first_byte, idle, total, and
    request, which is the client's own limit."""

    status = 408
    code = "upstream_timeout"
    kind = "timeout_error"

    def __init__(self, message: str, *, phase: str) -> None:
        super().__init__(message)
        self.phase = phase


class Broken(UpstreamError):
    """The connection broke before the answer was complete."""

    status = 502
    code = "upstream_broken"
    is_ours = True


class StreamCut(Broken):
    """A stream ended without its dialect's end marker."""

    code = "upstream_stream_cut"
    kind = "stream_incomplete"


class Malformed(UpstreamError):
    """The provider's answer is not what its dialect promises."""

    status = 502
    code = "upstream_malformed"
    is_ours = True


class Rejected(UpstreamError):
    """The provider answered with an error status, or with an error event inside a stream."""

    code = "upstream_rejected"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        status: int,
        kind: str,
        wire_code: str | None = None,
        param: str | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message, wire_code=wire_code)
        self.status = status
        self.kind = kind
        self.param = param
        self.body = body
        """The provider's own bytes, to be relayed as they are where the dialects are the same."""
