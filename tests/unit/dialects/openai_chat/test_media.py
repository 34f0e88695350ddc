"""Data URIs in every spelling that clients use."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.dialects.openai_chat import media
from lockgate.errors import InvalidRequest

PNG = base64.b64encode(b"\x89PNG\r\n").decode()


@pytest.mark.parametrize(
    ("uri", "media_type", "data"),
    [
        (f"data:image/png;base64,{PNG}", "image/png", PNG),
        (f"DATA:IMAGE/PNG;BASE64,{PNG}", "image/png", PNG),
        (f"data:image/jpg;base64,{PNG}", "image/jpeg", PNG),
        (f"data:image/jpeg;charset=utf-8;base64,{PNG}", "image/jpeg", PNG),
        (f"data:image/png;name=a.png;foo=bar;base64,{PNG}", "image/png", PNG),
        (f"data:image/png; base64,{PNG}", "image/png", PNG),
        ("data:image/png;base64,iVBO\n Rw0K\tAA==", "image/png", "iVBORw0KAA=="),
        ("data:image/png;base64,iVBORw0KAA", "image/png", "iVBORw0KAA=="),
        ("data:image/png;base64,a-_b", "image/png", "a+/b"),
        ("data:image/png;base64,a%2B%2Fb", "image/png", "a+/b"),
        ("data:image/gif,%47IF8", "image/gif", base64.b64encode(b"GIF8").decode()),
        ("data:text/plain,hello%20there", "text/plain", base64.b64encode(b"hello there").decode()),
        (f"data:;base64,{PNG}", "", PNG),
    ],
)
def test_a_data_uri_is_read(uri, media_type, data):
    assert media.is_data_uri(uri)
    found = media.read_data_uri(uri)
    assert (found.media_type, found.data) == (media_type, data)


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/png;base64,a",
        "data:image/png;base64,abc!",
        "data:image/png;base64,ab=cd",
        "data:image/png;base64,äöü",
        "data:image/png,",
        "data:",
    ],
)
def test_a_malformed_data_uri_is_refused(uri):
    with pytest.raises(InvalidRequest, match="malformed"):
        media.read_data_uri(uri)


@given(st.binary(min_size=1, max_size=200))
def test_base64_comes_back_as_it_is(data):
    text = base64.b64encode(data).decode()
    assert media.clean_base64(text) == text
    assert base64.b64decode(media.clean_base64(text.rstrip("="))) == data


@given(st.binary(min_size=1, max_size=200), st.sampled_from(["image/png", "text/plain", "application/pdf"]))
def test_percent_encoded_data_holds_the_same_bytes(data, kind):
    uri = f"data:{kind}," + "".join(f"%{byte:02x}" for byte in data)
    assert base64.b64decode(media.read_data_uri(uri).data) == data


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("Z3LDvG4=", "utf-8", "grün"),
        ("Z3L8bg==", "iso-8859-1", "grün"),
        ("aGk=", "us-ascii", "hi"),
    ],
)
def test_text_is_decoded_by_its_charset(data, charset, text):
    assert media.decode_text(data, charset) == text


@pytest.mark.parametrize("charset", ["utf-8", "no-such-charset"])
def test_text_in_another_charset_is_refused(charset):
    with pytest.raises(InvalidRequest):
        media.decode_text("Z3L8bg==", charset)


@pytest.mark.parametrize(
    ("url", "is_web", "is_pdf"),
    [
        ("https://example.org/a.png", True, False),
        ("HTTP://example.org/a.PDF", True, True),
        ("https://example.org/a.pdf?x=1#y", True, True),
        ("https://example.org/a?file=x.pdf", True, False),
        ("ftp://example.org/a.pdf", False, True),
        ("data:x", False, False),
    ],
)
def test_addresses_are_told_apart(url, is_web, is_pdf):
    assert (media.is_web_url(url), media.is_pdf_url(url)) == (is_web, is_pdf)


@pytest.mark.parametrize(
    ("spelling", "usual"),
    [
        ("image/JPG", "image/jpeg"),
        ("application/pdf; x=1", "application/pdf"),
        ("", ""),
        (" text/plain ", "text/plain"),
    ],
)
def test_media_types_have_one_spelling(spelling, usual):
    assert media.same_type(spelling) == usual


@pytest.mark.parametrize(
    ("value", "is_uri"),
    [
        ("data:text/plain,hello", True),
        ("DATA:Text/Plain;charset=utf-8;base64,aGk=", True),
        ("data:application/vnd.api+json,{}", True),
        ("data:;base64,aGk=", True),
        ("data:;BASE64,aGk=", True),
        ("data: three rows", False),
        ("data: one, two", False),
        ("data:a,b,c", False),
        ("data:and/or,what", False),
        ("data:text/plain is a type, and so on", False),
        ("data:", False),
        ("data", False),
        ("see data:text/plain,x", False),
        ("data:text/" + "x" * 1000, False),
    ],
)
def test_prose_is_told_from_a_data_uri(value, is_uri):
    assert media.is_plain_data_uri(value) is is_uri
