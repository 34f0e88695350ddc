"""``python -m bench.micro``: what Lockgate's own code costs, in this process and without sockets. For its developers.

CPU microseconds, best of thirty short repeats: the dialects' pure functions on requests, replies and one text event
of a stream, then whole exchanges.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.exchanges import DELTA, REPLY, START, time_exchanges, write_event, write_json
from bench.payloads import Shape, write_body
from bench.report import write_table

if TYPE_CHECKING:
    from lockgate.dialects import Dialect, ReplyRules, TargetInfo, View

REPEATS = 30
REPEAT_S = 0.015


def best_us(work: Callable[[], object]) -> float:
    """CPU microseconds of one call: the best of many repeats, each long enough for the clock."""
    calls = 1
    while (took_s := _run(work, calls)) < REPEAT_S / 4:
        calls *= 4
    calls = max(1, int(calls * REPEAT_S / took_s))
    return min(_run(work, calls) for _ in range(REPEATS)) / calls * 1e6


def _run(work: Callable[[], object], calls: int) -> float:
    start_s = time.process_time()
    for _ in range(calls):
        work()
    return time.process_time() - start_s


def translations() -> list[tuple[str, Callable[[], object]]]:
    """Every piece of work with its name. Imports the gateway, which the rest of the benchmark does not."""
    chat, messages = _dialect("openai_chat"), _dialect("anthropic_messages")
    target, view = _target(), _view()
    small = write_body(Shape(api="chat"), "claude-mock")
    large = write_body(Shape(api="chat", size="large"), "claude-mock")
    native = write_body(Shape(api="messages"), "claude-mock")
    reply = write_json(REPLY)
    call = chat.read_call(small)
    read = messages.read_reply(reply, messages.write_call(call, target).rules)
    return [
        (f"call, {len(small)} B: read chat", lambda: chat.read_call(small)),
        (f"call, {len(small)} B: write Messages", lambda: messages.write_call(call, target)),
        (f"call, {len(small)} B: both", lambda: messages.write_call(chat.read_call(small), target)),
        (f"call, {len(large)} B: both", lambda: messages.write_call(chat.read_call(large), target)),
        (f"call, {len(native)} B: read Messages", lambda: messages.read_call(native)),
        (f"reply, {len(reply)} B: read Messages", lambda: messages.read_reply(reply, _rules())),
        (f"reply, {len(reply)} B: write chat", lambda: chat.write_reply(read, view)),
        (f"reply, {len(reply)} B: both", lambda: chat.write_reply(messages.read_reply(reply, _rules()), view)),
        (f"reply, {len(reply)} B: summary for the byte path", lambda: messages.read_summary(reply)),
        ("text event: read Messages", _feeding(messages)),
        ("text event: read Messages, write chat", _translating(messages, chat, view)),
        ("text event: meter for the byte path", _metering(messages)),
    ]


def _feeding(messages: Dialect) -> Callable[[], object]:
    reader, delta = messages.stream_reader(_rules()), write_event(DELTA)
    for data in START:
        reader.feed(write_event(data))
    return lambda: reader.feed(delta)


def _translating(messages: Dialect, chat: Dialect, view: View) -> Callable[[], object]:
    reader, writer, delta = messages.stream_reader(_rules()), chat.stream_writer(view), write_event(DELTA)
    for data in START:
        writer.write(reader.feed(write_event(data)))
    return lambda: writer.write(reader.feed(delta))


def _metering(messages: Dialect) -> Callable[[], object]:
    meter, delta = messages.stream_meter(), write_event(DELTA)
    for data in START:
        meter.feed(write_event(data))
    return lambda: meter.feed(delta)


def _dialect(name: str) -> Dialect:
    dialect: Dialect = importlib.import_module(f"lockgate.dialects.{name}").DIALECT
    return dialect


def _rules() -> ReplyRules:
    from lockgate.dialects import ReplyRules

    return ReplyRules()


def _target() -> TargetInfo:
    from lockgate.catalog import find_facts
    from lockgate.dialects import TargetInfo

    return TargetInfo(provider="anthropic", model="claude-mock", facts=find_facts("claude-mock"))


def _view() -> View:
    from lockgate.dialects import View

    return View(provider="anthropic", strict=True, created=1700000000, request_id="req_1")


def main(arguments: Sequence[str] | None = None) -> int:
    """Time everything whose name holds the given text and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.micro", description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", default="", help="only what has this text in its name")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
    chosen = [(name, work) for name, work in translations() if options.text in name]
    gc.collect()
    gc.freeze()
    timed = [(name, best_us(work)) for name, work in chosen] + time_exchanges(best_us, options.text)
    rows = [[name, f"{took_us:.2f}"] for name, took_us in timed]
    print(write_table(["work", f"CPU us, best of {REPEATS}"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
