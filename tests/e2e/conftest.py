"""One gateway, one simulator and one recording upstream per test process, as real processes and sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.cases import CASES, Result
from tests.e2e.clients import Client, make_client
from tests.e2e.gateway import Evidence, Server, running_gateway, running_simulator, simulator_log
from tests.e2e.installs import announcer
from tests.e2e.recorder import Recorder, running_recorder


@pytest.fixture(scope="session")
def e2e_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture(scope="session")
def evidence() -> Iterator[Evidence]:
    """Collects what the gateway and the SDKs said; no credential may be in it when the session ends."""
    evidence = Evidence()
    yield evidence
    leaks = evidence.leaks()
    if leaks:
        pytest.fail("credentials leaked:\n" + "\n".join(leaks))


@pytest.fixture(scope="session")
def recording_upstream() -> Iterator[Recorder]:
    with running_recorder() as recorder:
        yield recorder


@pytest.fixture
def upstream(recording_upstream: Recorder) -> Recorder:
    """The recording upstream, with nothing seen yet."""
    recording_upstream.seen.clear()
    return recording_upstream


@pytest.fixture(scope="session")
def simulator(e2e_folder: Path) -> Iterator[Server]:
    with running_simulator(e2e_folder / "simulator") as server:
        yield server


@pytest.fixture(scope="session")
def gateway(e2e_folder: Path, simulator: Server, recording_upstream: Recorder, evidence: Evidence) -> Iterator[Server]:
    """``lockgate up`` on a free port. Its output and its state are searched for credentials when the session ends."""
    folder = e2e_folder / "gateway"
    evidence.folders.append(folder)
    with running_gateway(folder, simulator=simulator.url, recorder=recording_upstream.url) as server:
        yield server


@pytest.fixture
def http(gateway: Server, evidence: Evidence) -> Iterator[httpx.Client]:
    """Plain HTTP to the gateway, without a key. Every answer is kept for the leak check."""

    def keep(response: httpx.Response) -> None:
        response.read()
        evidence.add(f"{response.request.method} {response.request.url.path}", f"{response.headers}\n{response.text}")

    with httpx.Client(base_url=gateway.url, trust_env=False, timeout=30, event_hooks={"response": [keep]}) as client:
        yield client


@pytest.fixture(scope="session")
def client_named(
    request: pytest.FixtureRequest, e2e_folder: Path, evidence: Evidence
) -> Iterator[Callable[[str], Client]]:
    """Return the client of a name; the SDKs that it needs are installed at the first use."""
    made: dict[str, Client] = {}
    say = announcer(request.config)

    def find(name: str) -> Client:
        if name not in made:
            home = e2e_folder / f"home-{name}"
            home.mkdir(exist_ok=True)
            made[name] = make_client(name, evidence, home, say)
        return made[name]

    yield find
    for client in made.values():
        client.close()


@pytest.fixture(scope="session")
def results_of(
    client_named: Callable[[str], Client], gateway: Server, simulator: Server, recording_upstream: Recorder
) -> Callable[[str], dict[str, Result]]:
    """Return the results of all cases with the client of a name. All run in one process, at the first question."""
    known: dict[str, dict[str, Result]] = {}

    def results(name: str) -> dict[str, Result]:
        if name not in known:
            client = client_named(name)
            recording_upstream.seen.clear()
            cases = [case for case in CASES if case.sdk in client.sdks]
            outcomes = client.drive([case.call(gateway.url, name) for case in cases])
            simulated = simulator_log(simulator)
            known[name] = {
                case.id: Result(
                    outcome=outcome,
                    simulator_calls=sum(case.tag(name) in entry for entry in simulated),
                    recorder_calls=sum(case.tag(name).encode() in seen.body for seen in recording_upstream.seen),
                )
                for case, outcome in zip(cases, outcomes, strict=True)
            }
        return known[name]

    return results
