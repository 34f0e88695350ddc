"""OpenAI's chat completions API: ``/v1/chat/completions`` for clients, and for the many providers that speak it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockgate.core.body import Peek
from lockgate.core.chat import Call, Reply
from lockgate.core.models import ModelEntry
from lockgate.core.seals import IsForeign
from lockgate.dialects import (
    Added,
    BatchReader,
    BatchWriter,
    FileReader,
    FileWriter,
    ReplyRules,
    StreamJoiner,
    Summary,
    TargetInfo,
    View,
    Written,
)
from lockgate.dialects.openai_chat import batches, errors, files, forward, models
from lockgate.dialects.openai_chat.meter import ChatStreamMeter
from lockgate.dialects.openai_chat.read_call import read_call
from lockgate.dialects.openai_chat.read_reply import read_reply, read_summary
from lockgate.dialects.openai_chat.stream_joiner import ChatStreamJoiner
from lockgate.dialects.openai_chat.stream_reader import ChatStreamReader
from lockgate.dialects.openai_chat.stream_writer import ChatStreamWriter
from lockgate.dialects.openai_chat.write_call import write_call
from lockgate.dialects.openai_chat.write_reply import write_reply
from lockgate.errors import GatewayError, Rejected


class OpenAIChat:
    """The dialect as one object; what each method promises is said in ``Dialect``."""

    name = "openai_chat"
    batch_reader: BatchReader | None = None
    batch_writer: BatchWriter | None = batches.Batches()
    file_reader: FileReader | None = None
    file_writer: FileWriter | None = files.Files()

    def read_call(self, body: bytes) -> Call:
        return read_call(body)

    def write_reply(self, reply: Reply, view: View) -> bytes:
        return write_reply(reply, view)

    def stream_writer(self, view: View) -> ChatStreamWriter:
        return ChatStreamWriter(view)

    def write_error(self, error: GatewayError, *, request_id: str, provider: str | None) -> bytes:
        return errors.write_error(error, request_id=request_id, provider=provider)

    def write_call(self, call: Call, target: TargetInfo) -> Written:
        return write_call(call, target)

    def with_headers(self, call: Call, client: Mapping[bytes, bytes]) -> Call:
        return forward.with_headers(call, client)

    def read_reply(self, body: bytes, rules: ReplyRules) -> Reply:
        return read_reply(body, rules)

    def stream_reader(self, rules: ReplyRules) -> ChatStreamReader:
        return ChatStreamReader(rules)

    def read_error(self, status: int, body: bytes) -> Rejected:
        return errors.read_error(status, body)

    def read_models(self, body: bytes) -> list[ModelEntry]:
        return models.read_models(body)

    def write_models(self, entries: Sequence[ModelEntry]) -> bytes:
        return models.write_models(entries)

    def write_model(self, entry: ModelEntry) -> bytes:
        return models.write_model(entry)

    def forward(
        self,
        body: bytes,
        seen: Peek,
        model: str | None,
        client: Mapping[bytes, bytes],
        added: Added | None = None,
        is_foreign: IsForeign | None = None,
    ) -> Written:
        return forward.forward(body, seen, model, client, added)

    def client_headers(self, client: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
        return forward.client_headers(client)

    def read_summary(self, body: bytes) -> Summary:
        return read_summary(body)

    def stream_meter(self, *, hides_usage: bool = False) -> ChatStreamMeter:
        return ChatStreamMeter(hides_usage=hides_usage)

    def stream_joiner(self) -> StreamJoiner | None:
        return ChatStreamJoiner()


DIALECT = OpenAIChat()
