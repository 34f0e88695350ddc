"""TLS to providers is verified, 1.2 or newer, and HTTP/1.1 only; a refused certificate is told apart."""

from __future__ import annotations

import ssl

import pytest
from msgspec.structs import replace

from lockgate.errors import Broken, Unreachable
from tests.contract.upstream.stage import drain, every_kind, ours_only, stage

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def answers(peer):
    """A script that answers every request."""
    async for _ in peer.requests():
        await peer.send(OK)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@every_kind
async def test_a_provider_of_a_trusted_authority_is_reached(kind, authority, host):
    context = authority.server_context(host)
    async with stage(kind, answers, context=context, host=host, ca_file=authority.ca_file) as at:
        for _ in range(3):
            assert (await at.fetch())[2] == b"ok"
        assert at.server.connections == 1


@every_kind
async def test_an_unknown_authority_is_refused(kind, authority):
    async with stage(kind, answers, context=authority.server_context("localhost"), host="localhost") as at:
        with pytest.raises(Unreachable):
            await at.send()
        assert at.server.requests == []


@pytest.mark.parametrize("fault", ["name", "date"])
@every_kind
async def test_a_certificate_that_does_not_fit_is_refused(kind, authority, fault):
    context = authority.server_context("other.example" if fault == "name" else "localhost", is_expired=fault == "date")
    async with stage(kind, answers, context=context, host="localhost", ca_file=authority.ca_file) as at:
        with pytest.raises(Unreachable):
            await at.send()
        assert at.server.requests == []


@ours_only("says it in other words")
async def test_a_refused_certificate_is_named_as_the_reason_and_not_described(kind, authority):
    context = authority.server_context("other.example")
    async with stage(kind, answers, context=context, host="localhost", ca_file=authority.ca_file) as at:
        with pytest.raises(Unreachable, match="certificate could not be verified") as caught:
            await at.send()
    assert "example" not in caught.value.message


@ours_only("says it in other words")
async def test_a_port_that_speaks_no_tls_is_unreachable(kind, authority):
    async def script(peer):
        await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    async with stage(kind, script, host="localhost", ca_file=authority.ca_file) as at:
        at.origin = replace(at.origin, scheme="https")
        with pytest.raises(Unreachable, match="handshake"):
            await at.send()


@ours_only("says it in other words")
async def test_a_provider_that_hangs_up_in_the_handshake_is_unreachable(kind, authority):
    async def script(peer):
        await peer.reader.read(10)

    async with stage(kind, script, host="localhost") as at:
        at.origin = replace(at.origin, scheme="https")
        with pytest.raises(Unreachable, match="handshake"):
            await at.send()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@every_kind
async def test_old_versions_are_refused(kind, authority):
    context = authority.server_context("localhost")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with stage(kind, answers, context=context, host="localhost", ca_file=authority.ca_file) as at:
        with pytest.raises(Unreachable):
            await at.send()


@ours_only("offers more")
async def test_only_http_1_1_is_offered_and_the_name_is_sent(kind, authority):
    names = []
    context = authority.server_context("localhost")
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with stage(kind, answers, context=context, host="localhost", ca_file=authority.ca_file) as at:
        await at.fetch()
        chosen = at.server.peers[0].writer.get_extra_info("ssl_object").selected_alpn_protocol()
    assert (chosen, names) == ("http/1.1", ["localhost"])


@every_kind
async def test_large_bodies_pass_both_ways(kind, authority):
    size = 8_000_000

    async def script(peer):
        async for received in peer.requests():
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            await peer.send(received.body)

    context = authority.server_context("localhost")
    body = bytes(range(256)) * (size // 256)
    async with stage(kind, script, context=context, host="localhost", ca_file=authority.ca_file) as at:
        assert (await at.fetch(body))[2] == body
        chunks, error = await drain(await at.send(body))
        assert (b"".join(chunks), error) == (body, None)


@every_kind
async def test_a_connection_that_ends_in_the_body_is_broken(kind, authority):
    async def script(peer):
        await peer.request()
        await peer.send(OK[:-1])

    context = authority.server_context("localhost")
    async with stage(kind, script, context=context, host="localhost", ca_file=authority.ca_file) as at:
        chunks, error = await drain(await at.send())
        assert chunks == [b"o"]
        assert isinstance(error, Broken)


@ours_only("takes a missing close_notify for the end of such a body")
async def test_a_body_cut_off_below_tls_is_not_complete(kind, authority):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        peer.reset()

    context = authority.server_context("localhost")
    async with stage(kind, script, context=context, host="localhost", ca_file=authority.ca_file) as at:
        with pytest.raises(Broken):
            await at.fetch()


@ours_only("repeats only methods that are safe to repeat")
async def test_a_stale_connection_is_replaced(kind, authority):
    async def script(peer):
        await peer.request()
        await peer.send(OK)
        if peer.number:
            return await peer.gone()
        await peer.request()
        return None

    context = authority.server_context("localhost")
    async with stage(kind, script, context=context, host="localhost", ca_file=authority.ca_file) as at:
        for _ in range(2):
            assert (await at.fetch())[2] == b"ok"
        assert (at.server.connections, len(at.server.requests)) == (2, 3)
