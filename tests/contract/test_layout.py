"""Each module that does something has a unit test of its own, and each unit test has its module.

Modules of data and protocols alone need none. ``core/body.py`` is tested in ``unit/core/test_body.py``; a large
subject may be split: ``test_body_splice.py`` belongs to the same module.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "lockgate"
UNIT = ROOT / "tests" / "unit"

# Modules whose behaviour is shown elsewhere, each with the reason. This list may only shrink.
UNTESTED: dict[str, str] = {}

# Unit tests that mirror no single module, each with the reason. This list may only shrink.
HOMELESS: dict[str, str] = {}

# Names of tests that are about a package as a whole, each with what they hold.
THEMES = {"traps": "bugs that other gateways had, across the modules of a package"}


def has_behaviour(path: Path) -> bool:
    """Tell whether a module defines a function that does something; protocols and data do not."""
    tree = ast.parse(path.read_text())
    protocols = {
        node
        for cls in ast.walk(tree)
        if isinstance(cls, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in cls.bases)
        for node in ast.walk(cls)
    }
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(node not in protocols for node in functions)


def modules() -> set[str]:
    """Return every module with behaviour, as a path without suffix; ``__init__`` is a package's contract."""
    found = (path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))
    return {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in found if has_behaviour(path)}


def unit_tests() -> set[str]:
    """Return every unit test file, as a path without prefix and suffix; ``unit/bench`` is not about the package."""
    found = (path.relative_to(UNIT) for path in UNIT.rglob("test_*.py"))
    return {(path.parent / path.stem.removeprefix("test_")).as_posix() for path in found if path.parts[0] != "bench"}


def homes_of(test: str) -> list[str]:
    """Return the modules or packages that a unit test may belong to, the longest name first."""
    folder, _, name = test.rpartition("/")
    words = name.split("_")
    names = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    return [f"{folder}/{name}".lstrip("/") for name in names]


def home_of(test: str) -> str | None:
    """Return the module or package that a unit test belongs to."""
    folder, _, name = test.rpartition("/")
    if name in THEMES:
        return folder
    for home in homes_of(test):
        if (PACKAGE / f"{home}.py").is_file() or (PACKAGE / home / "__init__.py").is_file():
            return home
    return None


def test_each_module_has_its_unit_test():
    tested = {home_of(test) for test in unit_tests()}
    missing = {module for module in modules() if module not in tested}
    assert missing - UNTESTED.keys() == set()


def test_each_unit_test_has_its_module():
    homeless = {test for test in unit_tests() if home_of(test) is None}
    assert homeless - HOMELESS.keys() == set()


def test_exceptions_that_are_no_longer_needed_are_gone():
    tested = {home_of(test) for test in unit_tests()}
    assert {module for module in UNTESTED if module in tested or module not in modules()} == set()
    assert {test for test in HOMELESS if test not in unit_tests() or home_of(test)} == set()


def test_a_unit_test_may_carry_the_aspect_in_its_name():
    assert homes_of("core/body_splice_large") == ["core/body_splice_large", "core/body_splice", "core/body"]
