"""Every code block of the page that this product must live up to runs as it stands there; seed_page.py says what is changed.

The page lies beside the project; without it there is nothing to try. The answers come from a simulator that still
serves the retired models which the page names.
"""

from __future__ import annotations

import base64
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lockgate.simulator.app import Simulator, SimulatorSettings
from lockgate.simulator.serve import serving_in_thread
from tests.e2e import seed_page
from tests.e2e.clients import RUN_S, Client
from tests.e2e.gateway import GATEWAY_KEY, UPSTREAM_KEY, Evidence, Server, clean_environment, running
from tests.e2e.installs import announcer, npm_or_skip
from tests.e2e.seed_page import ANY_FENCE, DEFECTS, MEDIA_BODIES, PAGE, Block

# The first test to need an SDK may have to install it.
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not PAGE.exists(), reason="the seed page (../shared/spec/seed-page.md) is not beside the project"
    ),
]

BLOCKS = list(seed_page.read_blocks(PAGE.read_text())) if PAGE.exists() else []

# What a good answer to each section's question looks like in the output of its blocks, in any language.
GATEWAY = r"Simulated answer to: What is Portkey's AI Gateway\?"
ANSWERS = {
    "Quick Start": GATEWAY,
    "Chat Completions": GATEWAY,
    "System Prompts": r"^Simulated answer to: How do I boil water\?",
    "Streaming": r"^Simulated answer to: Tell me a story\. \S",
    "Vision (Multimodal)": r"^Simulated answer to: What's in this image\? \(saw 1 image\)",
    "PDF Support": r"^Simulated answer to: What are the key findings in this document\? \(saw 1 document\)",
    "Extended Thinking (Reasoning Models)": r"(?s)content_blocks\W.*thinking\W.*signature\W.*Simulated answer to: when does",
    "Using Anthropic's Native SDK": r"Simulated answer to: Hello, Claude",
    "Using Portkey's SDK": r"(?s)event: message_start\n.*event: content_block_delta\n.*event: message_stop\n",
    "Web Search": r"Simulated answer to: What is the latest news on Poland\?.*The first page says: ",
    "Beta Features": r"Simulated answer to: Beta\?",
}
CONFIG = """
[providers.anthropic]
type = "anthropic"
base_url = "{url}"
api_key = "env:E2E_UPSTREAM_KEY"

[providers.my-anthropic]
type = "anthropic"
base_url = "{url}"
api_key = "env:E2E_UPSTREAM_KEY"

[providers.your-provider-slug]
type = "anthropic"
base_url = "{url}"
api_key = "env:E2E_UPSTREAM_KEY"
"""


@dataclass
class Media:
    """A server of the pictures and documents that the page fetches, and what was fetched."""

    url: str = ""
    paths: list[str] = field(default_factory=list)


@contextmanager
def serving_media() -> Iterator[Media]:
    media = Media()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            media.paths.append(self.path)
            body = MEDIA_BODIES[self.path]
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        media.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, name="media")
        thread.start()
        yield media
        server.shutdown()
        thread.join()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the blocks run against."""

    gateway: Server
    media: Media
    simulator: Simulator

    def program(self, block: Block) -> str:
        return block.program(url=self.gateway.url, media=self.media.url, key=GATEWAY_KEY)

    def environment(self) -> dict[str, str]:
        return seed_page.environment(self.gateway.url)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, evidence: Evidence) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("seed-gateway")
    simulator = Simulator(SimulatorSettings(seed=7, has_retired_models=True))
    with serving_in_thread(simulator) as simulated, serving_media() as media:
        config = folder / "lockgate.toml"
        config.write_text(CONFIG.format(url=simulated.url))
        arguments = ["up", "--config", str(config), "--host", "127.0.0.1", "--port", "0"]
        environment = clean_environment(LOCKGATE_API_KEY=GATEWAY_KEY, E2E_UPSTREAM_KEY=UPSTREAM_KEY)
        evidence.folders.append(folder)
        with running(arguments, folder=folder, environment=environment) as gateway:
            yield Stage(gateway=gateway, media=media, simulator=simulator)


Outcome = dict[str, Any]
"""Exit status and output of a block: ``status``, ``stdout``, ``stderr``."""


def outcome_of(done: subprocess.CompletedProcess[str]) -> Outcome:
    return {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


@pytest.fixture(scope="module")
def python_outcomes(
    stage: Stage, client_named: Callable[[str], Client], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """The outcomes of all Python blocks by id. They run in one process, as importing the SDKs is what takes time."""
    folder = tmp_path_factory.mktemp("seed-python")
    blocks = [block for block in BLOCKS if block.language == "python"]
    paths = [folder / f"block_{block.line}.py" for block in blocks]
    for block, path in zip(blocks, paths, strict=True):
        path.write_text(stage.program(block))
    client = client_named("python-newest")
    outcomes = [outcome_of(client.run_among_others([str(path)], **stage.environment())) for path in paths]
    return dict(zip([block.id for block in blocks], outcomes, strict=True))


@pytest.fixture(scope="module")
def javascript(
    request: pytest.FixtureRequest,
    stage: Stage,
    client_named: Callable[[str], Client],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Block], Outcome]:
    """Runs one JavaScript block beside the SDKs, axios, and the default import that a bundler would make."""
    client = client_named("javascript-newest")
    source = Path(__file__).parent / "js" / "seed"
    axios = npm_or_skip(source, Path(client.command[0]), announcer(request.config)) / "node_modules"
    sdks = (client.examples / "node_modules").resolve()
    folder = seed_page.modules(tmp_path_factory.mktemp("seed-javascript"), sdks=sdks, axios=axios)

    def run(block: Block) -> Outcome:
        path = folder / f"block_{block.line}.mjs"
        path.write_text(stage.program(block))
        return outcome_of(client.run([str(path)], **stage.environment()))

    return run


def run_shell(block: Block, stage: Stage, evidence: Evidence, home: Path) -> Outcome:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    done = subprocess.run(
        ["sh", "-e", "-c", stage.program(block)],
        env=clean_environment(HOME=str(home)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    evidence.add(f"the output of {block.id}", done.stdout + done.stderr)
    return outcome_of(done)


@pytest.fixture
def run_block(
    request: pytest.FixtureRequest, stage: Stage, evidence: Evidence, tmp_path: Path
) -> Callable[[Block], Outcome]:
    def run(block: Block) -> Outcome:
        match block.language:
            case "python":
                outcomes: dict[str, Outcome] = request.getfixturevalue("python_outcomes")
                return outcomes[block.id]
            case "js":
                outcome: Outcome = request.getfixturevalue("javascript")(block)
                return outcome
            case _:
                return run_shell(block, stage, evidence, tmp_path)

    return run


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.id)
def test_block_gets_a_good_answer(block: Block, run_block: Callable[[Block], Outcome]) -> None:
    outcome = run_block(block)
    assert outcome["status"] == 0, outcome["stderr"] + outcome["stdout"]
    assert re.search(ANSWERS[block.section], outcome["stdout"], re.MULTILINE), outcome["stdout"]


def test_shell_block_of_the_quick_start_gets_an_answer_of_each_dialect(
    stage: Stage, evidence: Evidence, tmp_path: Path
) -> None:
    [block] = [block for block in BLOCKS if (block.section, block.language) == ("Quick Start", "sh")]
    answers = re.findall(
        r'"object": ?"chat\.completion"|"type": ?"message"', run_shell(block, stage, evidence, tmp_path)["stdout"]
    )
    assert [answer[1:5] for answer in answers] == ["obje", "type"]


@pytest.mark.parametrize("section, path", [("Vision (Multimodal)", "/ant.jpg"), ("PDF Support", "/card.pdf")])
def test_media_of_the_page_are_fetched_and_arrive_whole(
    section: str, path: str, stage: Stage, run_block: Callable[[Block], Outcome]
) -> None:
    stage.media.paths.clear()
    [block] = [block for block in BLOCKS if (block.section, block.language) == (section, "js")]
    seen = len(stage.simulator.requests)
    run_block(block)
    assert stage.media.paths == [path]
    [request] = stage.simulator.requests[seen:]
    [source] = [part["source"] for part in json.loads(request.body)["messages"][0]["content"] if part["type"] != "text"]
    assert base64.b64decode(source["data"]) == MEDIA_BODIES[path]


@pytest.mark.parametrize("language", ["js", "sh"])
def test_beta_flag_of_the_page_reaches_the_provider(
    language: str, stage: Stage, run_block: Callable[[Block], Outcome]
) -> None:
    [block] = [block for block in BLOCKS if (block.section, block.language) == ("Beta Features", language)]
    seen = len(stage.simulator.requests)
    run_block(block)
    [request] = stage.simulator.requests[seen:]
    assert dict(request.headers)["anthropic-beta"] == "token-efficient-tools-2025-02-19"


def test_every_fenced_block_of_the_page_is_tried() -> None:
    page = PAGE.read_text()
    assert len(BLOCKS) == len(ANY_FENCE.findall(page)) == 27
    assert {block.section for block in BLOCKS} == ANSWERS.keys()


def test_each_known_defect_is_still_on_the_page() -> None:
    for language, old, _ in DEFECTS:
        assert any(old in block.text for block in BLOCKS if language in ("", block.language)), old


def test_no_block_knows_an_outside_address() -> None:
    for block in BLOCKS:
        program = block.program(url="http://127.0.0.1:1", media="http://127.0.0.1:2", key="k")
        assert set(re.findall(r"https?://([\w.]+)", program)) <= {"127.0.0.1"}, block.id
