"""``defaults.recording`` of organisations, workspaces and keys: what is kept of requests and answers.

Beside Portkey's fields; of its own it has ``settings.debug_log`` of workspaces: 0 is ``metrics_only``.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.core.recording import BodyMode, PersonalKind, Rules
from lockgate.entities import RecordingChoice
from lockgate.errors import InvalidRequest

Path: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
HeaderName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,100}$")]


class RecordingBody(Struct, frozen=True, kw_only=True):
    """What is kept of requests and answers; null: as the workspace, the organisation or the configuration says."""

    mode: BodyMode | None = None
    """full, redacted, metrics_only or off."""
    enforce: bool = False
    """Whether nobody below may have it otherwise, nor a request with ``x-portkey-debug: false``."""
    personal: Annotated[list[PersonalKind], Meta(max_length=20)] | None = None
    """Personal data that ``redacted`` takes out."""
    action: Literal["mask", "hash"] | None = None
    drop_paths: Annotated[list[Path], Meta(max_length=50)] | None = None
    """What ``redacted`` cuts out of JSON bodies."""
    sensitive_headers: Annotated[list[HeaderName], Meta(max_length=50)] | None = None
    """Headers of which only a hash is kept, beside those that the ones above name."""


def read_recording(body: RecordingBody | UnsetType | None, old: RecordingChoice | None) -> RecordingChoice | None:
    """Return what is said; a field that is missing leaves the old choice, null clears it. Raises InvalidRequest."""
    if body is UNSET:
        return old
    if not isinstance(body, RecordingBody):
        return None
    choice = RecordingChoice(
        mode=body.mode,
        is_enforced=body.enforce,
        personal=None if body.personal is None else tuple(body.personal),
        action=body.action,
        drop_paths=None if body.drop_paths is None else tuple(body.drop_paths),
        sensitive_headers=None if body.sensitive_headers is None else tuple(body.sensitive_headers),
    )
    try:
        Rules(drop_paths=choice.drop_paths or ())
    except ValueError as error:
        raise InvalidRequest(f"defaults.recording.drop_paths: {error}", path="defaults.recording.drop_paths") from None
    return choice


def write_recording(choice: RecordingChoice | None) -> RecordingBody | None:
    """Return a choice for the wire."""
    if choice is None:
        return None
    return RecordingBody(
        mode=choice.mode,
        enforce=choice.is_enforced,
        personal=None if choice.personal is None else list(choice.personal),
        action=choice.action,
        drop_paths=None if choice.drop_paths is None else list(choice.drop_paths),
        sensitive_headers=None if choice.sensitive_headers is None else list(choice.sensitive_headers),
    )
