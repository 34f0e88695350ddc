"""Rules of images and documents: valid base64, the announced format, size, secure addresses."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from lockgate.simulator.anthropic.errors import ApiError

MAX_IMAGE_BYTES = 5 * 1024 * 1024
"""Source: Anthropic documentation, "Vision", size limit of an image sent in a request."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def check_media(block: Mapping[str, Any], path: str) -> None:
    """Refuse an image or document that cannot be read, also inside a tool result. Raises :class:`ApiError`."""
    kind = block["type"]
    if kind == "image":
        _check_image(block["source"], f"{path}.image.source")
    elif kind == "document":
        _check_document(block["source"], f"{path}.document.source")
    elif kind in ("tool_result", "web_fetch_tool_result"):
        content = block.get("content")
        for index, inner in enumerate(content if isinstance(content, list) else ()):
            check_media(inner, f"{path}.tool_result.content.{index}")


def _check_image(source: Mapping[str, Any], path: str) -> None:
    if source["type"] == "url":
        _check_url(source["url"], path)
    if source["type"] != "base64":
        return
    data = _decode(source["data"], path)
    if len(data) > MAX_IMAGE_BYTES:
        raise ApiError(f"{path}.base64: image exceeds 5 MB maximum: {len(data)} bytes > {MAX_IMAGE_BYTES} bytes")
    found = find_media_type(data)
    if found is None:
        raise ApiError("Could not process image")
    if found != source["media_type"]:
        raise ApiError(
            f"{path}.base64.media_type: the image was specified using the {source['media_type']} media type, "
            f"but the image appears to be a {found} image"
        )


def find_media_type(data: bytes) -> str | None:
    """Return the format of an image by its first bytes; None: it is no image that the API takes."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


def _check_document(source: Mapping[str, Any], path: str) -> None:
    match source["type"]:
        case "url":
            _check_url(source["url"], path)
        case "base64" if not _decode(source["data"], path).lstrip().startswith(b"%PDF-"):
            raise ApiError(f"{path}.base64: The PDF specified was not valid.")
        case "text" if not source["data"].strip():
            raise ApiError(f"{path}.text.data: document text must be non-empty")
        case "content" if isinstance(source["content"], list):
            for index, inner in enumerate(source["content"]):
                check_media(inner, f"{path}.content.content.{index}")


def _decode(data: str, path: str) -> bytes:
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(f"{path}.base64.data: invalid base64 data") from error
    if not raw:
        raise ApiError(f"{path}.base64.data: data cannot be empty")
    return raw


def _check_url(url: str, path: str) -> None:
    if not url.startswith("https://"):
        raise ApiError(f"{path}.url.url: Only HTTPS URLs are supported.")
