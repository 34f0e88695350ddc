"""The documentation is complete and true: generated pages are fresh, links lead somewhere, what is shown works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import msgspec
import pytest

from lockgate.config import Document, read_document
from lockgate.dataplane import paths
from lockgate.providers import load_providers
from lockgate.routing.conditions import MalformedQuery, compile_query, holds
from lockgate.routing.scene import Scene
from tools.docs import PAGES, rendered
from tools.docs_cli import commands
from tools.docs_config import keys_of, tables
from tools.docs_errors import error_classes
from tools.fences import Fence, fences, shell_lines
from tools.files import ROOT, project_files
from tools.links import broken_links

REFERENCE = ROOT / "docs" / "reference"
# Pages of other trees (recorded exchanges, packages) are no documentation.
MARKDOWN = [path for path in project_files() if path.suffix == ".md" and path.is_relative_to(ROOT / "docs")]
MARKDOWN += sorted(ROOT.glob("*.md"))


def reference(name: str) -> str:
    return (REFERENCE / name).read_text()


def blocks(*languages: str) -> list[Fence]:
    return [fence for page in MARKDOWN for fence in fences(page, *languages)]


def source_words(pattern: str, *folders: str) -> set[str]:
    """Return what a pattern finds in the sources below some folders of the package."""
    found: set[str] = set()
    for folder in folders:
        for path in sorted((ROOT / "src" / "lockgate").glob(folder)):
            found |= set(re.findall(pattern, path.read_text()))
    return found


@pytest.mark.parametrize("name", PAGES)
def test_each_generated_page_is_fresh(name):
    assert reference(name) == rendered(name), "run make docs"


def test_each_error_code_is_documented():
    codes = {kind.code for kind in error_classes()}
    assert {code for code in codes if f"`{code}`" not in reference("errors.md")} == set()


def test_each_provider_is_documented():
    assert {name for name in load_providers() if f"`{name}`" not in reference("providers.md")} == set()


def test_each_field_of_the_control_plane_has_a_meaning():
    rows = [line for line in reference("admin-api.md").splitlines() if re.match(r"\| `\w+`[^|]*\|[^|]*\|[^|]*\|", line)]
    assert len(rows) > 300
    assert [row for row in rows if row.endswith("|  |")] == []


def test_each_setting_is_documented():
    text = reference("configuration.md")
    settings = {field.encode_name for kind in tables() for field in keys_of(kind)}
    assert {name for name in settings if f"| `{name}` |" not in text} == set()


def test_each_command_is_documented():
    assert {name for name, _ in commands() if f"## `lockgate {name}`" not in reference("cli.md")} == set()


def test_each_route_is_documented():
    text = reference("http-api.md")
    assert {path for path in paths._ROUTES if f"`{path}`" not in text and f"`/v1{path}`" not in text} == set()


def test_each_operator_of_a_query_is_documented():
    with pytest.raises(MalformedQuery) as caught:
        compile_query({"params.n": msgspec.Raw(b'{"$nope": 1}')})
    operators = str(caught.value).partition("known: ")[2].split(", ")
    assert len(operators) > 5
    assert [name for name in [*operators, "$and", "$or"] if f"`{name}`" not in reference("config-object.md")] == []


QUERIES = [
    line.strip("| ").split(" | ")
    for line in reference("config-object.md").partition("\n## Queries\n")[2].partition("\n## ")[0].splitlines()
    if line.startswith('| `{"')
]


@pytest.mark.parametrize("query, held, missed", QUERIES)
def test_each_query_of_the_reference_holds_for_what_it_says(query, held, missed):
    compiled = compile_query(msgspec.json.decode(query.strip("`"), type=dict[str, msgspec.Raw]))
    found = []
    for text in (held, missed):
        said = msgspec.json.decode(text.strip("`"))
        scene = Scene(
            path=said.get("path", "/v1/chat/completions"),
            roll=lambda: 0.0,
            metadata=said.get("metadata", {}),
            params={name: msgspec.Raw(msgspec.json.encode(value)) for name, value in said.get("params", {}).items()},
        )
        found.append(holds(compiled, scene))
    assert found == [True, False]


def test_the_reference_shows_queries():
    assert len(QUERIES) > 9


def test_each_header_is_documented():
    text = reference("headers.md")
    headers = source_words(r"\bx-(?:portkey|lockgate)-[a-z]+(?:-[a-z]+)*\b(?!-)", "dataplane/*.py")
    headers |= source_words(r"\bb\"((?:x-portkey-)?(?:anthropic|openai)-[a-z-]+)\"", "dialects/*/forward.py")
    aliases = {"x-portkey-strict-openai-compliance"}
    assert {name for name in headers - aliases if f"`{name}`" not in text} == set()


def test_each_environment_variable_is_documented():
    text = reference("configuration.md")
    names = source_words(r"\bLOCKGATE_[A-Z_]+\b", "**/*.py")
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_no_link_leads_nowhere():
    assert list(broken_links()) == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path):
    (tmp_path / "a.md").write_text("# Here\n[x](b.md) [y](#there) [z](#here) [w](a.md#here)\n```\n[v](c.md)\n```\n")
    assert list(broken_links(tmp_path)) == ["a.md: b.md: no such file", "a.md: #there: no such heading"]


@pytest.mark.parametrize("fence", blocks("console", "sh"), ids=str)
def test_shown_commands_exist(fence):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {
        name: {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
        for name, command in commands()
    }
    for line in shell_lines(fence):
        words = [word for word in shlex.split(line, comments=True) if word != "&"]
        while words and re.match(r"^[A-Z_]+=", words[0]):
            words = words[1:]
        if words[0] == "make":
            asked = {word for word in words[1:] if re.fullmatch(r"[a-z-]+", word)}
            assert asked <= targets, line
        if words[0].endswith("bin/lockgate") or words[0] == "lockgate":
            name = next((name for name in known if words[1 : 1 + name.count(" ") + 1] == name.split()), None)
            assert name is not None, line
            assert {word for word in words[2:] if re.match(r"-+[a-z]", word)} <= known[name], line


@pytest.mark.parametrize("fence", blocks("toml"), ids=str)
def test_shown_configurations_are_valid(fence):
    assert isinstance(read_document(fence.text, str(fence)), Document)


@pytest.mark.parametrize("fence", blocks("python"), ids=str)
def test_shown_programs_compile(fence):
    compile(fence.text, str(fence), "exec")


@pytest.mark.parametrize("fence", blocks("json"), ids=str)
def test_shown_json_is_json(fence):
    msgspec.json.decode(fence.text)


def test_each_decision_is_listed():
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    assert {path.name for path in folder.glob("0*.md") if f"({path.name})" not in index} == set()


def test_the_map_of_the_code_names_what_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named = set(re.findall(r"`((?:src|tests|tools|docs|bench)/[\w./-]+)`", text))
    assert {name for name in named if not (ROOT / name).exists()} == set()
    packages = {path.name for path in (ROOT / "src" / "lockgate").iterdir() if (path / "__init__.py").exists()}
    assert {name for name in packages if f"{name}/" not in text} == set()


def test_the_changelog_has_its_unreleased_part():
    assert re.search(r"^## Unreleased$", Path(ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
