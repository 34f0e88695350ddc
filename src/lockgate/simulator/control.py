"""The control API under ``/_simulator/``: for tests that run the simulator as a process of its own."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from lockgate.simulator.anthropic.batches import batches_of, describe_batch
from lockgate.simulator.anthropic.files import files_of, write_stored
from lockgate.simulator.exchange import Exchange, Message, Receive, Send
from lockgate.simulator.journal import Received
from lockgate.simulator.script import ScriptError, read_script

if TYPE_CHECKING:
    from lockgate.simulator.app import Simulator

PREFIX = "/_simulator"
_MAX_SCRIPT_BYTES = 64 * 1024 * 1024


async def answer(simulator: Simulator, scope: Message, receive: Receive, send: Send) -> None:
    """Answer one control request; these appear in no journal and no counter."""
    nothing = Received(id=0, method="", path="", query="", headers=(), received_at=0.0)
    body = await Exchange(scope, receive, send, nothing, lambda outcome: None).read_body(_MAX_SCRIPT_BYTES)
    status, reply = _route(simulator, scope, body.kept)
    data = msgspec.json.encode(reply)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(data)).encode()),
        (b"x-lockgate-simulated", b"true"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data, "more_body": False})


def _route(simulator: Simulator, scope: Message, body: bytes) -> tuple[int, Any]:
    what = (scope["method"], scope["path"].removeprefix(PREFIX).strip("/"))
    match what:
        case ("GET", "" | "health"):
            return 200, {"status": "ok", "seed": simulator.settings.seed}
        case ("GET", "requests"):
            return _list_requests(simulator, scope.get("query_string", b"").decode("latin-1"))
        case ("DELETE", "requests"):
            simulator.requests.clear()
            return 200, {"status": "ok"}
        case ("GET", "script"):
            return 200, simulator.world.run.script
        case ("PUT", "script"):
            return _put_script(simulator, body, is_toml=b"toml" in dict(scope["headers"]).get(b"content-type", b""))
        case ("GET", "counters"):
            counters = msgspec.structs.asdict(simulator.counters)
            return 200, {**counters, "connections_open": simulator.connections_open}
        case ("GET", "files"):
            return 200, {"files": [write_stored(file) for file in files_of(simulator.world).newest()]}
        case ("GET", "batches"):
            return 200, {"batches": [describe_batch(batch) for batch in batches_of(simulator.world).newest()]}
        case ("POST", "reset"):
            simulator.reset()
            return 200, {"status": "ok"}
        case _:
            return 404, {"error": "no such control endpoint"}


def _list_requests(simulator: Simulator, query: str) -> tuple[int, Any]:
    values = parse_qs(query)
    try:
        after, limit = int(values.get("after", ["0"])[0]), int(values.get("limit", ["1000"])[0])
    except ValueError:
        return 400, {"error": "after and limit are whole numbers"}
    text = values.get("containing", [""])[0].encode()
    found = [entry for entry in simulator.requests.after(after) if text in entry.body]
    return 200, {"requests": [write_received(entry) for entry in found[:limit]], "has_more": len(found) > limit}


def _put_script(simulator: Simulator, body: bytes, *, is_toml: bool) -> tuple[int, Any]:
    try:
        simulator.world.use_script(read_script(body, is_toml=is_toml))
    except ScriptError as error:
        return 400, {"error": str(error)}
    return 200, simulator.world.run.script


def write_received(entry: Received) -> dict[str, Any]:
    """Return an entry of the journal as JSON values; bodies are base64."""
    return {
        "id": entry.id,
        "method": entry.method,
        "path": entry.path,
        "query": entry.query,
        "headers": entry.headers,
        "body_bytes": entry.body_bytes,
        "body_base64": base64.b64encode(entry.body).decode(),
        "received_at": entry.received_at,
        "status": entry.status,
        "sent_headers": entry.sent_headers,
        "sent_base64": base64.b64encode(entry.sent).decode(),
        "events_sent": entry.events_sent,
        "outcome": entry.outcome,
    }
