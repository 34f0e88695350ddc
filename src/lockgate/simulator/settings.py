"""What an operator may set about the simulator."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from lockgate.simulator.script import Script


class SimulatorSettings(Struct, frozen=True, kw_only=True):
    """Settings of one simulator; the same settings and requests give the same answers."""

    seed: int = 0
    """Another seed gives other answers, ids and signatures."""
    script: str | Path | Script | None = None
    """A script, or the path of a ``.json`` or ``.toml`` file."""
    latency_s: float = 0.0
    """Waited before each status line."""
    token_delay_s: float = 0.0
    """Waited before each event of a stream."""
    api_keys: tuple[str, ...] = ()
    """The keys that are accepted; empty: any that is not empty."""
    keep_requests: int = 1000
    """How many requests the journal keeps."""
    keep_bytes: int = 256 * 1024 * 1024
    """How many bytes of requests and answers the journal keeps."""
    keep_upload_bytes: int = 1024 * 1024
    """How many bytes of each upload the journal keeps."""
    keep_file_bytes: int = 64 * 1024 * 1024
    """How many bytes of uploaded files are kept in all; of what does not fit, only size and digest."""
    batch_polls: int = 2
    """A batch has ended when it was retrieved so often; 0: from the start."""
    batch_wait_s: float = 0.0
    """A batch has not ended before this time is over."""
    extra_models: tuple[str, ...] = ()
    """Names served beside the known ones, by every provider, with the newest model's rules."""
    has_retired_models: bool = False
    """Serve models that the providers have retired, by the rules of their time."""
