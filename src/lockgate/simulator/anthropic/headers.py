"""The headers of the Anthropic API: what a request must carry, and what an answer does."""

from __future__ import annotations

from lockgate.simulator.anthropic.betas import KNOWN_BETAS
from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.provider import Headers, Request
from lockgate.simulator.settings import SimulatorSettings
from lockgate.simulator.shapes import Scope

VERSIONS = ("2023-06-01", "2026-10-21")
ORGANIZATION_ID = "0f5e2a51-7d3c-4d5b-9a67-3f1c8e4b2d90"
_RESET = "2026-01-01T00:00:00Z"
_LIMITS = (
    ("requests", 4000, 1),
    ("tokens", 5_000_000, 0),
    ("input-tokens", 4_000_000, 0),
    ("output-tokens", 1_000_000, 0),
)


def check_key(request: Request, settings: SimulatorSettings) -> None:
    """Refuse a request without a key that opens. Both spellings are accepted, as the API does."""
    key = request.headers.get("x-api-key", "")
    bearer = request.headers.get("authorization", "")
    if not key and not bearer:
        raise ApiError("x-api-key header is required", status=401)
    if key:
        if settings.api_keys and key not in settings.api_keys:
            raise ApiError("invalid x-api-key", status=401)
        return
    scheme, _, token = bearer.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or (settings.api_keys and token not in settings.api_keys):
        raise ApiError("Invalid bearer token", status=401)


def read_scope(request: Request) -> Scope:
    """Check the version and beta headers and return what they say."""
    version = request.headers.get("anthropic-version", "")
    if not version:
        raise ApiError("anthropic-version: header is required")
    if version not in VERSIONS:
        raise ApiError(f'anthropic-version: "{version}" is not a valid version')
    betas = [flag.strip() for flag in request.headers.get("anthropic-beta", "").split(",") if flag.strip()]
    unknown = [flag for flag in betas if flag not in KNOWN_BETAS]
    if unknown:
        listed = ", ".join(f"`{flag}`" for flag in unknown)
        raise ApiError(
            f"Unexpected value(s) {listed} for the `anthropic-beta` header. "
            "Please consult our documentation or try again without the header."
        )
    return Scope(betas=frozenset(betas), version=version)


def check_content_type(request: Request) -> None:
    """Refuse a body that does not say it is JSON."""
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "application/json":
        raise ApiError("content-type: header must be application/json")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if charset not in ("", "utf-8"):
        raise ApiError(f"content-type: charset {charset} is not supported")


def common_headers(request_id: str, *, is_limited: bool = False) -> Headers:
    """Return the headers that every answer carries; ``is_limited``: nothing is left of the rate limit."""
    limits: list[tuple[str, str]] = []
    for name, limit, used in _LIMITS:
        remaining = 0 if is_limited else limit - used
        limits.append((f"anthropic-ratelimit-{name}-limit", str(limit)))
        limits.append((f"anthropic-ratelimit-{name}-remaining", str(remaining)))
        limits.append((f"anthropic-ratelimit-{name}-reset", _RESET))
    return (
        ("x-lockgate-simulated", "true"),
        *((("request-id", request_id),) if request_id else ()),
        ("anthropic-organization-id", ORGANIZATION_ID),
        *limits,
    )
