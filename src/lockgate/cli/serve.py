"""The command line: arguments and environment in, ``lockgate.app`` does the work. Errors are one sentence."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import lockgate
from lockgate.cli.options import ConfigOption, give_up, state_folder
from lockgate.errors import ConfigError

if TYPE_CHECKING:
    from lockgate.app import Started

cli = typer.Typer(
    name="lockgate",
    help="A self-hosted AI gateway with Claude at its heart.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

HostOption = Annotated[str | None, typer.Option("--host", envvar="LOCKGATE_HOST", help="Address to listen on.")]
PortOption = Annotated[
    int | None,
    typer.Option("--port", "-p", envvar="LOCKGATE_PORT", min=0, max=65535, help="Port to listen on; 0: a free one."),
]
SimulateOption = Annotated[
    bool | None,
    typer.Option(
        "--simulate/--no-simulate", help="Serve @anthropic and @openai by the simulator where no record has that name."
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers", "-w", envvar="LOCKGATE_WORKERS", min=1, max=256, help="Gateway processes that share the port."
    ),
]
LogOption = Annotated[
    str, typer.Option("--log-level", envvar="LOCKGATE_LOG_LEVEL", help="debug, info, warning or error.")
]

_PRIVATE = 0o077
"""Files are for their owner alone, wherever the state folder is and whoever made it."""
_TURN_S = 0.0005
"""How long a thread may keep others waiting; Python's own 5 ms would be felt by requests while records are shipped."""


@cli.command()
def up(
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    simulate: SimulateOption = None,
    workers: WorkersOption = 1,
    log_level: LogOption = "info",
) -> None:
    """Start the gateway."""
    from lockgate.app import WORKER_VARIABLE, Gateway, Options
    from lockgate.supervisor import Supervisor
    from lockgate.telemetry.logs import start_logging
    from lockgate.transport.memory import settle_memory

    try:
        start_logging(log_level)
    except ConfigError as error:
        give_up(str(error))
    options = Options(
        config_path=config, home=state_folder(), host=host, port=port, simulate=simulate, environment=os.environ
    )

    is_worker = WORKER_VARIABLE in os.environ
    owed: list[Gateway | Supervisor] = []

    async def serve() -> int:
        if workers > 1 and not is_worker:
            supervisor = Supervisor(options, workers, sys.argv[1:])
            owed.append(supervisor)
            return await supervisor.run(show)
        gateway = Gateway(options)
        owed.append(gateway)
        return await gateway.run(serving)

    def serving(started: Started) -> None:
        settle_memory()
        sys.setswitchinterval(_TURN_S)
        if not is_worker:
            show(started)

    def show(started: Started) -> None:
        typer.echo(banner(started))
        owed.clear()

    try:
        cut_off = _run(serve())
    finally:
        # keys of a start that failed are kept, and no later start shows them
        lines = [] if is_worker else [line for one in owed for line in key_lines(*one.made_keys)]
        if lines:
            typer.echo("\n".join(["", "The start failed, but these keys were made and stay:", *lines]))
    if cut_off and workers > 1 and not is_worker:
        typer.echo(f"{cut_off} workers did not end in order.", err=True)
    elif cut_off:
        typer.echo(f"{cut_off} requests did not finish in time and were cut off.", err=True)


@cli.command()
def simulate(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="Port to listen on; 0: a free one.")
    ] = 8788,
    seed: Annotated[int, typer.Option("--seed", help="Other seeds give other answers.")] = 0,
    script: Annotated[
        Path | None, typer.Option("--script", help="A JSON or TOML file of scripted answers and faults.")
    ] = None,
    latency_s: Annotated[float, typer.Option("--latency-s", min=0, help="Seconds before each answer.")] = 0.0,
    token_delay_s: Annotated[
        float, typer.Option("--token-delay-s", min=0, help="Seconds before each streamed event.")
    ] = 0.0,
) -> None:
    """Run the simulator alone: deterministic fakes of the Anthropic and OpenAI APIs, for tests."""
    from lockgate.simulator.app import Simulator
    from lockgate.simulator.serve import serve as serve_simulator
    from lockgate.simulator.settings import SimulatorSettings

    def ready(bound: int) -> None:
        routes = "Anthropic at /v1/messages, OpenAI at /v1/chat/completions"
        typer.echo(f"The simulator listens on http://{host}:{bound} ({routes})")

    async def serve() -> None:
        settings = SimulatorSettings(seed=seed, script=script, latency_s=latency_s, token_delay_s=token_delay_s)
        try:
            simulator = Simulator(settings)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot use the script {script}: {error}") from None
        stop = stop_on_signals()
        try:
            await serve_simulator(simulator, host, port, ready, stop)
        except OSError as error:
            raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from None

    _run(serve())


@cli.command()
def check(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(help="The configuration file.")] = Path("lockgate.toml"),
    is_offline: Annotated[
        bool, typer.Option("--offline", help="Do not try the database, as where it cannot be reached.")
    ] = False,
) -> None:
    """Check a configuration file, and whether the database answers, without starting anything. All faults are told.

    First those of its form; once it has none, those of what it refers to.
    """
    from lockgate.app.checkup import check_all

    try:
        found = check_all(config, os.environ, context.obj(), is_offline=is_offline)
    except ConfigError as error:
        give_up(str(error))
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    document = found.document
    counts = (len(document.providers), len(document.keys), len(document.configs))
    typer.echo("{} is right; providers: {}, keys: {}, configs: {}.".format(config, *counts))
    if found.database is not None and document.database.url is not None:
        typer.echo(found.database)


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"lockgate {lockgate.__version__}")
        raise typer.Exit


@cli.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A self-hosted AI gateway with Claude at its heart."""
    os.umask(_PRIVATE)  # what is written holds keys, prompts and money
    context.obj = state_folder


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"lockgate {lockgate.__version__}")


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    import signal

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def banner(started: Started) -> str:
    """What a starting gateway says."""
    lines = [f"Lockgate {lockgate.__version__} listens on {started.url}", ""]
    for slug, provider, is_simulated in started.targets:
        lines.append(
            f"  @{slug:<20} {'SIMULATED: answers are made up, no model is asked' if is_simulated else provider}"
        )
    if not started.targets:
        lines.append("  no providers yet: callers can only bring their own provider keys")
    lines.append("")
    if started.is_open:
        lines.append("  OPEN: callers need no key (server.open)")
    keys = key_lines(started.new_key, started.new_admin_key)
    if keys:
        lines += [*keys, ""]
    lines.append(f"  State is kept in {started.home}; configuration: {started.config_path or 'none'}")
    lines += [
        "",
        "  OpenAI and Portkey SDKs: base URL " + started.url + "/v1",
        "  Anthropic SDKs:          base URL " + started.url,
    ]
    return "\n".join(lines)


def key_lines(service: str | None, admin: str | None) -> list[str]:
    """Return the lines that show new keys."""
    shown = (("Your API key, shown this once:  ", service), ("Your admin key, shown this once:", admin))
    return [f"  {label} {text}" for label, text in shown if text]


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end on uvloop where there is one; a ConfigError becomes one sentence and exit status 1."""
    try:
        import uvloop
    except ImportError:
        loop_factory = None
    else:
        loop_factory = uvloop.new_event_loop
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(work)
    except ConfigError as error:
        give_up(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
