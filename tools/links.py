"""Every relative link in a Markdown file leads somewhere, anchors included: python -m tools.links"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools.files import ROOT, project_files

LINK = re.compile(r"\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1\s*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
ELSEWHERE = ("http://", "https://", "mailto:")


def broken_links(root: Path = ROOT) -> Iterator[str]:
    """Yield one line for each link that leads nowhere."""
    for page in project_files(root):
        if page.suffix != ".md":
            continue
        for found in LINK.finditer(FENCE.sub("", page.read_text())):
            target = found["target"]
            if not target.startswith(ELSEWHERE) and (fault := fault_of(page, target)):
                yield f"{page.relative_to(root)}: {target}: {fault}"


def fault_of(page: Path, target: str) -> str | None:
    """Say what is wrong with a relative link, None when nothing is."""
    name, _, anchor = target.partition("#")
    place = (page.parent / name).resolve() if name else page
    if not place.exists():
        return "no such file"
    if anchor and place.suffix == ".md" and anchor not in anchors(place):
        return "no such heading"
    return None


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that the headings of a page get: lower case, spaces as hyphens, no punctuation."""
    headings = HEADING.findall(FENCE.sub("", page.read_text()))
    plain = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).lower() for heading in headings)
    return frozenset(re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain)


if __name__ == "__main__":
    faults = list(broken_links())
    print("\n".join(faults))
    sys.exit(bool(faults))
