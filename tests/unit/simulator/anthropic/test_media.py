import base64

import pytest

from lockgate.simulator.anthropic.media import MAX_IMAGE_BYTES, find_media_type
from tests.unit.simulator.driver import PDF, PNG, ask, user


def image(**source):
    return {"type": "image", "source": source}


def document(**source):
    return {"type": "document", "source": source}


def data(media_type, content):
    return {"type": "base64", "media_type": media_type, "data": content}


GOOD = image(**data("image/png", PNG))
URL = {"type": "url", "url": "https://example.com/a"}
CASES = [
    ("media type", GOOD, image(**data("image/bmp", PNG)),
     "messages.0.content.0.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or"),
    ("base64", GOOD, image(**data("image/png", "%%%")), "messages.0.content.0.image.source.base64.data: invalid base64"),
    ("empty", GOOD, image(**data("image/png", "")), "data cannot be empty"),
    ("no image", GOOD, image(**data("image/png", "aGVsbG8=")), "Could not process image"),
    ("other format", GOOD, image(**data("image/jpeg", PNG)), "but the image appears to be a image/png image"),
    ("source type", GOOD, image(type="path", path="x"), "messages.0.content.0.image.source: Input tag 'path' found"),
    ("no data", GOOD, image(type="base64", media_type="image/png"), "image.source.base64.data: Field required"),
    ("address", image(**URL), image(type="url", url="http://example.com"), "Only HTTPS URLs are supported."),
    ("pdf", document(**data("application/pdf", PDF)), document(**data("application/pdf", PNG)), "PDF specified was not"),
    ("pdf type", document(**data("application/pdf", PDF)), document(**data("text/html", PDF)), "Input should be 'appl"),
    ("text", document(type="text", media_type="text/plain", data="x"),
     document(type="text", media_type="text/plain", data=" "), "document text must be non-empty"),
    ("pdf address", document(**URL), document(type="url", url="file:///x"), "Only HTTPS URLs are supported."),
    ("content", document(type="content", content=[GOOD]),
     document(type="content", content=[image(**data("image/png", "AAAA"))]), "Could not process image"),
    ("inside a result", {"type": "text", "text": "x"}, {"type": "text"}, "text.text: Field required"),
]  # fmt: skip


@pytest.mark.parametrize("passing, failing, message", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_rule_passes_one_block_and_refuses_another(passing, failing, message):
    accepted = ask(messages=user([passing]))
    assert accepted.status == 200, accepted.body
    refused = ask(messages=user([failing]))
    assert refused.status == 400
    assert message in refused.message


def test_an_image_inside_a_tool_result_is_looked_at_too():
    call = {"type": "tool_use", "id": "a", "name": "t", "input": {}}
    bad = {"type": "tool_result", "tool_use_id": "a", "content": [image(**data("image/png", "AAAA"))]}
    messages = [*user("x"), {"role": "assistant", "content": [call]}, *user([bad])]
    assert ask(messages=messages).message == "Could not process image"


def test_an_image_has_a_largest_size():
    raw = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * MAX_IMAGE_BYTES).decode()
    assert "image exceeds 5 MB maximum" in ask(messages=user([image(**data("image/png", raw))])).message


@pytest.mark.parametrize(
    "start, kind",
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF0000WEBP", "image/webp"),
        (b"RIFF0000WAVE", None),
        (b"<svg", None),
    ],
)
def test_formats_are_known_by_their_first_bytes(start, kind):
    assert find_media_type(start) == kind
