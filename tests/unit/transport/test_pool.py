"""What the pool does before it opens anything; how it behaves on the wire is in tests/contract/upstream."""

from __future__ import annotations

import asyncio

import pytest

from lockgate.core.http import Origin, UpstreamRequest
from lockgate.errors import ConfigError, InvalidRequest, Unreachable
from lockgate.ports import Upstream
from lockgate.transport.pool import HttpPool


def request(**changes) -> UpstreamRequest:
    """A request that would go to a port where nobody listens."""
    origin = Origin(scheme="http", host="127.0.0.1", port=1)
    return UpstreamRequest(
        **{"method": "POST", "origin": origin, "target": b"/", "headers": [], "body": b"", **changes}
    )


def test_it_implements_the_port_and_opens_nothing_when_it_is_made():
    pool: Upstream = HttpPool()
    assert isinstance(pool, HttpPool)
    assert (pool.active, pool.idle) == (0, 0)


def test_bad_settings_are_refused_at_once(tmp_path):
    with pytest.raises(ConfigError):
        HttpPool(environment={"HTTPS_PROXY": "socks5://127.0.0.1:1"})
    with pytest.raises(ConfigError):
        HttpPool(ca_file=tmp_path / "missing.pem")


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": [(b"a", b"\r\n")]},
        {"headers": [(b"host", b"other")]},
        {"target": b"no-path"},
        {"method": "get"},
        {"origin": Origin(scheme="http", host="127.0.0.1", port=1, guarded=True)},
        {"origin": Origin(scheme="http", host="a b", port=1)},
    ],
)
def test_what_may_not_be_sent_leaves_nothing_behind(changes):
    async def scenario() -> None:
        pool = HttpPool()
        with pytest.raises(InvalidRequest):
            await pool.send(request(**changes))
        assert (pool.active, pool.idle) == (0, 0)

    asyncio.run(scenario())


def test_a_failed_connection_gives_its_slot_back():
    async def scenario() -> None:
        pool = HttpPool(connections_per_origin=1)
        for _ in range(3):
            with pytest.raises(Unreachable):
                await pool.send(request())
            assert pool.active == 0

    asyncio.run(scenario())


def test_a_closed_pool_sends_nothing():
    async def scenario() -> None:
        pool = HttpPool()
        await pool.aclose()
        await pool.aclose()
        with pytest.raises(Unreachable, match="closing"):
            await pool.send(request())

    asyncio.run(scenario())
