"""What somebody says about the bodies of requests: an organisation, a workspace, a key."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from lockgate.core.recording import BodyMode, PersonalKind


class RecordingChoice(Struct, frozen=True, kw_only=True):
    """None: as the one above says, which is the workspace, the organisation, and at last the configuration."""

    mode: BodyMode | None = None
    is_enforced: bool = False
    """Whether nobody below may have it otherwise: no workspace, no key and no request."""
    personal: tuple[PersonalKind, ...] | None = None
    action: Literal["mask", "hash"] | None = None
    drop_paths: tuple[str, ...] | None = None
    sensitive_headers: tuple[str, ...] | None = None
