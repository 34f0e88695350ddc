"""Anthropic's Messages API, both halves.

Source: Anthropic API reference and Anthropic Python SDK 2.12.0, read 2026-11-22; API versions 2023-06-01 and
2026-10-21.
"""

from __future__ import annotations

from lockgate.dialects import (
    BatchReader,
    BatchWriter,
    Dialect,
    FileReader,
    FileWriter,
    ReplyRules,
    StreamJoiner,
    StreamMeter,
    StreamReader,
    StreamWriter,
    View,
)
from lockgate.dialects.anthropic_messages import batches, files, meter, models, stream_reader, stream_writer
from lockgate.dialects.anthropic_messages.errors import read_error, write_error
from lockgate.dialects.anthropic_messages.forward import client_headers, forward, with_headers
from lockgate.dialects.anthropic_messages.read_call import read_call
from lockgate.dialects.anthropic_messages.read_reply import read_reply
from lockgate.dialects.anthropic_messages.write_call import write_call
from lockgate.dialects.anthropic_messages.write_reply import write_reply


class AnthropicMessages:
    """The dialect's functions in one place."""

    name = "anthropic_messages"
    batch_reader: BatchReader | None = batches.Batches()
    batch_writer: BatchWriter | None = None
    file_reader: FileReader | None = files.Files()
    file_writer: FileWriter | None = None

    read_call = staticmethod(read_call)
    write_reply = staticmethod(write_reply)
    write_error = staticmethod(write_error)

    write_call = staticmethod(write_call)
    with_headers = staticmethod(with_headers)
    read_reply = staticmethod(read_reply)
    read_error = staticmethod(read_error)

    read_models = staticmethod(models.read_models)
    write_models = staticmethod(models.write_models)
    write_model = staticmethod(models.write_model)

    forward = staticmethod(forward)
    client_headers = staticmethod(client_headers)
    read_summary = staticmethod(meter.read_summary)

    def stream_writer(self, view: View) -> StreamWriter:
        """Return a writer for one streamed reply."""
        return stream_writer.StreamWriter(view)

    def stream_reader(self, rules: ReplyRules) -> StreamReader:
        """Return a reader for one streamed reply of status 200."""
        return stream_reader.StreamReader(rules)

    def stream_meter(self, *, hides_usage: bool = False) -> StreamMeter:  # always in the stream
        """Return a listener for one streamed reply."""
        return meter.StreamMeter()

    def stream_joiner(self) -> StreamJoiner | None:
        """Return None: reader and writer make the same of a stream."""
        return None


DIALECT: Dialect = AnthropicMessages()
