"""Writes the pages of docs/reference that come from code: python -m tools.docs [--check]

Each page is a function of what exists: errors, settings, models, prices, providers, commands, tests of conformance.
Nobody edits those pages by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from tools.docs_admin import admin_page
from tools.docs_cli import cli_page
from tools.docs_config import configuration_page
from tools.docs_conformance import conformance_page, untested
from tools.docs_errors import errors_page
from tools.docs_models import models_page
from tools.docs_prices import prices_page
from tools.docs_providers import providers_page
from tools.docs_routes import routes_page
from tools.files import ROOT

PAGES: dict[str, Callable[[], str]] = {
    "admin-api.md": admin_page,
    "cli.md": cli_page,
    "configuration.md": configuration_page,
    "config-object.md": routes_page,
    "conformance.md": conformance_page,
    "errors.md": errors_page,
    "models.md": models_page,
    "prices.md": prices_page,
    "providers.md": providers_page,
}


def rendered(name: str) -> str:
    """Return a page as it should be."""
    mark = "<!-- Written by `make docs` from the code. Change the docstrings there, not this page. -->\n"
    return mark + PAGES[name]().rstrip() + "\n"


def main() -> int:
    """Write the pages, or with --check only tell which ones are stale."""
    is_check = "--check" in sys.argv[1:]
    stale = 0
    for name in PAGES:
        path = ROOT / "docs" / "reference" / name
        text = rendered(name)
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if is_check:
            print(f"docs/reference/{name} is stale: run make docs")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote docs/reference/{name}")
    red = untested()
    for line in red:
        print(line)
    return 1 if is_check and (stale or red) else 0


if __name__ == "__main__":
    sys.exit(main())
