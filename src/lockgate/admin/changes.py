"""Small parts of partial updates: a field that is missing stays as it was."""

from __future__ import annotations

from typing import TypeVar

from msgspec import UnsetType

T = TypeVar("T")


def given(value: T | UnsetType, old: T) -> T:
    """Return the value, or the old one where the field is missing."""
    return old if isinstance(value, UnsetType) else value
