"""LangChain, Pydantic AI, instructor and the Vercel AI SDK: tools, a stream and objects, over both routes to both makers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import Client
from tests.e2e.frameworks.environments import make_framework
from tests.e2e.gateway import GATEWAY_KEY, ROOT, Evidence, Server
from tests.e2e.installs import announcer
from tests.e2e.simulated import Simulated, objects_sent, requests_with

# The first test to need a framework may have to install it.
pytestmark = pytest.mark.timeout(600)

FRAMEWORKS = ["langchain", "pydantic_ai", "instructor", "ai_sdk"]
ACTIONS = ["tools", "stream", "structured", "structured_by_tool"]
MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"


@dataclass(frozen=True, kw_only=True)
class Way:
    """Which API the framework speaks, to which model, and the route at which that model is asked."""

    id: str
    speaks: str
    model: str
    path: str


WAYS = [
    Way(id="claude", speaks="anthropic", model="@sim-anthropic/claude-sonnet-4-6", path=MESSAGES),
    Way(id="gpt", speaks="openai", model="@sim-openai/gpt-4.1", path=CHAT),
    # This Claude thinks always, and takes no forced tool.
    Way(id="claude-over-chat", speaks="openai", model="@sim-anthropic/claude-opus-5-5", path=MESSAGES),
    Way(id="gpt-over-messages", speaks="anthropic", model="@sim-openai/gpt-4.1", path=CHAT),
]


@dataclass(frozen=True, kw_only=True)
class Case:
    framework: str
    way: Way
    action: str

    @property
    def tag(self) -> str:
        """A word in the prompt by which the simulator's journal is searched. It must not name a tool."""
        return f"case-{self.framework}-{self.way.id}-{self.action.replace('_', '-')}."

    def call(self, origin: str) -> dict[str, Any]:
        """Return the call as the drivers read it."""
        return {
            "id": self.tag,
            "speaks": self.way.speaks,
            "origin": origin,
            "key": GATEWAY_KEY,
            "model": self.way.model,
            "action": self.action.removesuffix("_by_tool"),
            "prompt": f"{self.tag} {self.wish()}",
        }

    def wish(self) -> str:
        match self.action:
            case "tools" if self.framework == "instructor":
                # The second order is for the turn that quotes the first one's value: there, some models cannot be forced.
                return (
                    f"Fill in the form. {order(tool=1, args=dump({'city': f'Atlantis {order(tool=1)}', 'days': DAYS}))}"
                )
            case "tools":
                return f"What will it be like outside? {order(tool=1, args=ARGUMENTS)}"
            case "stream" if self.framework == "instructor":
                return f"Fill in the form. {order(tool=1, args=ARGUMENTS)}"
            case "stream":
                return f"Write a line. {order(text=TEXT, events=5)}"
            case "structured_by_tool":
                return f"Fill in the form by a tool. {order(tool=1, args=ARGUMENTS)}"
            case _:
                return f"Fill in the form. {order(text=ARGUMENTS)}"


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def order(**pairs: object) -> str:
    """Write a directive to the simulator."""
    return f"[[sim: {', '.join(f'{key}={dump(value)}' for key, value in pairs.items())}]]"


CITY, DAYS = "Tromsø", 3
ARGUMENTS = dump({"city": CITY, "days": DAYS})
TEXT = 'Snow, "heavy" at times ❄\nthen {clear}.'

CASES = [
    Case(framework=framework, way=way, action=action)
    for framework in FRAMEWORKS
    for way in WAYS
    for action in ACTIONS
    # this one has no such way at OpenAI
    if (framework, way.speaks, action) != ("ai_sdk", "openai", "structured_by_tool")
]


def named(case: Case) -> Any:
    return pytest.param(case, id=case.tag.removeprefix("case-").rstrip("."))


Run = tuple[dict[str, Any], list[Simulated]]


@pytest.fixture(scope="session")
def runs_of(
    request: pytest.FixtureRequest, e2e_folder: Path, evidence: Evidence, gateway: Server, simulator: Server
) -> Iterator[Callable[[str], dict[str, Run]]]:
    """Return what came of all cases of a framework, and what the simulator saw. All run in one process, at the first question."""
    clients: list[Client] = []
    known: dict[str, dict[str, Run]] = {}

    def find(framework: str) -> dict[str, Run]:
        if framework not in known:
            home = e2e_folder / f"home-{framework}"
            home.mkdir(exist_ok=True)
            client = make_framework(framework, evidence, home, announcer(request.config))
            clients.append(client)
            cases = [case for case in CASES if case.framework == framework]
            outcomes = client.drive([case.call(gateway.url) for case in cases])
            known[framework] = {
                outcome["id"]: (outcome, requests_with(simulator, outcome["id"])) for outcome in outcomes
            }
        return known[framework]

    yield find
    for client in clients:
        client.close()


@pytest.mark.parametrize("case", [named(case) for case in CASES])
def test_framework_works_through_lockgate(case: Case, runs_of: Callable[[str], dict[str, Run]]) -> None:
    outcome, seen = runs_of(case.framework)[case.tag]
    said = [(one.status, one.answer[:600]) for one in seen if one.status != 200]
    assert outcome["error"] is None, said
    assert {(one.path, one.body["model"]) for one in seen} == {(case.way.path, case.way.model.partition("/")[2])}
    assert [(one.status, one.outcome) for one in seen] == [(200, "completed")] * len(seen)
    if case.action == "tools" and case.framework == "instructor":
        check_retry(outcome, seen)
    elif case.action == "tools":
        check_tools(outcome, seen)
    elif case.action == "stream":
        check_stream(case, outcome, seen)
    else:
        check_object(case, outcome, seen)


def check_tools(outcome: dict[str, Any], seen: list[Simulated]) -> None:
    """The model asked for the tool, it ran with the model's arguments, and its result went back and into the answer."""
    assert outcome["calls"] == [{"city": CITY, "days": DAYS}]
    first, second = seen
    assert "get_weather" in json.dumps(first.body["tools"])
    result = f"{CITY}: {DAYS} days of snow ❄"
    assert result not in json.dumps(first.body, ensure_ascii=False)
    assert result in json.dumps(second.body["messages"][-1], ensure_ascii=False)
    assert result in outcome["text"]
    assert outcome["usage"] > 0


def check_retry(outcome: dict[str, Any], seen: list[Simulated]) -> None:
    """The first object was refused by the caller's schema; the fault went back as the tool's result; the second is good."""
    first, second = seen
    assert "Atlantis" not in json.dumps(first.body["messages"][1:])
    assert "Atlantis" in json.dumps(second.body["messages"][-1]), "the complaint quotes the value"
    assert outcome["data"]["city"] in ("Tromsø", "Oslo")
    assert outcome["data"] in objects_sent(second.answer)
    assert outcome["usage"] > 0


def check_stream(case: Case, outcome: dict[str, Any], seen: list[Simulated]) -> None:
    """The answer came in pieces, and whole."""
    assert [one.body["stream"] for one in seen] == [True]
    assert len(outcome["deltas"]) > 1
    if case.framework == "instructor":
        assert outcome["data"] == {"city": CITY, "days": DAYS}
        return
    assert outcome["text"] == "".join(outcome["deltas"]) == TEXT
    assert outcome["usage"] > 0


def check_object(case: Case, outcome: dict[str, Any], seen: list[Simulated]) -> None:
    """The schema went out, in the way that the framework was told to use, and the very object came back."""
    (only,) = seen
    assert not only.body.get("stream")
    assert outcome["data"] in objects_sent(only.answer)
    if case.action == "structured_by_tool":
        assert "days" in json.dumps(only.body["tools"])
        assert outcome["data"] == {"city": CITY, "days": DAYS}
        return
    assert set(outcome["data"]) == {"city", "days"}
    assert "tools" not in only.body
    if (case.framework, case.way.speaks) == ("instructor", "anthropic"):
        assert '"days"' in read_system(only)
        return
    asked = only.body["output_config"]["format"] if case.way.path == MESSAGES else only.body["response_format"]
    assert asked["type"] == "json_schema"
    assert "days" in json.dumps(asked)


def read_system(request: Simulated) -> str:
    """Return the system prompt."""
    if request.path == MESSAGES:
        return "".join(block["text"] for block in request.body["system"])
    return "".join(message["content"] for message in request.body["messages"] if message["role"] == "system")


def test_npm_lock_names_no_registry() -> None:
    folder = ROOT / "tests" / "e2e" / "js" / "frameworks"
    lock = json.loads((folder / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
    assert "omit-lockfile-registry-resolved=true" in (folder / ".npmrc").read_text()
