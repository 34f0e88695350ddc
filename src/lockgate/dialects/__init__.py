"""API shapes, whoever speaks them. Each module or package beside this file is one dialect and exports ``DIALECT``.

A dialect has two halves. The client half reads calls and writes replies, streams and errors for somebody who
called us. The upstream half writes calls and reads replies, streams and errors of a provider. Between them stands
the canonical form of ``lockgate.core``. Everything here is pure: bytes and Structs in, bytes and Structs out.

Siblings are strangers: a dialect never imports another. Nothing here knows which vendor it talks to; facts about
models come from ``lockgate.catalog``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from lockgate.catalog import ModelFacts
from lockgate.core.batches import Batch, BatchPage, BatchRequest
from lockgate.core.body import Peek
from lockgate.core.chat import Call, Reply, StopReason, Usage
from lockgate.core.chunk import Chunk, StreamError
from lockgate.core.files import FilePage, StoredFile
from lockgate.core.models import ModelEntry
from lockgate.core.seals import IsForeign
from lockgate.errors import GatewayError, Rejected

TierMapping: TypeAlias = Literal["speed", "native", "auto"]


class Wishes(Struct, frozen=True, kw_only=True, gc=False):
    """What a config or a header asks of the way in which calls are written for Claude."""

    tiers: TierMapping = "auto"
    """How ``service_tier`` is said: as a speed, as Anthropic's own tier, or by what the model knows."""
    passes_forced_tools: bool = False
    """Whether a forced choice goes to models that refuse it, instead of words in the system prompt."""
    repairs_tool_history: bool = False
    """Whether results that are missing are put in, and those without a call left out."""
    keeps_system_turns: bool = False
    """Whether system messages behind a user's turn stay there, for models that take them."""


NO_WISHES = Wishes()


class TargetInfo(Struct, frozen=True, kw_only=True, gc=False):
    """What writing a call for a target depends on."""

    provider: str
    """The provider's name as in ``x-portkey-provider``: anthropic, openai, ..."""
    model: str
    """The model's name at the provider, without any slug."""
    facts: ModelFacts
    strict: bool = True
    """Strict OpenAI compliance as the client set it: decides whether reasoning text is asked for."""
    maps_thinking: bool = False
    """Whether thinking becomes an effort where it cannot be asked for otherwise."""
    wishes: Wishes = NO_WISHES
    api_version: str | None = None
    """The version of the provider's API to ask for when the client names none; ``auto``: the newest that allows what is
    sent, None: the oldest."""


class ReplyRules(Struct, frozen=True, kw_only=True, gc=False):
    """What the reader of the reply must undo because ``write_call`` did it."""

    tool_names: dict[str, str] = {}
    """Name sent upstream -> name the client used."""
    json_tool: str | None = None
    """A tool that stands for a structured answer: its input is the text of the reply, not a tool call."""
    unwrap_value: bool = False
    """The schema was wrapped as {"value": ...}: unwrap the answer."""
    strip_fence: bool = False
    """Remove one Markdown fence around a JSON answer (whole replies only)."""


class Added(Struct, frozen=True, kw_only=True):
    """What a config has set in a client's own body, for a provider's model of which these are the facts."""

    fields: tuple[str, ...]
    facts: ModelFacts
    provider: str


class Written(Struct, frozen=True, kw_only=True, gc=False):
    """A call in a target's dialect.

    ``dropped`` names fields of the client's call that the target cannot express; ``adjusted`` names fields whose
    meaning was changed for the target, each as ``field: what happened`` in a few words.
    """

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    rules: ReplyRules = ReplyRules()
    hides_usage: bool = False
    """Usage of a stream was asked for on our own account: what only tells it is not for the client."""


class View(Struct, frozen=True, kw_only=True, gc=False):
    """What writing a reply for a client depends on.

    ``created`` is in seconds since 1970; ``input_estimate`` is our own count of input tokens, for dialects that
    must name one before the provider does.
    """

    provider: str
    strict: bool
    normalizes_finish: bool = False
    """Whether OpenAI's words for why a model stopped are used however strict the client is."""
    created: int
    request_id: str
    include_usage: bool = False
    input_estimate: int = 0


class Summary(Struct, kw_only=True, gc=False):
    """What a listener learns from a reply that is relayed byte for byte. Mutable: a stream fills it in as it goes.

    ``is_complete`` tells that the dialect's own end marker was seen, ``may_end`` that a stream may end without it.
    """

    id: str | None = None
    model: str | None = None
    usage: Usage = Usage()
    stop_reason: StopReason | None = None
    error: StreamError | None = None
    is_complete: bool = False
    may_end: bool = False


class StreamReader(Protocol):
    """Reads a provider's stream. Bytes may be cut anywhere; the chunks are the same however they are cut."""

    is_complete: bool
    """The dialect's own end marker was seen."""
    dropped: Sequence[str]
    """What the stream held so far that the canonical form has no place for, as in ``Reply.dropped``."""

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Return the chunks that these bytes complete. Raises Malformed on garbage, nothing else."""
        ...

    def close(self) -> Sequence[Chunk]:
        """Return the chunks that only the end of input completes. Raises Malformed if the stream was cut short."""
        ...


class StreamWriter(Protocol):
    """Writes a client's stream from canonical chunks."""

    def write(self, chunks: Sequence[Chunk]) -> bytes:
        """Return the bytes to send for these chunks, b"" if there is nothing to say yet."""
        ...

    def error(self, error: GatewayError) -> bytes:
        """Return the dialect's own in-stream error. Nothing may be written after it."""
        ...

    def ping(self) -> bytes:
        """Return the dialect's sign of life."""
        ...


class StreamMeter(Protocol):
    """Listens to a stream that is relayed byte for byte, in the provider's dialect."""

    summary: Summary

    def feed(self, events: bytes) -> bytes:
        """Take whole events only (each ends with its blank line), and return what of them is for the client.

        Never raises on content; cheap on text deltas.
        """
        ...


class StreamJoiner(Protocol):
    """Puts one stream of its dialect together without making anything of it."""

    is_whole: bool
    """Once ``reply`` was asked: whether the stream had its end, and everything in it could be read."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Never raises."""
        ...

    def reply(self) -> bytes:
        """Return the whole reply that the events make, as far as it is known; b"" when nothing is."""
        ...


class BatchReader(Protocol):
    """How providers of a dialect take batches of requests, and show them."""

    def read_requests(self, body: bytes) -> list[BatchRequest]:
        """Find the requests of a new batch. Raises InvalidRequest."""
        ...

    def write_requests(
        self,
        body: bytes,
        requests: Sequence[BatchRequest],
        models: Sequence[str | None],
        client: Mapping[bytes, bytes],
    ) -> Written:
        """Put the models' names in place and move what must be a header there; every other byte stays."""
        ...

    def point_results(self, body: bytes, url_of: Callable[[str], str]) -> bytes:
        """Put ``url_of(id)`` where an answer says at what address results are; every other byte stays."""
        ...

    def read_batch(self, body: bytes) -> Batch:
        """Read one batch. Raises Malformed."""
        ...

    def read_batches(self, body: bytes) -> BatchPage:
        """Read a page of batches. Raises Malformed."""
        ...


class BatchWriter(Protocol):
    """How clients of a dialect see batches of another one."""

    def write_batch(self, batch: Batch) -> bytes:
        """Write one batch."""
        ...

    def write_batches(self, page: BatchPage) -> bytes:
        """Write a page of batches."""
        ...


class FileForm(Protocol):
    """Rewrites an upload for a provider while it arrives. ``purpose`` is what the client said that it is for."""

    purpose: str | None
    dropped: list[str]
    """The parts that the provider does not take."""

    def feed(self, data: bytes) -> bytes:
        """Return what goes on of these bytes. Raises InvalidRequest for what is no form."""
        ...

    def close(self) -> bytes:
        """Return the end of the form. Raises InvalidRequest when it is not complete."""
        ...


class FileReader(Protocol):
    """How providers of a dialect take files, and show them."""

    def form(self, boundary: bytes, new_boundary: bytes) -> FileForm:
        """Return what rewrites an upload."""
        ...

    def read_file(self, body: bytes) -> StoredFile:
        """Read one file's metadata. Raises Malformed."""
        ...

    def read_files(self, body: bytes) -> FilePage:
        """Read a page of files. Raises Malformed."""
        ...


class FileWriter(Protocol):
    """How clients of a dialect see files of another one."""

    def write_file(self, file: StoredFile, purpose: str | None) -> bytes:
        """Write one file."""
        ...

    def write_files(self, files: Sequence[StoredFile], *, has_more: bool) -> bytes:
        """Write a page of files."""
        ...

    def write_deleted(self, id: str) -> bytes:
        """Say that a file is gone."""
        ...


class Dialect(Protocol):
    """One API shape, both halves."""

    name: str

    batch_reader: BatchReader | None
    """For providers whose batches hold their requests, None where they do not."""
    batch_writer: BatchWriter | None
    """For clients, None where they see a provider's batches only as they are."""
    file_reader: FileReader | None
    """For providers whose files can be shown to clients of another dialect."""
    file_writer: FileWriter | None
    """For clients, None where they see a provider's files only as they are."""

    # ---- client half
    def read_call(self, body: bytes) -> Call:
        """Read a client's request body. Raises InvalidRequest with the path of the fault, nothing else."""
        ...

    def write_reply(self, reply: Reply, view: View) -> bytes:
        """Write a whole reply."""
        ...

    def stream_writer(self, view: View) -> StreamWriter:
        """Return a writer for one streamed reply."""
        ...

    def write_error(self, error: GatewayError, *, request_id: str, provider: str | None) -> bytes:
        """Write an error body. ``provider`` is set when the error came from there."""
        ...

    # ---- upstream half
    def write_call(self, call: Call, target: TargetInfo) -> Written:
        """Write a request body for a target. Raises Unsupported, with the path, for what must not be dropped."""
        ...

    def with_headers(self, call: Call, client: Mapping[bytes, bytes]) -> Call:
        """Return the call with what the client's headers add to it for a provider of this dialect."""
        ...

    def read_reply(self, body: bytes, rules: ReplyRules) -> Reply:
        """Read a whole reply of status 200. Raises Malformed, nothing else."""
        ...

    def stream_reader(self, rules: ReplyRules) -> StreamReader:
        """Return a reader for one streamed reply of status 200."""
        ...

    def read_error(self, status: int, body: bytes) -> Rejected:
        """Read an error reply of any shape (also HTML or nothing). Never raises."""
        ...

    # ---- lists of models
    def read_models(self, body: bytes) -> list[ModelEntry]:
        """Read a provider's list of models. Raises Malformed."""
        ...

    def write_models(self, entries: Sequence[ModelEntry]) -> bytes:
        """Write a complete list of models."""
        ...

    def write_model(self, entry: ModelEntry) -> bytes:
        """Write one model."""
        ...

    # ---- byte path
    def forward(
        self,
        body: bytes,
        seen: Peek,
        model: str | None,
        client: Mapping[bytes, bytes],
        added: Added | None = None,
        is_foreign: IsForeign | None = None,
    ) -> Written:
        """Prepare a client's own bytes for a provider of the same dialect.

        Reasoning whose seal is foreign to the model is left out; without ``is_foreign`` none is.

        The model's value changes, members that the provider wants as headers move there, and what else the dialect
        permits is named in ``adjusted``; every other byte stays. ``client`` holds the client's headers by lower-case
        name; those that the provider understands come back in ``headers``.
        """
        ...

    def client_headers(self, client: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers of a client that a provider of this dialect understands, for requests without a body."""
        ...

    def read_summary(self, body: bytes) -> Summary:
        """Read what the record needs from a whole reply of this dialect. Never raises: what is not there stays None."""
        ...

    def stream_meter(self, *, hides_usage: bool = False) -> StreamMeter:
        """Return a listener for one streamed reply of this dialect; ``hides_usage`` as in Written."""
        ...

    def stream_joiner(self) -> StreamJoiner | None:
        """Return what puts a stream together, None where reader and ``write_reply`` make the same of it."""
        ...
