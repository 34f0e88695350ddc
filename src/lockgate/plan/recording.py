"""What may be kept of the requests of a workspace or key: what each of those above says, put together.

Who is further down decides, unless somebody above enforces. A header may only have less kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from lockgate.core.recording import Recording
from lockgate.entities import RecordingChoice

_DEBUG_LOG = "debug_log"


def narrowed(above: Recording, choice: RecordingChoice | None, source: str) -> Recording:
    """Return what holds below ``above`` when its owner says ``choice``; ``source`` is what the owner is."""
    if choice is None or above.is_enforced:
        return above
    rules = above.rules
    try:
        changed = structs.replace(
            rules,
            mode=choice.mode or rules.mode,
            personal=rules.personal if choice.personal is None else choice.personal,
            action=choice.action or rules.action,
            drop_paths=rules.drop_paths if choice.drop_paths is None else choice.drop_paths,
            sensitive_headers=(*rules.sensitive_headers, *(choice.sensitive_headers or ())),
        )
    except ValueError:
        # it was stored, so it was good once; what cannot be kept to means that nothing is kept
        changed = structs.replace(rules, mode="metrics_only")
    return Recording(
        rules=changed,
        source=above.source if choice.mode is None and not choice.is_enforced else source,
        is_enforced=choice.is_enforced,
    )


def with_switch(choice: RecordingChoice | None, settings: Mapping[str, int]) -> RecordingChoice | None:
    """Return a workspace's choice; where it names no mode, Portkey's ``debug_log: 0`` means no content."""
    if settings.get(_DEBUG_LOG, 1) != 0 or (choice is not None and choice.mode is not None):
        return choice
    return structs.replace(choice or RecordingChoice(), mode="metrics_only")
