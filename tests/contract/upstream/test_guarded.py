"""Hosts that a client chose: every address is checked, and what was checked is what is connected to."""

from __future__ import annotations

import pytest

from lockgate.core.http import Origin
from lockgate.errors import InvalidRequest, Unreachable
from lockgate.transport.address_guard import check_url, trusted_set
from lockgate.transport.dialer import open_socket
from tests.contract.upstream.stage import ours_only, stage

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REASON = "the guard belongs to the pool; the second implementation serves none but the operator's hosts"
PUBLIC, OTHER_PUBLIC = "93.184.215.14", "2606:4700:4700::1111"


async def answers(peer):
    """A script that answers every request."""
    async for _ in peer.requests():
        await peer.send(OK)


class Names:
    """A resolver that answers from a list, one entry per question."""

    def __init__(self, *answers_in_turn) -> None:
        self._answers = list(answers_in_turn)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host, port):
        self.asked.append((host, port))
        return self._answers.pop(0)


class Wires:
    """A connector that notes where it was sent and connects to loopback instead."""

    def __init__(self, port=None) -> None:
        self.port = port
        self.opened: list[tuple[str, int]] = []

    async def __call__(self, address, port):
        self.opened.append((address, port))
        return await open_socket("127.0.0.1", self.port)


def guarded(url: str) -> Origin:
    """The origin of a URL as a client would give it."""
    return check_url(url, frozenset())


@ours_only(REASON)
async def test_the_address_that_was_checked_is_the_one_connected_to(kind):
    names, wires = Names([PUBLIC], ["169.254.169.254"]), Wires()
    async with stage(kind, answers, resolve=names, connect=wires) as at:
        wires.port = at.server.port
        at.origin = guarded("http://rebind.example/v1")
        assert (await at.fetch())[2] == b"ok"
        assert at.server.requests[0].header(b"host") == b"rebind.example"
    assert names.asked == [("rebind.example", 80)]
    assert wires.opened == [(PUBLIC, 80)]


@ours_only(REASON)
async def test_a_name_that_turns_private_later_is_refused_when_connecting_again(kind):
    async def script(peer):
        await peer.request()
        await peer.send(OK)

    names, wires = Names([PUBLIC], ["127.0.0.1"]), Wires()
    async with stage(kind, script, resolve=names, connect=wires) as at:
        wires.port = at.server.port
        at.origin = guarded("http://rebind.example/v1")
        await at.fetch()
        with pytest.raises(InvalidRequest, match="custom host refused"):
            await at.fetch()
    assert wires.opened == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "addresses",
    [
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
        [OTHER_PUBLIC, PUBLIC, "::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:7f00:1::1"],
        ["fe80::1%eth0"],
        ["169.254.169.254"],
        ["nonsense"],
    ],
)
@ours_only(REASON)
async def test_one_bad_address_refuses_the_name(kind, addresses):
    names, wires = Names(addresses), Wires()
    async with stage(kind, answers, resolve=names, connect=wires) as at:
        at.origin = guarded("https://sneaky.example/v1")
        with pytest.raises(InvalidRequest) as caught:
            await at.send()
    assert caught.value.path == "x-portkey-custom-host"
    assert not any(address in caught.value.message for address in addresses)
    assert wires.opened == []


@pytest.mark.parametrize(
    "host,port",
    [("127.0.0.1", 80), ("localhost", 80), ("metadata.google.internal", 80), ("8.8.8.8", 25), ("0x7f.1", 80)],
)
@ours_only(REASON)
async def test_an_origin_that_skipped_the_check_of_its_url_is_refused_all_the_same(kind, host, port):
    wires = Wires()
    async with stage(kind, answers, connect=wires) as at:
        with pytest.raises(InvalidRequest):
            await at.send(origin=Origin(scheme="http", host=host, port=port, guarded=True))
    assert wires.opened == []


@ours_only(REASON)
async def test_a_trusted_host_may_be_private(kind):
    async with stage(kind, answers, trusted_hosts={"localhost"}) as at:
        at.origin = check_url(f"http://LOCALHOST:{at.server.port}/v1", trusted_set({"localhost"}))
        assert at.origin.guarded
        assert (await at.fetch())[2] == b"ok"


@ours_only(REASON)
async def test_a_trusted_host_may_not_be_a_metadata_service(kind):
    names, wires = Names(["169.254.169.254"]), Wires()
    async with stage(kind, answers, resolve=names, connect=wires, trusted_hosts={"*.corp.example"}) as at:
        with pytest.raises(InvalidRequest):
            await at.send(origin=guarded("http://models.corp.example/v1"))
    assert wires.opened == []


@ours_only(REASON)
async def test_the_operators_own_hosts_are_not_guarded(kind):
    async with stage(kind, answers, host="127.0.0.1") as at:
        assert not at.origin.guarded
        assert (await at.fetch())[2] == b"ok"


@ours_only(REASON)
async def test_a_guarded_and_an_unguarded_origin_share_no_connection(kind):
    async with stage(kind, answers) as at:
        await at.fetch()
        with pytest.raises(InvalidRequest):
            await at.send(origin=Origin(scheme="http", host="127.0.0.1", port=at.server.port, guarded=True))


@ours_only(REASON)
async def test_a_name_without_an_address_is_unreachable(kind):
    async with stage(kind, answers, resolve=Names([])) as at:
        with pytest.raises(Unreachable):
            await at.send(origin=guarded("http://nowhere.example"))
