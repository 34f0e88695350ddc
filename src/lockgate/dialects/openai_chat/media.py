"""Media inside a request: data URIs, base64 and the addresses of files.

Belongs here: what a text means as media. Does not belong here: which content part it came from.
Paths in errors are relative to the value that was read.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from lockgate.errors import InvalidRequest

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_WHITESPACE = b" \t\r\n\f\v"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_PLAIN: Final = re.compile(
    r"data:(?:(?:application|audio|font|image|message|model|multipart|text|video)/[\w.+-]+|(?=;base64,))[^,\s]{0,200},",
    re.IGNORECASE,
)
_SAME_TYPE = {"image/jpg": "image/jpeg", "application/x-pdf": "application/pdf"}


class DataUri(Struct, frozen=True, kw_only=True):
    """What a ``data:`` URI holds; ``data`` is base64 in the standard alphabet, without line breaks."""

    media_type: str
    charset: str
    data: str


def is_data_uri(text: str) -> bool:
    """Tell whether a text is a ``data:`` URI, in whatever case."""
    return text[:5].lower() == "data:"


def is_plain_data_uri(text: str) -> bool:
    """Tell whether a text that may as well be prose is a ``data:`` URI beyond doubt.

    It is one with a media type, or one in base64: notes and tables begin with ``data:`` as well.
    """
    return _PLAIN.match(text) is not None


def is_web_url(text: str) -> bool:
    """Tell whether a text is an http or https URL."""
    return text[:8].lower().startswith(("http://", "https://"))


def is_pdf_url(url: str) -> bool:
    """Tell whether the path of a URL ends in ``.pdf``."""
    return url.partition("#")[0].partition("?")[0].lower().endswith(".pdf")


def same_type(media_type: str) -> str:
    """Return a media type in its usual spelling, without parameters."""
    plain = media_type.partition(";")[0].strip().lower()
    return _SAME_TYPE.get(plain, plain)


def read_data_uri(uri: str) -> DataUri:
    """Read ``data:<type>[;parameter...][;base64],<data>``. Raises InvalidRequest when it is malformed."""
    head, comma, payload = uri[5:].partition(",")
    if not comma:
        raise InvalidRequest("malformed data URI: no comma")
    media_type, *parameters = (part.strip() for part in head.split(";"))
    lowered = [parameter.lower() for parameter in parameters]
    charset = next((p[8:].strip("\"'") for p in lowered if p.startswith("charset=")), "utf-8")
    if "base64" in lowered:
        data = clean_base64(payload)
    else:
        data = base64.b64encode(unquote_to_bytes(payload)).decode()
    if not data:
        raise InvalidRequest("malformed data URI: no data")
    return DataUri(media_type=same_type(media_type), charset=charset, data=data)


def clean_base64(text: str) -> str:
    """Return base64 in the standard alphabet, padded and without white space. Raises InvalidRequest."""
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raise InvalidRequest("malformed base64") from None
    rest = raw.translate(None, _ALPHABET)
    if rest.strip(b"="):
        raw = unquote_to_bytes(raw).translate(_URL_SAFE, _WHITESPACE)
        rest = raw.translate(None, _ALPHABET)
    body = raw[: len(raw) - len(rest)]
    if not body or len(body) % 4 == 1 or rest.strip(b"=") or not raw.endswith(rest):
        raise InvalidRequest("malformed base64")
    return (body + b"=" * (-len(body) % 4)).decode()


def decode_text(data: str, charset: str = "utf-8") -> str:
    """Return the text that base64 holds. Raises InvalidRequest when it is not text in that charset."""
    try:
        return binascii.a2b_base64(data).decode(charset)
    except (LookupError, ValueError):
        raise InvalidRequest("the data is not text in the charset it names") from None
