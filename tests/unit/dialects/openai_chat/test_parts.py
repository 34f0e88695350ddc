"""Content parts: what each becomes, and what is refused where."""

from __future__ import annotations

import base64

import pytest

from lockgate.dialects.openai_chat.parts import Reading, read_parts
from lockgate.errors import InvalidRequest
from tests.unit.dialects.openai_chat.samples import blocks, parts, raw, read

PNG = "iVBORw0K"
PDF = base64.b64encode(b"%PDF-1.4").decode()
HELLO = base64.b64encode(b"hello").decode()
CACHE = {"type": "ephemeral", "ttl": "1h"}


def image(**fields):
    return {"_": "ImageBlock", **fields}


def document(**fields):
    return {"_": "DocumentBlock", **fields}


def inline(media_type, data=PNG):
    return {"_": "Base64Source", "media_type": media_type, "data": data}


def at(url):
    return {"_": "UrlSource", "url": url}


def in_store(file_id="file_1"):
    return {"_": "FileSource", "file_id": file_id}


def words(text):
    return {"_": "TextSource", "text": text}


def image_url(url, **fields):
    return {"type": "image_url", "image_url": {"url": url}, **fields}


def file(**fields):
    return {"type": "file", "file": fields}


CASES = {
    "text": ({"type": "text", "text": "x"}, {"_": "TextBlock", "text": "x"}),
    "text with marker": (
        {"type": "text", "text": "x", "cache_control": CACHE},
        {"_": "TextBlock", "text": "x", "cache": CACHE},
    ),
    "text with citations": (
        {"type": "text", "text": "x", "citations": [{"type": "char_location"}]},
        {"_": "TextBlock", "text": "x", "citations": [{"type": "char_location"}]},
    ),
    "image data": (image_url(f"data:image/png;base64,{PNG}"), image(source=inline("image/png"))),
    "image data with parameters": (
        image_url(f"data:image/jpeg;charset=utf-8;base64,{PNG}"),
        image(source=inline("image/jpeg")),
    ),
    "image data as jpg": (image_url(f"data:image/jpg;base64,{PNG}"), image(source=inline("image/jpeg"))),
    "image data in upper case": (image_url(f"DATA:image/PNG;BASE64,{PNG}"), image(source=inline("image/png"))),
    "image data with detail": (
        {"type": "image_url", "image_url": {"url": f"data:image/webp;base64,{PNG}", "detail": "original"}},
        image(source=inline("image/webp")),
    ),
    "bare image URL": (
        {"type": "image_url", "image_url": "https://e.org/a.png"},
        image(source=at("https://e.org/a.png")),
    ),
    "image at a URL": (image_url("https://e.org/a.png"), image(source=at("https://e.org/a.png"))),
    "image with marker": (
        image_url("https://e.org/a.png", cache_control=CACHE),
        image(source=at("https://e.org/a.png"), cache=CACHE),
    ),
    "pdf as image data": (
        image_url(f"data:application/pdf;base64,{PDF}"),
        document(source=inline("application/pdf", PDF)),
    ),
    "text as image data": (image_url(f"data:text/plain;base64,{HELLO}"), document(source=words("hello"))),
    "pdf at a URL": (image_url("https://e.org/a.PDF?x"), document(source=at("https://e.org/a.PDF?x"))),
    "pdf by its mime type": (
        {"type": "image_url", "image_url": {"url": "https://e.org/a", "mime_type": "application/pdf"}},
        document(source=at("https://e.org/a")),
    ),
    "mime type beats the path of a URL": (
        image_url("https://e.org/a.pdf", mime_type="image/png"),
        image(source=at("https://e.org/a.pdf")),
    ),
    "file id": (file(file_id="file_1"), document(source=in_store())),
    "file id of an image": (file(file_id="file_1", mime_type="image/png"), image(source=in_store())),
    "file id of a text": (file(file_id="file_1", mime_type="text/csv"), document(source=in_store())),
    "file id of a table": (
        file(file_id="file_1", mime_type="application/vnd.ms-excel"),
        document(source=in_store()),
    ),
    "file data, raw": (file(file_data=PDF), document(source=inline("application/pdf", PDF))),
    "file data, raw with mime type": (
        file(file_data=PDF, mime_type="application/pdf", filename="a.pdf"),
        document(source=inline("application/pdf", PDF), title="a.pdf"),
    ),
    "file data URI": (
        file(file_data=f"data:application/pdf;base64,{PDF}"),
        document(source=inline("application/pdf", PDF)),
    ),
    "file data URI of a text": (file(file_data=f"data:text/markdown;base64,{HELLO}"), document(source=words("hello"))),
    "file data URI of an image": (file(file_data=f"data:image/png;base64,{PNG}"), image(source=inline("image/png"))),
    "file data that is text": (
        file(file_data="just words", mime_type="text/plain"),
        document(source=words("just words")),
    ),
    "file URL": (file(file_url="https://e.org/a.pdf"), document(source=at("https://e.org/a.pdf"))),
    "file URL of an image": (
        file(file_url="https://e.org/a", mime_type="image/png"),
        image(source=at("https://e.org/a")),
    ),
    "file with all its words": (
        file(file_id="f", title="T", context="C", citations={"enabled": True}, cache_control=CACHE),
        document(source=in_store("f"), title="T", context="C", citations={"enabled": True}, cache=CACHE),
    ),
    "file whose words stand on the part": (
        {"type": "file", "file": {"file_id": "f"}, "title": "T", "context": "C", "cache_control": CACHE},
        document(source=in_store("f"), title="T", context="C", cache=CACHE),
    ),
    "file with file_name": (file(file_id="f", file_name="n"), document(source=in_store("f"), title="n")),
    "native image": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        image(source=inline("image/png")),
    ),
    "native image with further keys": (
        {"type": "image", "source": {"type": "url", "url": "https://e.org"}, "transformations": {"a": 1}},
        image(
            source=at("https://e.org"),
            raw={"type": "image", "source": {"type": "url", "url": "https://e.org"}, "transformations": {"a": 1}},
        ),
    ),
    "native document": (
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, "title": "T"},
        document(source=words("x"), title="T"),
    ),
    "native document of blocks": (
        {"type": "document", "source": {"type": "content", "content": "x"}},
        {
            "_": "OpaqueBlock",
            "type": "document",
            "raw": {"type": "document", "source": {"type": "content", "content": "x"}},
        },
    ),
    "native tool result": (
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x"}], "is_error": True},
        {
            "_": "ToolResultBlock",
            "tool_use_id": "t",
            "content": [{"_": "TextBlock", "text": "x"}],
            "is_error": True,
        },
    ),
    "search result": (
        {"type": "search_result", "source": "s", "title": "t", "content": []},
        {
            "_": "OpaqueBlock",
            "type": "search_result",
            "raw": {"type": "search_result", "source": "s", "title": "t", "content": []},
        },
    ),
    "container upload": (
        {"type": "container_upload", "file_id": "f"},
        {"_": "OpaqueBlock", "type": "container_upload", "raw": {"type": "container_upload", "file_id": "f"}},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_part_becomes_its_block(name):
    part, block = CASES[name]
    assert parts(part) == [block]


def test_a_file_of_any_kind_goes_into_the_container_when_code_can_run():
    part = file(file_id="f", mime_type="application/vnd.ms-excel", cache_control=CACHE)
    found = parts(part, tools=[{"type": "code_execution_20250825", "name": "code_execution"}])
    upload = {"type": "container_upload", "file_id": "f", "cache_control": CACHE}
    assert found == [{"_": "OpaqueBlock", "type": "container_upload", "raw": upload}]


def test_empty_text_is_left_out_unless_it_carries_a_marker():
    assert parts({"type": "text", "text": ""}) == []
    assert parts({"type": "text", "text": "", "cache_control": CACHE}) == [
        {"_": "TextBlock", "text": "", "cache": CACHE}
    ]


REFUSED = {
    "audio": ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "type"),
    "video": ({"type": "video_url", "video_url": {"url": "https://e.org"}}, "type"),
    "unknown type": ({"type": "hologram"}, "type"),
    "no type": ({"text": "x"}, "type"),
    "not an object": ("x", None),
    "text that is a number": ({"type": "text", "text": 1}, "text"),
    "image without URL": ({"type": "image_url", "image_url": {}}, "image_url.url"),
    "image data cut short": (image_url("data:image/png;base64"), "image_url.url"),
    "image data that is a film": (image_url(f"data:video/mp4;base64,{PNG}"), "image_url.url"),
    "image data without a type": (image_url(f"data:;base64,{PNG}"), "image_url.url"),
    "bare image URL of another scheme": ({"type": "image_url", "image_url": "file:///etc/passwd"}, "image_url"),
    "image in a bucket": (image_url("s3://bucket/key.png"), "image_url.url"),
    "file without anything": (file(), "file"),
    "file that is missing": ({"type": "file"}, "file"),
    "file data that is not base64": (file(file_data="not base64!"), "file.file_data"),
    "file data in another charset": (file(file_data="data:text/plain;base64,/w=="), "file.file_data"),
    "file URL of another scheme": (file(file_url="ftp://e.org/a.pdf"), "file.file_url"),
    "native image without a source": ({"type": "image"}, "source"),
    "native image without data": ({"type": "image", "source": {"type": "base64", "media_type": "a/b"}}, "source.data"),
    "native tool result with a bad block": (
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text"}]},
        "content[0].text",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_part_that_cannot_be_read_is_refused_with_its_path(name):
    part, path = REFUSED[name]
    with pytest.raises(InvalidRequest) as caught:
        read({"role": "user", "content": [{"type": "text", "text": "x"}, part]})
    where = "messages[0].content[1]" if path is None else f"messages[0].content[1].{path}"
    assert caught.value.path == where
    assert caught.value.message.startswith(f"{where}: ")


def test_no_message_repeats_what_the_client_wrote():
    with pytest.raises(InvalidRequest) as caught:
        read({"role": "user", "content": [{"type": "secret-word"}]})
    assert "secret-word" not in caught.value.message


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_system_message_holds_text_alone(role):
    with pytest.raises(InvalidRequest) as caught:
        read({"role": role, "content": [{"type": "text", "text": "x"}, image_url("https://e.org/a.png")]})
    assert caught.value.path == "messages[0].content[1].type"


BREAKPOINTS = {
    "absent": ({"mode": "explicit"}, "5m"),
    "half an hour": ({"mode": "explicit", "ttl": "30m"}, "5m"),
    "half a day": ({"mode": "explicit", "ttl": "12h"}, "1h"),
}


@pytest.mark.parametrize("name", BREAKPOINTS)
def test_openais_breakpoint_becomes_a_marker(name):
    breakpoint_, ttl = BREAKPOINTS[name]
    for part in ({"type": "text", "text": "x"}, image_url("https://e.org/a"), file(file_id="f")):
        [block] = parts({**part, "prompt_cache_breakpoint": breakpoint_})
        assert block["cache"] == {"type": "ephemeral", "ttl": ttl}


def test_a_marker_of_the_clients_own_beats_openais_breakpoint():
    [block] = parts({"type": "text", "text": "x", "cache_control": CACHE, "prompt_cache_breakpoint": {"ttl": "30m"}})
    assert block["cache"] == CACHE


@pytest.mark.parametrize(("own", "kept"), [(0, 4), (1, 3), (4, 0), (6, 0)])
def test_of_too_many_breakpoints_the_last_are_kept(own, kept):
    marked = [{"type": "text", "text": "own", "cache_control": CACHE}] * own
    broken = [{"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}] * 6
    found = parts(*marked, *broken)[own:]
    assert ["cache" in block for block in found] == [False] * (6 - kept) + [True] * kept


def test_parts_can_be_read_alone():
    assert read_parts([raw({"type": "text", "text": ""})], Reading()) == []
    assert blocks({"role": "user", "content": []}) == []


@pytest.mark.parametrize("data", ["data: three rows", "data: one, two", "data:", "data:a,b\n1,2"])
def test_text_that_begins_like_a_data_uri_stays_text_when_its_type_says_so(data):
    assert parts(file(file_data=data, mime_type="text/csv")) == [document(source=words(data))]


def test_a_data_uri_decides_beyond_doubt_whatever_the_type_says():
    uri = f"data:application/pdf;base64,{PDF}"
    assert parts(file(file_data=uri, mime_type="text/plain")) == [document(source=inline("application/pdf", PDF))]
    with pytest.raises(InvalidRequest, match="base64"):
        parts(file(file_data="data:text/plain;base64,!", mime_type="text/plain"))
