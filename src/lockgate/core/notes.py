"""What writing a call loses or changes, collected for the record."""

from __future__ import annotations

from collections.abc import Iterable


class Notes:
    """Names of fields of one call, each once, in the order of their first mention."""

    def __init__(self, dropped: Iterable[str] = ()) -> None:
        self._dropped: dict[str, None] = dict.fromkeys(dropped)
        self._adjusted: dict[str, None] = {}

    def drop(self, field: str, *, when: bool = True) -> None:
        """Note a field that the target cannot express."""
        if when:
            self._dropped[field] = None

    def adjust(self, field: str, what: str) -> None:
        """Note a field whose meaning was changed for the target."""
        self._adjusted[f"{field}: {what}"] = None

    @property
    def dropped(self) -> tuple[str, ...]:
        """The fields that are lost."""
        return tuple(self._dropped)

    @property
    def adjusted(self) -> tuple[str, ...]:
        """The fields whose meaning changed, each with what happened."""
        return tuple(self._adjusted)
