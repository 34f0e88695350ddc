"""Patterns: what JavaScript writes, and what would hang other engines."""

from __future__ import annotations

import time

import pytest

from lockgate.routing.pattern import MAX_TEXT, MAX_WORK, Pattern


@pytest.mark.parametrize(
    "pattern, text, found",
    [
        ("opus", "claude-opus-5", True),
        ("^opus", "claude-opus-5", False),
        ("^claude-(opus|sonnet)", "claude-sonnet-4-5", True),
        ("OPUS", "opus", False),
        ("(?i)OPUS", "opus", True),
        ("a.c", "a\nc", False),
        (r"a[\s\S]c", "a\nc", True),
        ("b$", "b\n", False),
        (r"\d{3}", "ab123", True),
        (r"\/v1\/chat", "/v1/chat/completions", True),
        (r"^\u00e9t\u00e9$", "été", True),
        (r"\\u0041", r"\u0041", True),
        ("^.$", "é", True),
        ("^.$", "😀", True),
        ("(?<year>[0-9]{4})", "2026", True),
        ("", "anything", True),
    ],
)
def test_patterns_as_javascript_writes_them(pattern, text, found):
    assert Pattern(pattern).found_in(text) is found


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "[a",
        "a**",
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        r"(a)\1",
        "x" * 1001,
        "(?:a{0,1000}){0,1000}",
        r"\w{1,999}",
        "((a{100}){100}){100}",
    ],
)
def test_patterns_that_are_refused(pattern, capfd):
    with pytest.raises(ValueError):
        Pattern(pattern)
    assert capfd.readouterr().err == ""


def test_a_text_that_is_too_long_is_not_searched():
    assert Pattern("a").found_in("a" * MAX_TEXT)
    assert not Pattern("a").found_in("a" * (MAX_TEXT + 1))


REDOS = [
    ("(a+)+$", "a" * 16_000 + "!"),
    ("^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 16_000),
    ("(a|aa)+$", "a" * 16_000 + "b"),
    ("(a|a?)+$", "a" * 16_000 + "b"),
    ("(.*a){20}", "a" * 16_000 + "!"),
    ("(.*a){20}$", "b" * 16_000),
    ("(x+x+)+y", "x" * 16_000),
    ("a{500}b", "a" * 16_000),
    ("(a?){500}a{500}", "a" * 16_000),
    ("([a-z]{1,40}){1,20}!", "a" * 16_000),
    ("(a|b)*a(a|b){500}c", "ab" * 8_000),
    ("(a|b)*a(a|b){900}c", "aab" * 5_000),
    (r"^(\w+\s?)*$", "word " * 3_000 + "!"),
    (r"([\w.]+)+@([\w.]+)+\.com", "a." * 8_000),
    (r"\s+$", " " * 16_000 + "x"),
    (r"(\d+)*\d{200}x", "1" * 16_000),
]


@pytest.mark.parametrize("pattern, text", REDOS, ids=[pattern for pattern, _ in REDOS])
def test_the_work_of_one_match_is_bounded(pattern, text):
    found = Pattern(pattern)
    assert found._longest * found._regex.programsize <= MAX_WORK
    assert found._longest >= 128  # metadata always fits
    assert not found.found_in(text[: found._longest + 1]) or len(text) <= found._longest


@pytest.mark.parametrize("pattern, text", REDOS, ids=[pattern for pattern, _ in REDOS])
def test_no_pattern_hangs(pattern, text):
    """The bound is 5 ms of CPU; five times that much is left to slow machines, and backtracking needs hours."""
    found = Pattern(pattern)
    started = time.thread_time()
    found.found_in(text[: found._longest])
    assert time.thread_time() - started < 0.025
