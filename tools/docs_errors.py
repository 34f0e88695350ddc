"""docs/reference/errors.md, from the classes of lockgate.errors."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate import errors
from tools.docstrings import cell, class_doc

HEAD = """\
# Errors

What can go wrong, and what you see then. `code` is stable: it stands in the record. `type` is `error.type` of the body.
*Retry* says whether the same request may succeed later or elsewhere without a change.

Answers that the gateway itself gives carry `x-portkey-gateway-exception: true`; a provider's own error keeps the
provider's status and words. Every answer carries `x-portkey-request-id` and `x-portkey-trace-id`: quote them when
you ask for help. How errors look on the wire is in [HTTP API](http-api.md#errors).

| code | status | type | retry | from | what happened |
|---|---|---|---|---|---|
"""


def errors_page() -> str:
    """Return the page: one row for each class, in the order of the source."""
    return HEAD + "".join(row(kind) for kind in error_classes())


def error_classes() -> Iterator[type[errors.GatewayError]]:
    """Yield every error that can happen by itself, in the order of the source."""
    for kind in vars(errors).values():
        is_error = isinstance(kind, type) and issubclass(kind, errors.GatewayError)
        if is_error and kind not in (errors.GatewayError, errors.UpstreamError):
            yield kind


def row(kind: type[errors.GatewayError]) -> str:
    """Return the table row of one class."""
    status: object = kind.status
    wire_type = f"`{kind.kind}`"
    if kind is errors.Rejected:
        status, wire_type = "the provider's", "the provider's"
    if kind in (errors.ConfigError, errors.ClientGone):
        status = "never sent"
    whose = "gateway" if kind.is_ours else "provider"
    again = "yes" if kind.retryable else "no"
    return f"| `{kind.code}` | {status} | {wire_type} | {again} | {whose} | {cell(class_doc(kind))} |\n"
