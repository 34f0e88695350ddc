"""Gateway keys: what opens Lockgate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from msgspec import Struct

from lockgate.entities.entity import Entity
from lockgate.entities.limits import RateLimit, UsageLimit
from lockgate.entities.recording import RecordingChoice

KeyKind: TypeAlias = Literal["organisation-service", "workspace-service", "workspace-user"]


class KeyText(Struct, frozen=True, kw_only=True):
    """One text that opens, as its digest. A key that is being rotated has two."""

    digest: str
    """SHA-256 of the text in hex; unique over everything."""
    mask: str
    """What is shown in place of the text."""
    created_at: datetime
    expires_at: datetime | None = None
    """When this text stops to open, the key's own end aside; None: with the key."""


class KeyDefaults(Struct, frozen=True, kw_only=True):
    """What holds for requests that bring nothing of their own."""

    metadata: Mapping[str, str] = {}
    config_id: str | None = None
    allow_config_override: bool = True
    recording: RecordingChoice | None = None


class RotationPolicy(Struct, frozen=True, kw_only=True):
    """When a key must get a new text. Nobody could be told one that it got by itself, since only digests are kept: so
    the text that is not replaced in time ends, after the transition."""

    period: Literal["weekly", "monthly"] | None = None
    period_days: int | None = None
    """1 to 365; either this or ``period``."""
    next_rotation_at: datetime | None = None
    """UTC midnight."""
    transition_s: int = 1800
    """How long the old text still opens, in seconds."""


class ApiKey(Entity, frozen=True, kw_only=True):
    """Who may call us. Kind, workspace and user are fixed at creation. ``exhausted`` and ``expired`` are derived."""

    name: str
    description: str | None = None
    kind: KeyKind
    workspace_id: str | None = None
    """None for an organisation's key only."""
    user_id: str | None = None
    """Of a user's key."""
    scopes: tuple[str, ...] = ()
    texts: tuple[KeyText, ...] = ()
    """The newest first; one, or two while a rotation is under way."""
    providers: tuple[str, ...] = ()
    """The slugs that it may use; all when empty."""
    defaults: KeyDefaults = KeyDefaults()
    usage_limits: tuple[UsageLimit, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()
    expires_at: datetime | None = None
    expiry_enforced: bool = False
    rotation: RotationPolicy | None = None
    alert_emails: tuple[str, ...] = ()
    creation_mode: Literal["ui", "api", "auto"] = "api"
    last_reset_at: datetime | None = None

    def end_of(self, text: KeyText) -> datetime | None:
        """Return when a text stops to open, None for never."""
        due = self.rotation.next_rotation_at if self.rotation is not None else None
        ends = [text.expires_at, self.expires_at]
        if self.rotation is not None and due is not None:
            ends.append(due + timedelta(seconds=self.rotation.transition_s))
        return min((end for end in ends if end is not None), default=None)
