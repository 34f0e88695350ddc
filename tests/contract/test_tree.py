"""No file of the project names a package host, a path of one machine or a key; requirements are pinned by hash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.tree import forbidden_lines

ROOT = Path(__file__).parents[2]
LOCKED = sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))


def test_no_file_holds_what_it_must_not():
    assert list(forbidden_lines()) == []


@pytest.mark.parametrize(
    "text",
    [
        "see https://" + "py" + "pi.org/simple",
        "https://files." + "python" + "hosted.org/x.whl",
        '"resolved": ' + '"https://' + "registry." + 'npmjs.org/x.tgz"',
        "deb http://" + "deb." + "debian.org/debian",
        "cd /" + "work/main",
        "open('/" + "home/somebody/x')",
        "sk-" + "ant-api03-" + "x" * 40,
        "AKIA" + "A" * 16,
        "-----BEGIN " + "RSA PRIVATE KEY-----",
        "--index-" + "url https://example.com",
    ],
)
def test_a_planted_line_is_seen(tmp_path, text):
    (tmp_path / "notes.md").write_text(f"first\n{text}\n")
    assert {line.partition(": ")[0] for line in forbidden_lines(tmp_path)} == {"notes.md:2"}


def test_a_finding_does_not_repeat_the_key(tmp_path):
    key = "sk-" + "ant-api03-" + "x" * 40
    (tmp_path / "notes.md").write_text(key)
    assert key not in "".join(forbidden_lines(tmp_path))


@pytest.mark.parametrize("name", LOCKED)
def test_each_requirement_is_pinned_and_hashed(name):
    text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    bad = [line for line in lines if not re.match(r"^[\w.\[\]-]+==\S+( ;[^-]*)?\s+--hash=sha256:[0-9a-f]{64}", line)]
    assert bad == []


@pytest.mark.parametrize("name", LOCKED)
def test_each_compiled_file_has_its_source(name):
    assert (ROOT / "requirements" / name).with_suffix(".in").is_file()


def test_the_gateways_requirements_are_among_the_developers_at_the_same_versions():
    def pins(name):
        return set(re.findall(r"^([\w.-]+==[^\s;]+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    assert pins("run.txt") <= pins("dev.txt")
