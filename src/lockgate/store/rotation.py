"""Replacing the master key while gateways run: the data keys are wrapped again, secrets are not touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lockgate.errors import ConfigError
from lockgate.store.directory import Directory
from lockgate.store.master_key import (
    PREVIOUS_VARIABLE,
    VARIABLE,
    MasterKeys,
    forget_previous_file,
    new_master_key,
    read_master_keys,
    replace_file,
)


def rotate_master_key(directory: Directory, home: Path, environment: Mapping[str, str]) -> int:
    """Wrap all data keys with a new master key and return how many there are. Raises ConfigError.

    With the key in a file, a new one is made and put in place; running gateways find it when they need it. With the
    key in the environment, the new one is what the environment says now, and the one before must be there too.
    """
    keys = read_master_keys(environment, home, may_make=False)
    if environment.get(VARIABLE):
        return _from_environment(directory, keys)
    if keys.previous:
        # a rotation that did not come to its end: finish it, before another key is put aside
        directory.rewrap(keys.current)
        forget_previous_file(home)
    new = new_master_key()
    count = directory.rewrap(new, before=lambda: replace_file(home, new))
    forget_previous_file(home)
    return count


def _from_environment(directory: Directory, keys: MasterKeys) -> int:
    if not keys.previous:
        raise ConfigError(
            f"to replace the master key, set {VARIABLE} to the new one and {PREVIOUS_VARIABLE} to the one before, "
            "first in all gateways, then here"
        )
    return directory.rewrap(keys.current)
