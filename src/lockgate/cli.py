"""The command line: arguments and environment in, ``lockgate.app`` does the work. Errors are one sentence."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

import lockgate
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

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar="LOCKGATE_CONFIG", help="Configuration file. [default: lockgate.toml, if there]"
    ),
]
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
LogOption = Annotated[
    str, typer.Option("--log-level", envvar="LOCKGATE_LOG_LEVEL", help="debug, info, warning or error.")
]


@cli.command()
def up(
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    simulate: SimulateOption = None,
    log_level: LogOption = "info",
) -> None:
    """Start the gateway."""
    from lockgate.app import Gateway, Options
    from lockgate.telemetry.logs import start_logging

    try:
        start_logging(log_level)
    except ConfigError as error:
        _give_up(error)
    options = Options(
        config_path=config, home=state_folder(), host=host, port=port, simulate=simulate, environment=os.environ
    )

    async def serve() -> int:
        return await Gateway(options).run(lambda started: typer.echo(banner(started)))

    cut_off = _run(serve())
    if cut_off:
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
def check(config: Annotated[Path, typer.Argument(help="The configuration file.")] = Path("lockgate.toml")) -> None:
    """Check a configuration file without starting anything."""
    from lockgate.app import check_config

    try:
        document = check_config(config, os.environ)
    except ConfigError as error:
        _give_up(error)
    typer.echo(f"{config} is right; providers: {len(document.providers)}, keys: {len(document.keys)}.")


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"lockgate {lockgate.__version__}")
        raise typer.Exit


@cli.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A self-hosted AI gateway with Claude at its heart."""


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"lockgate {lockgate.__version__}")


def main() -> None:
    """Entry point of the ``lockgate`` command."""
    cli()


def state_folder() -> Path:
    """Where the state lives: LOCKGATE_HOME, else ``.lockgate`` in a checkout, else the platform's data folder."""
    given = os.environ.get("LOCKGATE_HOME")
    if given:
        return Path(given).expanduser()
    if Path("pyproject.toml").exists() and Path("src/lockgate").is_dir():
        return Path(".lockgate")
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "lockgate"


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
    if started.new_key:
        lines += [f"  Your API key, shown this once: {started.new_key}", ""]
    lines.append(f"  State is kept in {started.home}; configuration: {started.config_path or 'none'}")
    lines += [
        "",
        "  OpenAI and Portkey SDKs: base URL " + started.url + "/v1",
        "  Anthropic SDKs:          base URL " + started.url,
    ]
    return "\n".join(lines)


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
        _give_up(error)
    except KeyboardInterrupt:
        sys.exit(130)


def _give_up(error: ConfigError) -> NoReturn:
    typer.echo(f"lockgate: {error}", err=True)
    raise SystemExit(1)
