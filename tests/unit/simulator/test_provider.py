import pytest

from lockgate.simulator.directives import DirectiveError
from lockgate.simulator.provider import Request, World
from lockgate.simulator.script import RawBody, Rule, Script
from lockgate.simulator.settings import SimulatorSettings


def world(*rules, **raw):
    return World(SimulatorSettings(script=Script(rules=rules, raw=raw)))


def orders(world, text="", *, header="", provider="anthropic", model="claude-haiku-4-5"):
    headers = {"x-simulator": header} if header else {}
    request = Request(method="POST", path="/v1/messages", query="", headers=headers, body=b"")
    return world.read_orders(request, provider=provider, model=model, text=text)


def test_text_wins_over_header_and_header_over_script():
    here = world(Rule(fault={"status": 500, "message": "script", "error_type": "script"}))
    found = orders(here, "[[sim: error_type=text]]", header="message=header, error_type=header").fault
    assert (found.status, found.message, found.error_type) == (500, "header", "text")


@pytest.mark.parametrize(
    "condition, is_met",
    [("on=anthropic", True), ("on=openai", False), ("model=haiku", True), ("model=opus", False), ("times=1", True)],
)
def test_a_directive_may_be_for_some_requests_only(condition, is_met):
    assert (orders(world(), f"[[sim: status=500, {condition}]]").fault.status == 500) is is_met


def test_a_directive_is_used_up():
    here = world()
    text = "[[sim: status=500, times=2]]"
    assert [orders(here, text).fault.status for _ in range(3)] == [500, 500, None]
    assert orders(here, text, provider="openai").fault.status == 500
    here.reset()
    assert orders(here, text).fault.status == 500


def test_a_key_counts_across_texts():
    here = world()
    found = [orders(here, f"{number} [[sim: status=500, times=1, key=k]]").fault.status for number in range(2)]
    assert found == [500, None]


def test_a_raw_body_is_found_by_name():
    here = world(page=RawBody(body="x"))
    assert here.raw_body("page").data() == b"x"
    with pytest.raises(DirectiveError):
        here.raw_body("other")
