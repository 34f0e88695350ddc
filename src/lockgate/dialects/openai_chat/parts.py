"""Content parts of user, system and tool messages, read into canonical blocks.

Belongs here: OpenAI's parts and what Portkey adds to them. Anthropic's own blocks are read in ``blocks``.
Nothing is dropped silently: what no model behind this dialect can take is refused with its path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from lockgate.core.blocks import type_decoder
from lockgate.core.chat import (
    Base64Source,
    Block,
    DocumentBlock,
    FileSource,
    ImageBlock,
    OpaqueBlock,
    Source,
    TextBlock,
    TextSource,
    UrlSource,
)
from lockgate.core.json_text import ABSENT, below, decode, decode_input, given, write_json
from lockgate.dialects.openai_chat import media
from lockgate.dialects.openai_chat.blocks import NATIVE_TYPES, OPAQUE_TYPES, read_block
from lockgate.dialects.openai_chat.markers import Markers
from lockgate.errors import InvalidRequest

_E = TypeVar("_E")
_P = TypeVar("_P")

PDF = "application/pdf"
_NO_DETAIL = (None, "", "auto")
"""Values of ``detail`` that leave the choice to the provider."""


class Reading:
    """What reading a part depends on beyond the part itself."""

    def __init__(self, *, has_code_execution: bool = False, skip_breakpoints: int = 0) -> None:
        self.markers = Markers(skip_breakpoints)
        self.lost: dict[str, None] = {}
        """Names of what the canonical form has no place for, each once."""
        self.has_leftovers = False
        """A part has keys that nobody knows."""
        self.has_code_execution = has_code_execution
        """Files of any kind may then be put into the code's container."""


class TextPart(Struct, gc=False):
    """``{"type":"text"}`` and ``{"type":"refusal"}``."""

    type: str = ""
    text: str = ""
    refusal: str = ""
    citations: Raw = ABSENT
    cache_control: Raw = ABSENT
    prompt_cache_breakpoint: Raw = ABSENT


class ImageUrl(Struct, gc=False):
    """``image_url`` of an image part."""

    url: str
    mime_type: str | None = None
    detail: str | None = None


class ImagePart(Struct, gc=False):
    """``{"type":"image_url"}``; the URL may stand there bare."""

    image_url: ImageUrl | str
    type: str = ""
    mime_type: str | None = None
    cache_control: Raw = ABSENT
    prompt_cache_breakpoint: Raw = ABSENT


class FileIn(Struct, gc=False):
    """``file`` of a file part: one of the first three says where the bytes are."""

    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    mime_type: str | None = None
    filename: str | None = None
    file_name: str | None = None
    title: str | None = None
    context: str | None = None
    citations: Raw = ABSENT
    cache_control: Raw = ABSENT


class FilePart(Struct, gc=False):
    """``{"type":"file"}``; what belongs into ``file`` may also stand beside it."""

    file: FileIn
    type: str = ""
    mime_type: str | None = None
    filename: str | None = None
    title: str | None = None
    context: str | None = None
    citations: Raw = ABSENT
    cache_control: Raw = ABSENT
    prompt_cache_breakpoint: Raw = ABSENT


class ExactTextPart(TextPart, forbid_unknown_fields=True, gc=False):
    """A TextPart and nothing else."""


class ExactImageUrl(ImageUrl, forbid_unknown_fields=True, gc=False):
    """An ImageUrl and nothing else."""


class ExactImagePart(ImagePart, forbid_unknown_fields=True, gc=False):
    """An ImagePart and nothing else."""

    image_url: ExactImageUrl | str


class ExactFileIn(FileIn, forbid_unknown_fields=True, gc=False):
    """A FileIn and nothing else."""


class ExactFilePart(FilePart, forbid_unknown_fields=True, gc=False):
    """A FilePart and nothing else."""

    file: ExactFileIn


_read_text = (msgspec.json.Decoder(ExactTextPart), msgspec.json.Decoder(TextPart))
_read_image = (msgspec.json.Decoder(ExactImagePart), msgspec.json.Decoder(ImagePart))
_read_file = (msgspec.json.Decoder(ExactFilePart), msgspec.json.Decoder(FilePart))


def read_parts(raws: list[Raw], reading: Reading, *, key: str = "content") -> list[Block]:
    """Read a list of parts; empty text is left out unless it carries a cache marker. Raises InvalidRequest."""
    blocks: list[Block] = []
    for at, raw in enumerate(raws):
        try:
            block = _read_part(raw, reading)
        except InvalidRequest as error:
            raise below(error, f"{key}[{at}]") from None
        if block is not None:
            blocks.append(block)
    return blocks


def read_text_parts(raws: list[Raw], reading: Reading) -> list[Block]:
    """Read the parts of a system message: text alone. Raises InvalidRequest."""
    for at, raw in enumerate(raws):
        kind = _type_of(raw, f"content[{at}]")
        if kind != "text":
            raise InvalidRequest("a system message holds text parts only", path=f"content[{at}].type")
    return read_parts(raws, reading)


def _type_of(raw: Raw, path: str) -> str:
    try:
        return decode_input(type_decoder, raw).type
    except InvalidRequest as error:
        raise below(error, path) from None


def _read_part(raw: Raw, reading: Reading) -> Block | None:
    kind = decode_input(type_decoder, raw).type
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(raw, reading)
    if kind in NATIVE_TYPES or kind in OPAQUE_TYPES or kind.endswith("_tool_result"):
        block = read_block(kind, raw)
        if getattr(block, "cache", None) is not None:
            reading.markers.explicit += 1
        return block
    raise InvalidRequest("this content type is not known", path="type")


def _decode(decoders: tuple[msgspec.json.Decoder[_E], msgspec.json.Decoder[_P]], raw: Raw, reading: Reading) -> _E | _P:
    """Decode by the exact shape; what has more than that is noted, and decoded by the open one."""
    exact, lax = decoders
    try:
        return decode(exact, raw)
    except (ValueError, RecursionError):
        reading.has_leftovers = True
        return decode_input(lax, raw)


def _text(raw: Raw, reading: Reading) -> TextBlock | None:
    part = _decode(_read_text, raw, reading)
    cache = reading.markers.take_part(part.cache_control, part.prompt_cache_breakpoint)
    text = part.text or part.refusal
    if not text and cache is None:
        return None
    return TextBlock(text=text, citations=given(part.citations), cache=cache)


def _image(raw: Raw, reading: Reading) -> Block:
    part = _decode(_read_image, raw, reading)
    image = part.image_url
    url, mime_type = (image, None) if isinstance(image, str) else (image.url, image.mime_type)
    if not isinstance(image, str) and image.detail not in _NO_DETAIL:
        reading.lost["messages.content.image_url.detail"] = None
    cache = reading.markers.take_part(part.cache_control, part.prompt_cache_breakpoint)
    try:
        return _image_block(url, media.same_type(mime_type or part.mime_type or ""), cache)
    except InvalidRequest as error:
        raise below(error, "image_url" if isinstance(image, str) else "image_url.url") from None


def _image_block(url: str, mime_type: str, cache: Raw | None) -> Block:
    if media.is_web_url(url):
        if mime_type == PDF or (not mime_type and media.is_pdf_url(url)):
            return DocumentBlock(source=UrlSource(url=url), cache=cache)
        return ImageBlock(source=UrlSource(url=url), cache=cache)
    if not media.is_data_uri(url):
        raise InvalidRequest("expected an http or https URL or a data URI")
    uri = media.read_data_uri(url)
    kind = uri.media_type or mime_type
    if kind.startswith("image/"):
        return ImageBlock(source=Base64Source(media_type=kind, data=uri.data), cache=cache)
    if kind == PDF or kind.startswith("text/"):
        return DocumentBlock(source=_data_source(kind, uri), cache=cache)
    raise InvalidRequest("the data URI holds neither an image nor a PDF nor text")


def _file(raw: Raw, reading: Reading) -> Block:
    part = _decode(_read_file, raw, reading)
    file = part.file
    markers = reading.markers
    cache = markers.take_part(file.cache_control, ABSENT)
    if cache is None:
        cache = markers.take_part(part.cache_control, part.prompt_cache_breakpoint)
    mime_type = media.same_type(file.mime_type or part.mime_type or "")
    try:
        source, kind = _file_source(file, mime_type)
    except InvalidRequest as error:
        raise below(error, "file") from None
    if kind.startswith("image/"):
        return ImageBlock(source=source, cache=cache)
    if isinstance(source, FileSource) and reading.has_code_execution and _is_for_container(kind):
        return _upload(source.file_id, cache)
    return DocumentBlock(
        source=source,
        title=file.title or file.filename or file.file_name or part.title or part.filename,
        context=file.context or part.context,
        citations=given(file.citations) or given(part.citations),
        cache=cache,
    )


def _is_for_container(kind: str) -> bool:
    return bool(kind) and kind != PDF and not kind.startswith("text/")


def _upload(file_id: str, cache: Raw | None) -> OpaqueBlock:
    keys: dict[str, object] = {"type": "container_upload", "file_id": file_id}
    if cache is not None:
        keys["cache_control"] = cache
    return OpaqueBlock(type="container_upload", raw=Raw(write_json(keys)))


def _file_source(file: FileIn, mime_type: str) -> tuple[Source, str]:
    """Return where the bytes are and of which media type they are, as far as it is known."""
    if file.file_id is not None:
        return FileSource(file_id=file.file_id), mime_type
    if file.file_data is not None:
        try:
            return _file_data(file.file_data, mime_type)
        except InvalidRequest as error:
            raise below(error, "file_data") from None
    if file.file_url is None:
        raise InvalidRequest("expected one of file_id, file_data and file_url")
    if not media.is_web_url(file.file_url):
        raise InvalidRequest("expected an http or https URL", path="file_url")
    return UrlSource(url=file.file_url), mime_type


def _file_data(data: str, mime_type: str) -> tuple[Source, str]:
    is_text = mime_type.startswith("text/")
    if media.is_plain_data_uri(data) if is_text else media.is_data_uri(data):
        uri = media.read_data_uri(data)
        kind = uri.media_type or mime_type or PDF
        return _data_source(kind, uri), kind
    if is_text:
        return TextSource(text=data), mime_type
    kind = mime_type or PDF
    return Base64Source(media_type=kind, data=media.clean_base64(data)), kind


def _data_source(kind: str, uri: media.DataUri) -> Source:
    if kind.startswith("text/"):
        return TextSource(text=media.decode_text(uri.data, uri.charset))
    return Base64Source(media_type=kind, data=uri.data)


def _refused(raw: Raw, reading: Reading) -> Block:
    raise InvalidRequest("audio and video cannot be read by the models behind this route", path="type")


_READERS: dict[str, Callable[[Raw, Reading], Block | None]] = {
    "text": _text,
    "refusal": _text,
    "image_url": _image,
    "file": _file,
    "input_audio": _refused,
    "video_url": _refused,
}
