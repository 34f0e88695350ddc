"""What is measured: how each system is started and how it is spoken to. The peers are in ``bench.peers``."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.errors import BenchError
from bench.limits import make_limited_key
from bench.payloads import Shape
from bench.programs import ROOT

GATEWAY_KEY = "lockgate-bench-key-0123456789"
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}
CACHE_HEADER = 'x-portkey-config: {"cache":{"mode":"simple"}}'
REFRESH_HEADER = "x-portkey-cache-force-refresh: true"
_VERSION = "anthropic-version: 2023-06-01"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a system runs this time: its port, the fake provider's port, and an empty folder for its files."""

    port: int
    upstream_port: int
    folder: Path

    @property
    def upstream_url(self) -> str:
        """The fake provider's address."""
        return f"http://127.0.0.1:{self.upstream_port}"


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How to start a system in its place, and the headers that its clients send. No command: nothing to start."""

    command: tuple[str, ...]
    headers: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class System:
    """One thing to measure.

    ``is_proxy`` systems do not translate: where others get an OpenAI request they get the same in Anthropic's form.
    ``trials`` limits what is measured, ``warm_s`` is how long it is loaded before the first trial.
    """

    name: str
    launch: Callable[[Place], Launch]
    is_proxy: bool = False
    model_form: str = "{model}"
    trials: frozenset[str] | None = None
    warm_s: float = 0.0
    note: str = ""

    def request(self, shape: Shape) -> tuple[str, Shape, str]:
        """The path, the shape and the model's name to send when this shape is asked for."""
        if self.is_proxy and shape.provider == "anthropic" and shape.api == "chat":
            shape = Shape(api="messages", model=shape.model, is_stream=shape.is_stream, size=shape.size)
        return PATHS[shape.api], shape, self.model_form.format(provider=shape.provider, model=shape.model)


def direct() -> System:
    """The fake provider itself: what the load side costs and how long an answer takes without any gateway."""
    return System(
        name="direct", launch=lambda place: Launch(command=(), headers=("x-api-key: k", _VERSION)), is_proxy=True
    )


def nginx() -> System:
    """Plain proxying without translation or keys: as little as a gateway can cost. Raises BenchError if missing."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise BenchError("nginx: not installed (Debian: apt-get install nginx-light)")

    def launch(place: Place) -> Launch:
        config = place.folder / "nginx.conf"
        config.write_text(_nginx_config(place))
        return Launch(command=(program, "-p", str(place.folder), "-c", str(config)), headers=("x-api-key: k", _VERSION))

    return System(name="nginx", launch=launch, is_proxy=True)


def lockgate(python: str = sys.executable) -> System:
    """Lockgate as it is started by a user, with the fake provider as Anthropic and as OpenAI."""

    def launch(place: Place) -> Launch:
        config = place.folder / "lockgate.toml"
        config.write_text(_lockgate_config(place))
        return Launch(
            command=(python, "-m", "lockgate", "up", "--config", str(config), "--port", str(place.port)),
            headers=(f"Authorization: Bearer {GATEWAY_KEY}", _VERSION),
            env={
                "LOCKGATE_HOME": str(place.folder / "home"),
                "LOCKGATE_API_KEY": GATEWAY_KEY,
                "PYTHONPATH": str(ROOT / "src"),
            },
        )

    return System(name="lockgate", launch=launch, model_form="@{provider}/{model}")


def lockgate_with_limits(python: str = sys.executable) -> System:
    """The same with a key that falls under three budgets and two rates, none of which is ever reached."""
    plain = lockgate(python)

    def launch(place: Place) -> Launch:
        without = plain.launch(place)
        key = make_limited_key(Path(without.env["LOCKGATE_HOME"]))
        return replace(without, headers=(f"Authorization: Bearer {key}", _VERSION))

    return replace(plain, name="lockgate-limits", launch=launch, trials=frozenset({"chat", "messages"}))


def lockgate_without_records(python: str = sys.executable) -> System:
    """The same without bodies and without a store: records in the journal, and nothing else."""
    plain = lockgate(python)

    def launch(place: Place) -> Launch:
        found = plain.launch(place)
        with (place.folder / "lockgate.toml").open("a") as config:
            config.write("\n[records]\nenabled = false\n")
        return found

    return replace(plain, name="lockgate-unrecorded", launch=launch, trials=frozenset({"chat", "messages", "paced200"}))


def lockgate_with_cache(python: str = sys.executable, *, is_hit: bool) -> System:
    """The same with a config that has a cache: every answer comes from it, or every one is asked for and kept."""
    plain = lockgate(python)
    headers = (CACHE_HEADER,) if is_hit else (CACHE_HEADER, REFRESH_HEADER)

    def launch(place: Place) -> Launch:
        without = plain.launch(place)
        return replace(without, headers=(*without.headers, *headers))

    name = "lockgate-hit" if is_hit else "lockgate-miss"
    trials = frozenset({"chat", "messages", "paced200", "long"})
    return replace(plain, name=name, launch=launch, trials=trials)


def other(name: str, command: str) -> System:
    """A gateway of the user's own: ``{port}`` and ``{upstream}`` (an address) in its command are filled in."""

    def launch(place: Place) -> Launch:
        filled = command.replace("{port}", str(place.port)).replace("{upstream}", place.upstream_url)
        return Launch(
            command=tuple(shlex.split(filled)),
            headers=("Authorization: Bearer sk-bench-1", _VERSION),
            env={"UPSTREAM": f"127.0.0.1:{place.upstream_port}"},
        )

    return System(name=name, launch=launch, note=f"started with: {command}")


def _lockgate_config(place: Place) -> str:
    return f"""\
[providers.anthropic]
type = "anthropic"
base_url = "{place.upstream_url}"
api_key = "sk-upstream"

[providers.openai]
type = "openai"
base_url = "{place.upstream_url}/v1"
api_key = "sk-upstream"
"""


def _nginx_config(place: Place) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"    {kind}_temp_path {place.folder}/{kind};" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""  # else the worker could not use this folder
    return f"""\
{user}
daemon off;
worker_processes 1;
pid {place.folder}/nginx.pid;
error_log {place.folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 10000000;
    client_max_body_size 64m;
    client_body_buffer_size 256k;
{temporary}
    upstream provider {{
        server 127.0.0.1:{place.upstream_port};
        keepalive 256;
        keepalive_requests 10000000;
    }}
    server {{
        listen 127.0.0.1:{place.port} backlog=4096;
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header x-api-key sk-upstream;
            proxy_buffering off;
        }}
    }}
}}
"""
