"""Which files belong to the project: tracked ones and new ones that git does not ignore."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IGNORED = {".git", ".build", "build", "dist", "node_modules", "__pycache__"}


def project_files(root: Path = ROOT) -> Iterator[Path]:
    """Yield every file of the project, also in a copy that has no git directory."""
    if (root / ".git").exists():
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        paths = (root / name for name in sorted(listing.stdout.split("\0")) if name)
        yield from (path for path in paths if path.is_file())
        return
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if path.is_file() and not IGNORED.intersection(parts) and not parts[0].startswith((".venv", ".lockgate")):
            yield path


def text_of(path: Path) -> str | None:
    """Return a file's text, None when it is not text."""
    data = path.read_bytes()
    if b"\0" in data[:8192]:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
