"""Which addresses are tried, in which order, and what is left open afterwards."""

from __future__ import annotations

import asyncio
import socket

import pytest

from lockgate.core.http import Origin
from lockgate.core.record import Opened
from lockgate.errors import InvalidRequest, Unreachable
from lockgate.transport import dialer as dialer_module
from lockgate.transport.dialer import Dialer, Marks, open_socket, resolve_name
from lockgate.transport.proxy import ProxySettings, read_proxies

FAR = Origin(scheme="https", host="api.example", port=443)


class FakeSocket:
    """A socket that knows whether it was closed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Network:
    """Addresses that answer, refuse, or keep silent until they are told to answer."""

    def __init__(self, **behaviour: str) -> None:
        self.behaviour = behaviour
        self.tried: list[str] = []
        self.sockets: list[FakeSocket] = []
        self.wake = asyncio.Event()

    async def resolve(self, host, port):
        return list(self.behaviour)

    async def connect(self, address, port):
        self.tried.append(address)
        if self.behaviour[address] == "refuses":
            raise ConnectionRefusedError
        if self.behaviour[address] == "fails":
            raise OSError
        if self.behaviour[address] == "waits":
            await self.wake.wait()
        if self.behaviour[address] == "stubborn":
            try:
                await self.wake.wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
        self.sockets.append(FakeSocket(address))
        return self.sockets[-1]

    def dialer(self) -> Dialer:
        return Dialer(proxies=ProxySettings(), trusted=frozenset(), resolve=self.resolve, connect=self.connect)


async def dial(network: Network, origin: Origin = FAR):
    """Dial and let the losers end."""
    dialer = network.dialer()
    try:
        return await dialer.dial(dialer.route(origin))
    finally:
        for _ in range(5):
            await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "lockgate-dial"]


@pytest.mark.parametrize(
    "behaviour,tried,winner",
    [
        ({"a": "answers"}, ["a"], "a"),
        ({"a": "answers", "b": "answers"}, ["a"], "a"),
        ({"a": "refuses", "b": "answers"}, ["a", "b"], "b"),
        ({"a": "fails", "b": "refuses", "c": "answers", "d": "answers"}, ["a", "b", "c"], "c"),
        ({"a": "waits", "b": "answers"}, ["a", "b"], "b"),
        ({"a": "stubborn", "b": "waits", "c": "answers"}, ["a", "b", "c"], "c"),
    ],
)
def test_the_next_address_gets_its_turn(monkeypatch, behaviour, tried, winner):
    monkeypatch.setattr(dialer_module, "STAGGER_S", 0.01)

    async def scenario() -> None:
        network = Network(**behaviour)
        sock = await dial(network)
        assert (sock.address, network.tried) == (winner, tried)
        assert [other.is_closed for other in network.sockets if other is not sock] == [True] * (
            len(network.sockets) - 1
        )
        assert not sock.is_closed

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "behaviour,words",
    [
        ({"a": "refuses"}, "refused the connection"),
        ({"a": "refuses", "b": "fails"}, "refused the connection"),
        ({"a": "fails", "b": "fails"}, "no connection"),
        ({}, "no address"),
    ],
)
def test_when_no_address_answers_the_provider_is_unreachable(behaviour, words):
    async def scenario() -> None:
        with pytest.raises(Unreachable, match=words):
            await dial(Network(**behaviour))

    asyncio.run(scenario())


def test_cancelling_closes_what_was_being_opened(monkeypatch):
    monkeypatch.setattr(dialer_module, "STAGGER_S", 0.01)

    async def scenario() -> None:
        network = Network(a="stubborn", b="waits", c="waits")
        task = asyncio.get_running_loop().create_task(dial(network))
        while len(network.tried) < 3:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [sock.is_closed for sock in network.sockets] == [True]

    asyncio.run(scenario())


def test_a_name_that_does_not_resolve_is_unreachable_without_its_name():
    async def resolve(host, port):
        raise socket.gaierror("api.example not known")

    async def scenario() -> None:
        dialer = Dialer(proxies=ProxySettings(), trusted=frozenset(), resolve=resolve)
        with pytest.raises(Unreachable, match="could not be resolved") as caught:
            await dialer.dial(dialer.route(FAR))
        assert "api.example" not in caught.value.message

    asyncio.run(scenario())


def test_an_address_is_not_resolved():
    async def resolve(host, port):
        raise AssertionError("must not be asked")

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            dialer = Dialer(proxies=ProxySettings(), trusted=frozenset(), resolve=resolve)
            sock = await dialer.dial(dialer.route(Origin(scheme="http", host="127.0.0.1", port=port)))
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert not sock.getblocking()
            sock.close()

    asyncio.run(scenario())


def test_a_failed_connection_closes_its_socket():
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            await open_socket("127.0.0.1", port)

    asyncio.run(scenario())  # a socket left open would be a ResourceWarning, and thereby an error


def test_families_take_turns(monkeypatch):
    async def scenario() -> None:
        async def getaddrinfo(host, port, **_):
            four, six = socket.AF_INET, socket.AF_INET6
            rows = [(six, "::1"), (six, "::2"), (six, "::3"), (four, "10.0.0.1"), (six, "::1"), (four, "10.0.0.2")]
            return [(family, 1, 6, "", (address, port)) for family, address in rows]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        assert await resolve_name("api.example", 443) == ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "scheme,guarded,has_proxy,is_tunnel",
    [
        ("https", False, True, True),
        ("http", False, True, False),
        ("https", True, True, True),
        ("http", True, True, True),
    ],
)
def test_a_proxy_is_asked_for_a_tunnel_when_the_bytes_or_the_address_matter(scheme, guarded, has_proxy, is_tunnel):
    dialer = Dialer(proxies=read_proxies({"ALL_PROXY": "http://proxy.example:3128"}), trusted=frozenset())
    route = dialer.route(Origin(scheme=scheme, host="api.example", port=8443, guarded=guarded))
    assert (route.proxy is not None, route.is_tunnel) == (has_proxy, is_tunnel)


def test_a_guarded_host_that_is_never_allowed_is_refused_before_anything_happens():
    dialer = Dialer(proxies=ProxySettings(), trusted=frozenset({"localhost"}))
    with pytest.raises(InvalidRequest):
        dialer.route(Origin(scheme="http", host="metadata.google.internal", port=80, guarded=True))
    dialer.route(Origin(scheme="http", host="localhost", port=8000, guarded=True))
    dialer.route(Origin(scheme="http", host="metadata.google.internal", port=80))


def test_marks_say_how_long_each_step_took(monkeypatch):
    clock = iter((1.0, 1.5, 1.75, 2.0))
    monkeypatch.setattr(dialer_module, "monotonic", lambda: next(clock))
    marks = Marks()
    marks.found()
    marks.connected()
    assert marks.opened(is_tls=False) == Opened(dns_ms=500.0, tcp_ms=250.0)
    assert marks.opened(is_tls=True) == Opened(dns_ms=500.0, tcp_ms=250.0, tls_ms=250.0)


def test_dialling_marks_when_the_addresses_were_known_and_the_connection_was_there():
    network = Network(**{"192.0.2.1": "answers"})
    dialer, marks = network.dialer(), Marks()
    asyncio.run(dialer.dial(dialer.route(FAR), marks))
    assert marks.begun_s < marks.found_s < marks.connected_s
