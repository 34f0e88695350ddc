"""Small files of the state folder that are replaced as a whole, so that nobody reads half of one."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Put these bytes in the file's place, for its owner alone. Raises OSError; then the old file is as it was."""
    beside = path.with_suffix(f"{path.suffix}-{os.getpid()}")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
        out.write(data)
    os.replace(beside, path)
