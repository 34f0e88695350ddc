"""What no file of the project may hold: package hosts, paths of a machine, keys: python -m tools.tree"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.files import ROOT, project_files, text_of

# Brackets keep the patterns from matching themselves.
FORBIDDEN = {
    "the host of a package registry": re.compile(
        r"p[y]pi\.org|python[h]osted\.|[r]egistry\.npm|[r]egistry\.yarn|[d]eb\.debian\.|[d]l\.google\.com|prox[y]\.golang"
    ),
    "a path of one machine": re.compile(r"(?<![\w.~$}])/(?:[w]ork|[f]arm|[r]oot|[U]sers/\w+|[h]ome/(?!you\b)\w+)/"),
    "what looks like a real key": re.compile(
        r"sk-[a]nt-(?:api|oat|admin)\d\d-[\w-]{20,}|sk-[p]roj-[\w-]{20,}|\bsk-[A-Za-z0-9]{40,}\b|\bA[K]IA[0-9A-Z]{16}\b"
        r"|\bA[I]za[\w-]{35}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bxo[x][abp]-[\w-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    ),
    "an address to install from": re.compile(
        r"--(?:extra-)?index-[u]rl|--find-[l]inks|--trusted-[h]ost|\"resolved\": \"http"
    ),
}
# Lines that may say so all the same: the options by which the lock files are kept free of hosts.
ALLOWED = re.compile(r"--no-emit-")


def forbidden_lines(root: Path = ROOT) -> Iterator[str]:
    """Yield one line for each place that holds what it must not. The text itself is not repeated, it may be a key."""
    for path in project_files(root):
        text = text_of(path)
        if text is None or path.suffix == ".svg":
            continue
        for what, pattern in FORBIDDEN.items():
            if not pattern.search(text):
                continue
            for number, line in enumerate(text.splitlines(), 1):
                if pattern.search(line) and not ALLOWED.search(line):
                    yield f"{path.relative_to(root)}:{number}: {what}"


if __name__ == "__main__":
    faults = list(forbidden_lines())
    print("\n".join(faults))
    sys.exit(bool(faults))
