"""A sink of records that lets no secret through: what clients and operators wrote freely is looked through first."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter

import msgspec

from lockgate.core.metadata import NO_METADATA
from lockgate.core.record import Record
from lockgate.core.recording import BodyMode
from lockgate.ports import RecordSink
from lockgate.records.redaction import DEFAULT, Rules, redact_metadata, redact_text, redact_words

FREE_TEXTS = ("user_agent", "model_asked", "trace_id", "span_id", "parent_span_id", "span_name", "client_request_id",
              "request_path", "cache_namespace", "client_ip")  # fmt: skip
"""Members of a record that hold what a client wrote."""
_NOTHING = {"user_agent": None, "span_name": None, "client_request_id": None, "client_ip": None}
"""What of them stays out where a client wants nothing kept: traces and models are how its own requests are found."""
_ALIKE = ("user_agent", "model_asked", "span_name", "request_path", "client_ip")
_alike_in = attrgetter(*_ALIKE)
_others_in = attrgetter(*[name for name in FREE_TEXTS if name not in (*_ALIKE, "trace_id", "span_id")])
_ID_SIGNS, _SPAN_SIGNS = 32, 16
"""Of a record's id, and of what of it is the id of a span that names none itself."""
_MODES = frozenset({"full", "redacted", "metrics_only", "off"})


class RedactingSink:
    """Implements ``ports.RecordSink`` before another sink."""

    def __init__(self, sink: RecordSink, rules_of: Callable[[str | None], Rules] = lambda _workspace: DEFAULT) -> None:
        """``rules_of``: the rules of a workspace; the mode of a record goes before theirs."""
        self._sink = sink
        self._rules_of = rules_of

    def write(self, record: Record) -> None:
        """Pass the record on, without secrets."""
        self._sink.write(redact_record(record, self._rules_of(record.workspace_id)))


def redact_record(record: Record, rules: Rules) -> Record:
    """Return a record as it may be kept; the same object when there is nothing to redact."""
    mode = record.log_mode
    if mode == "off":
        record = msgspec.structs.replace(record, metadata=NO_METADATA, **_NOTHING)
    if mode != rules.mode and mode in _MODES:
        rules = _in_mode(rules, mode)
    if _has_nothing(record, rules):
        return record
    texts = {name: getattr(record, name) for name in FREE_TEXTS}
    changes = {name: redact_text(text, rules) for name, text in texts.items() if text}
    return msgspec.structs.replace(record, metadata=redact_metadata(record.metadata, rules), **changes)


def _has_nothing(record: Record, rules: Rules) -> bool:
    """Tell whether nothing is to be found. What many requests say alike is looked through once, what is ours never."""
    personal = rules.personal if rules.mode == "redacted" else ()
    for text in _alike_in(record):
        if text and not _is_plain(text, personal):
            return False
    own = record.id[-_ID_SIGNS:]
    rare = [*record.metadata, *record.metadata.values()]
    if record.trace_id.replace("-", "") != own:
        rare.append(record.trace_id)
    if record.span_id != own[-_SPAN_SIGNS:]:
        rare.append(record.span_id)
    rare += filter(None, _others_in(record))
    if not rare:
        return True
    return not redact_words("\x00".join(rare).encode("utf-8", "surrogatepass"), rules).counts


@lru_cache(maxsize=4096)
def _is_plain(text: str, personal: tuple[str, ...]) -> bool:
    rules = Rules(mode="redacted", personal=personal)
    return not redact_words(text.encode("utf-8", "surrogatepass"), rules).counts


@lru_cache(maxsize=256)
def _in_mode(rules: Rules, mode: BodyMode) -> Rules:
    return msgspec.structs.replace(rules, mode=mode)
