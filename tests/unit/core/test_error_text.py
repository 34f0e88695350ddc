"""Kinds by status, and what a person would read in a page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.error_text import KINDS, MAX_TEXT_CHARS, kind_of_status, visible_text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (307, "api_error"),
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (408, "timeout_error"),
        (409, "invalid_request_error"),
        (413, "request_too_large"),
        (418, "invalid_request_error"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (501, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (520, "api_error"),
        (526, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_a_status_has_its_kind(status, kind):
    assert kind_of_status(status) == kind
    assert kind in KINDS


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"<html><head><title>x</title></head><body><h1>413</h1>Too &amp; large</body></html>", "413 Too & large"),
        (
            b"<html><head><style>p{}</style></head><body><h1>502</h1><p>Bad&nbsp;gateway</p></body></html>",
            "502 Bad gateway",
        ),
        (b"<script>alert('x')</script>Try again<!-- hidden > -->", "Try again"),
        (b"<title>Gone</title>No such page", "No such page"),
        (b"upstream connect error", "upstream connect error"),
        (b"one\r\n\ttwo\x00three", "one two three"),
        (b"", ""),
        (b" \n ", ""),
        (b'{"error":', '{"error":'),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_a_page_is_shown_without_its_tags(body, text):
    assert visible_text(body) == text


def test_a_long_page_is_quoted_in_part_only():
    assert len(visible_text(b"<p>" + b"x" * 9000 + b"</p>")) == MAX_TEXT_CHARS == 500
    assert visible_text(b"<style>" + b"p{}" * 5000 + b"</style>sorry") == "sorry"


@given(st.binary(max_size=200))
def test_any_bytes_give_one_printable_line(body):
    text = visible_text(body)
    assert text.isprintable()
    assert text == text.strip()
