"""Under which names a model's price may be filed. No guessing: each step takes off what a platform documents.

The exact id first; then without a path (an ARN, a publisher's folder), without Bedrock's geography, without a date or a
version at the end. A name that is none of these is unpriced, and that is meant so: ``claude-sonnet-4-5-house`` is
nobody's model. Source: control-plane specification, section 8.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_GEOGRAPHY = re.compile(r"^(us-gov|us|eu|apac|au|ca|jp|in|global)\.(?=[a-z0-9-]+\.)")
_ARN = re.compile(
    r"^arn:aws[\w-]*:bedrock:(?P<region>[a-z0-9-]*):\d*:(?:foundation-model|inference-profile)/(?P<id>.+)$"
)
_PUBLISHER = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/(?P<id>[^/]+)$")
_VERSION = re.compile(r"(-v\d+(:\d+)?(:\d+k)?|:\d+|@default|@latest|-latest)$")
_DATE = re.compile(r"([-@]20\d{6}|-20\d{2}-\d{2}-\d{2})$")


def split_place(model: str) -> tuple[str, str | None]:
    """Return a model's id without an ARN or a publisher's path around it, and the place that its prefix names."""
    found = _ARN.match(model) or _PUBLISHER.match(model)
    name = found["id"] if found else model
    prefix = _GEOGRAPHY.match(name)
    return name, prefix[1] if prefix else None


def names_of(model: str) -> Iterator[str]:
    """Yield the names to look for, best first; some may come twice."""
    name, place = split_place(model)
    yield model
    yield name
    yield from _shorter(name)
    if place is not None:
        bare = name[len(place) + 1 :]
        yield bare
        yield from _shorter(bare)


def _shorter(name: str) -> Iterator[str]:
    """Yield a name without its version, then without its date."""
    versionless = _VERSION.sub("", name)
    if versionless != name and versionless:
        yield versionless
    dateless = _DATE.sub("", versionless)
    if dateless != versionless and dateless:
        yield dateless
