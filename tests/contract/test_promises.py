"""Numbers that the documentation states, so that they cannot drift away from the code."""

from __future__ import annotations

from lockgate.core.body import MAX_DEPTH
from lockgate.dataplane import headers
from lockgate.dialects.anthropic_messages import reasoning
from tools.files import ROOT


def page(name: str) -> str:
    return " ".join((ROOT / "docs" / name).read_text().split())


def test_the_token_limits_that_a_chat_call_gets():
    text = page("explanation/two-paths.md")
    assert f"gets {reasoning.DEFAULT_MAX_TOKENS:,}, or {reasoning.DEFAULT_MAX_TOKENS_THINKING:,} when" in text


def test_the_depth_of_json():
    assert f"nested at most {MAX_DEPTH} deep" in page("reference/http-api.md")


def test_the_longest_retry_after():
    assert f"at most {headers._MAX_RETRY_AFTER_S:g} seconds" in page("reference/headers.md")
