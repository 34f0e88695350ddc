"""The guard itself: a test that tries to leave the machine fails, whatever way it takes."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

OUTSIDE = ("192.0.2.1", 9)  # reserved for documentation, routed nowhere


def test_connecting_outside_is_refused():
    with socket.socket() as sock, pytest.raises(RuntimeError, match="loopback only"):
        sock.connect(OUTSIDE)


def test_a_datagram_to_the_outside_is_refused():
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(RuntimeError, match="loopback only"):
        sock.sendto(b"x", OUTSIDE)


def test_resolving_a_name_is_refused():
    with pytest.raises(RuntimeError, match="loopback only"):
        socket.getaddrinfo("api.example.com", 443)


def test_asyncio_is_refused_too():
    with pytest.raises(RuntimeError, match="loopback only"):
        asyncio.run(asyncio.open_connection(*OUTSIDE))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_open(host):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection((host, server.getsockname()[1])):
        pass


def test_no_key_of_the_developer_is_visible():
    assert not [name for name in os.environ if name.endswith("_API_KEY") and name.startswith(("ANTHROPIC", "OPENAI"))]
