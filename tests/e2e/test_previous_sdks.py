"""The last releases of the previous major lines, and older ones: same failures, their own way to send the key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.cases import CASES, Case, Result, check
from tests.e2e.clients import Client
from tests.e2e.gateway import GATEWAY_KEY, UPSTREAM_KEY, Server
from tests.e2e.recorder import Recorder
from tests.e2e.test_examples import assert_ran, settings

# The first test to need an SDK may have to install it.
pytestmark = pytest.mark.timeout(600)

PREVIOUS = ["python-previous", "javascript-previous"]
OLD = [*PREVIOUS, "python-older"]
"""What the examples ask for is not all there in the older ones."""
PROGRAMS = {"python-previous": "{}.py", "javascript-previous": "{}.mjs"}


@pytest.mark.parametrize("name", PREVIOUS)
@pytest.mark.parametrize("program", ["openai_chat", "anthropic_messages"])
def test_example_runs_with_the_previous_generation(
    name: str, program: str, client_named: Callable[[str], Client], gateway: Server
) -> None:
    client = client_named(name)
    path = client.examples / PROGRAMS[name].format(program)
    assert_ran(client.run([str(path)], **settings(gateway)))


@pytest.mark.parametrize("name", OLD)
@pytest.mark.parametrize("case", [case for case in CASES if case.sdk != "portkey"], ids=lambda case: case.id)
def test_failure_is_the_sdks_own_exception(
    name: str, case: Case, client_named: Callable[[str], Client], results_of: Callable[[str], dict[str, Result]]
) -> None:
    check(case, client_named(name), results_of(name)[case.id])


@pytest.mark.parametrize("name", OLD)
def test_older_anthropic_sdk_sends_its_key_as_x_api_key(
    name: str, client_named: Callable[[str], Client], upstream: Recorder
) -> None:
    """What makes these releases worth testing. The call goes to the recorder directly, without the gateway."""
    client_named(name).one(sdk="anthropic", origin=upstream.url, model="m", api_key="sk-ant-direct")
    assert upstream.only().header("x-api-key") == "sk-ant-direct"
    assert upstream.only().header("authorization") is None


@pytest.mark.parametrize("name", OLD)
def test_key_in_x_api_key_opens_the_gateway_and_stays_there(
    name: str, client_named: Callable[[str], Client], gateway: Server, upstream: Recorder
) -> None:
    outcome = client_named(name).one(sdk="anthropic", origin=gateway.url, model="@rec-anthropic/m", api_key=GATEWAY_KEY)
    assert outcome["error"] is None
    assert upstream.only().header("x-api-key") == UPSTREAM_KEY
    assert not upstream.only().holds(GATEWAY_KEY)
