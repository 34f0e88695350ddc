"""Proxies of the environment: tunnels for https, absolute form for http, and neither for loopback."""

from __future__ import annotations

import asyncio

import pytest

from lockgate.core.http import Origin
from lockgate.errors import InvalidRequest, Unreachable
from tests.contract.upstream.stage import ours_only, stage

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REASON = "proxies are read by the pool; the port says nothing of them"
FAR = "provider.example"


async def answers(peer):
    """A script that answers every request."""
    async for _ in peer.requests():
        await peer.send(OK)


def tunnels_to(port: int, seen: list):
    """A proxy that opens every tunnel to one port on loopback."""

    async def script(peer):
        seen.append(await peer.head())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await peer.send(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")

        async def pump(source, sink):
            try:
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            finally:
                sink.close()

        await asyncio.gather(pump(peer.reader, writer), pump(reader, peer.writer), return_exceptions=True)
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    return script


@ours_only(REASON)
async def test_https_goes_through_a_tunnel_and_is_verified_end_to_end(kind, authority):
    seen: list[bytes] = []
    context = authority.server_context(FAR)
    async with stage(kind, answers, context=context) as far, stage(kind, tunnels_to(far.server.port, seen)) as proxy:
        environment = {"HTTPS_PROXY": f"http://us%40er:p%3Aw@127.0.0.1:{proxy.server.port}"}
        options = {"environment": environment, "ca_file": authority.ca_file}
        async with stage(kind, answers, **options) as at:
            at.origin = Origin(scheme="https", host=FAR, port=443)
            for _ in range(3):
                assert (await at.fetch())[2] == b"ok"
            received = far.server.requests[0]
        assert proxy.server.connections == 1
    lines = seen[0].split(b"\r\n")
    assert lines[:2] == [b"CONNECT provider.example:443 HTTP/1.1", b"host: provider.example:443"]
    assert b"proxy-authorization: Basic dXNAZXI6cDp3" in lines
    assert received.line.startswith(b"POST /v1/messages")
    assert received.header(b"host") == b"provider.example"
    assert received.header(b"proxy-authorization") is None


@ours_only(REASON)
async def test_http_is_asked_for_in_absolute_form(kind):
    async with stage(kind, answers) as proxy:
        environment = {"http_proxy": f"http://user:pw@127.0.0.1:{proxy.server.port}"}
        async with stage(kind, answers, environment=environment) as at:
            at.origin = Origin(scheme="http", host=FAR, port=8000)
            for _ in range(2):
                await at.fetch()
        received = proxy.server.requests[0]
        assert received.line == b"POST http://provider.example:8000/v1/messages?beta=true HTTP/1.1"
        assert received.header(b"host") == b"provider.example:8000"
        assert received.header(b"proxy-authorization") == b"Basic dXNlcjpwdw=="
        assert proxy.server.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@ours_only(REASON)
async def test_loopback_is_reached_directly(kind, host):
    environment = {"ALL_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    async with stage(kind, answers, environment=environment, host=host) as at:
        assert (await at.fetch())[2] == b"ok"


REFUSALS = {
    "407": b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 6\r\n\r\ncanary",
    "502": b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
    "garbage": b"canary\r\n\r\n",
    "bytes before the handshake": b"HTTP/1.1 200 OK\r\n\r\ncanary",
    "a whole answer before the handshake": b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "an end": b"HTTP/1.1 200 OK\r\n",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X-Bomb: 1\r\n" * 100_000,
}


@pytest.mark.parametrize("wire", REFUSALS.values(), ids=list(REFUSALS))
@ours_only(REASON)
async def test_a_proxy_that_says_no_makes_the_provider_unreachable(kind, wire):
    async def script(peer):
        await peer.head()
        await peer.send(wire)

    async with stage(kind, script) as proxy:
        environment = {"HTTPS_PROXY": f"http://user:canary@127.0.0.1:{proxy.server.port}"}
        async with stage(kind, answers, environment=environment) as at:
            at.origin = Origin(scheme="https", host=FAR, port=443)
            with pytest.raises(Unreachable) as caught:
                await at.send()
    assert "proxy" in caught.value.message
    assert "canary" not in caught.value.message


@ours_only(REASON)
async def test_a_proxy_that_is_not_there_makes_the_provider_unreachable(kind):
    environment = {"HTTPS_PROXY": "http://127.0.0.1:1"}
    async with stage(kind, answers, environment=environment) as at:
        at.origin = Origin(scheme="https", host=FAR, port=443)
        with pytest.raises(Unreachable, match="the proxy refused the connection"):
            await at.send()


@pytest.mark.parametrize("scheme,port", [("https", 443), ("http", 80)])
@ours_only(REASON)
async def test_a_host_that_a_client_chose_is_tunnelled_to_its_checked_address(kind, authority, scheme, port):
    seen: list[bytes] = []

    async def resolve(host, port):
        return ["93.184.215.14", "93.184.215.15"]

    context = authority.server_context(FAR) if scheme == "https" else None
    async with stage(kind, answers, context=context) as far, stage(kind, tunnels_to(far.server.port, seen)) as proxy:
        environment = {f"{scheme}_proxy": f"http://127.0.0.1:{proxy.server.port}"}
        options = {"environment": environment, "ca_file": authority.ca_file, "resolve": resolve}
        async with stage(kind, answers, **options) as at:
            at.origin = Origin(scheme=scheme, host=FAR, port=port, guarded=True)
            assert (await at.fetch())[2] == b"ok"
        assert far.server.requests[0].header(b"host") == b"provider.example"
    assert seen[0].startswith(b"CONNECT 93.184.215.14:%d HTTP/1.1\r\n" % port)


@ours_only(REASON)
async def test_a_host_that_a_client_chose_is_checked_before_the_proxy_is_asked(kind):
    async def resolve(host, port):
        return ["93.184.215.14", "10.0.0.1"]

    async with stage(kind, answers) as proxy:
        environment = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.server.port}"}
        async with stage(kind, answers, environment=environment, resolve=resolve) as at:
            at.origin = Origin(scheme="https", host=FAR, port=443, guarded=True)
            with pytest.raises(InvalidRequest):
                await at.send()
        assert proxy.server.connections == 0
