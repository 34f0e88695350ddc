"""The quick start of the README: each block reaches our port, with the right base URL and a model that exists."""

from __future__ import annotations

import ast
import re

import msgspec
import pytest

from lockgate.config import Document
from tools.fences import Fence, fences, shell_lines
from tools.files import ROOT

README = ROOT / "README.md"
ORIGIN = f"http://127.0.0.1:{Document().server.port}"
PYTHON = [fence for fence in fences(README, "python") if "LOCKGATE_ADMIN_KEY" not in fence.text]
"""The quick start; what manages too is run by the tests of whole processes."""
SHELL = list(fences(README, "console"))
MODEL = re.compile(r"@(?:anthropic|openai)/[\w.-]+")


def call_of(fence: Fence, name: str) -> dict[str | None, object]:
    """Return the literal keyword arguments of the first call of a name."""
    for node in ast.walk(ast.parse(fence.text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(name):
            return {word.arg: word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)}
    raise AssertionError(f"{fence} does not call {name}")


@pytest.mark.parametrize(
    "client, base_url",
    [("OpenAI", f"{ORIGIN}/v1"), ("Anthropic", ORIGIN), ("Portkey", f"{ORIGIN}/v1")],
    ids=lambda value: value.rpartition("/")[2],
)
def test_each_sdk_has_a_block_with_its_base_url(client, base_url):
    found = [fence for fence in PYTHON if f"import {client}\n" in fence.text]
    assert len(found) == 1
    assert call_of(found[0], client)["base_url"] == base_url
    assert 'api_key=os.environ["LOCKGATE_API_KEY"]' in found[0].text


@pytest.mark.parametrize("fence", PYTHON, ids=str)
def test_each_program_names_a_model_by_slug_and_a_limit(fence):
    arguments = call_of(fence, ".create")
    assert MODEL.fullmatch(str(arguments["model"]))
    assert arguments["max_tokens"]


def test_the_curl_call_is_complete():
    (line,) = [line for fence in SHELL for line in shell_lines(fence) if line.startswith("curl")]
    assert f"{ORIGIN}/v1/chat/completions" in line
    assert "$LOCKGATE_API_KEY" in line
    body = re.search(r"-d '(.*)'", line)
    assert body
    assert MODEL.fullmatch(msgspec.json.decode(body[1])["model"])


def test_both_terminals_use_the_same_key():
    keys = re.findall(r"export LOCKGATE_API_KEY=(\S+)", README.read_text())
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_all_blocks_ask_for_the_same_model():
    assert len(set(MODEL.findall("".join(fence.text for fence in (*PYTHON, *SHELL))))) == 1
