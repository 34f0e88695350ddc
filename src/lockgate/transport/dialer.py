"""The one place that opens connections: resolve, check every address when a client chose the host, connect, tunnel.

A guarded origin is connected to an address that was checked, never to a name: what a second look-up would say
does not matter. Nothing here follows a redirect.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import TypeAlias

from msgspec import Struct

from lockgate.core.http import Origin
from lockgate.core.record import Opened
from lockgate.errors import Unreachable
from lockgate.transport.address_guard import check_address, check_host, is_trusted, read_address
from lockgate.transport.proxy import Proxy, ProxySettings

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host name and port to its IP addresses, best first."""

Connect: TypeAlias = Callable[[str, int], Awaitable[socket.socket]]
"""From an IP address and port to a connected, non-blocking socket."""

STAGGER_S = 0.25
"""How long one address may take before the next is tried beside it."""

_TUNNEL_HEAD_LIMIT = 16 * 1024
_TUNNEL_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r\n")


class Route(Struct, frozen=True, kw_only=True):
    """How an origin is reached: directly, through a tunnel, or by asking a proxy in absolute form."""

    origin: Origin
    proxy: Proxy | None = None
    is_tunnel: bool = False


class Marks:
    """When the steps of opening a connection were done, on the monotonic clock."""

    __slots__ = ("begun_s", "connected_s", "found_s")

    def __init__(self) -> None:
        self.begun_s = self.found_s = self.connected_s = monotonic()

    def found(self) -> None:
        """The addresses are known."""
        self.found_s = monotonic()

    def connected(self) -> None:
        """The connection is there, TLS not yet begun."""
        self.connected_s = monotonic()

    def opened(self, *, is_tls: bool) -> Opened:
        """All is done now: return what it took."""
        return Opened(
            dns_ms=_ms(self.found_s - self.begun_s),
            tcp_ms=_ms(self.connected_s - self.found_s),
            tls_ms=_ms(monotonic() - self.connected_s) if is_tls else None,
        )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


class Dialer:
    """Opens TCP connections to origins."""

    def __init__(
        self,
        *,
        proxies: ProxySettings,
        trusted: frozenset[str],
        resolve: Resolve | None = None,
        connect: Connect | None = None,
    ) -> None:
        """``trusted`` comes from ``trusted_set``. The resolver and the connector can be replaced in tests."""
        self._proxies = proxies
        self._trusted = trusted
        self._resolve = resolve or resolve_name
        self._connect = connect or open_socket

    def route(self, origin: Origin) -> Route:
        """Decide how to reach the origin. Raises InvalidRequest for a guarded host that may not be reached at all."""
        if origin.guarded:
            check_host(origin.host, origin.port, self._trusted)
        proxy = self._proxies.choose(origin)
        # A guarded origin always gets a tunnel, since only a tunnel can be opened to the address that was checked.
        is_tunnel = proxy is not None and (origin.scheme == "https" or origin.guarded)
        return Route(origin=origin, proxy=proxy, is_tunnel=is_tunnel)

    async def dial(self, route: Route, marks: Marks | None = None) -> socket.socket:
        """Return a socket on which the origin can be spoken to, TLS not yet begun. Raises Unreachable."""
        marks = marks or Marks()
        sock = await self._dial(route, marks)
        marks.connected()
        return sock

    async def _dial(self, route: Route, marks: Marks) -> socket.socket:
        origin, proxy = route.origin, route.proxy
        if proxy is None:
            addresses = await self._addresses(origin)
            marks.found()
            return await self._connect_any(addresses, origin.port, "provider")
        host = (await self._addresses(origin))[0] if origin.guarded else origin.host
        found = await self._look_up(proxy.host, proxy.port, "proxy")
        marks.found()
        sock = await self._connect_any(found, proxy.port, "proxy")
        if route.is_tunnel:
            try:
                await open_tunnel(sock, _with_port(host, origin.port), proxy)
            except BaseException:
                sock.close()
                raise
        return sock

    async def _addresses(self, origin: Origin) -> Sequence[str]:
        addresses = await self._look_up(origin.host, origin.port, "provider")
        if origin.guarded:
            trusts = is_trusted(origin.host, self._trusted)
            for address in addresses:
                check_address(address, is_trusted=trusts)
        return addresses

    async def _look_up(self, host: str, port: int, who: str) -> Sequence[str]:
        bare = host.strip("[]")
        if read_address(bare) is not None:
            return (bare,)
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"the host name of the {who} could not be resolved") from error
        if not addresses:
            raise Unreachable(f"the host name of the {who} has no address")
        return addresses

    async def _connect_any(self, addresses: Sequence[str], port: int, who: str) -> socket.socket:
        try:
            if len(addresses) == 1:
                return await self._connect(addresses[0], port)
            return await self._race(addresses, port)
        except ConnectionRefusedError as error:
            raise Unreachable(f"the {who} refused the connection") from error
        except OSError as error:
            raise Unreachable(f"no connection to the {who} could be made") from error

    async def _race(self, addresses: Sequence[str], port: int) -> socket.socket:
        """Try the addresses in turn, each with a head start over the next; the first connection wins."""
        loop = asyncio.get_running_loop()
        waiting = list(addresses)
        running: set[asyncio.Task[socket.socket]] = set()
        error: BaseException | None = None
        try:
            while waiting or running:
                if waiting:
                    running.add(loop.create_task(_run(self._connect(waiting.pop(0), port)), name="lockgate-dial"))
                done, running = await asyncio.wait(
                    running, timeout=STAGGER_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                winners = [task for task in done if task.exception() is None]
                running.update(winners[1:])
                if winners:
                    return winners[0].result()
                for task in done:
                    error = error or task.exception()
        finally:
            for task in running:
                task.add_done_callback(_close_unused)
                task.cancel()
        raise error or OSError("no address to connect to")


async def resolve_name(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver, in its order of preference but with the families taking turns."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    first_family = found[0][0] if found else None
    first: list[str] = []
    second: list[str] = []
    for family, _, _, _, address in found:
        (first if family == first_family else second).append(str(address[0]))
    turns = [address for pair in zip(first, second, strict=False) for address in pair]
    shorter = min(len(first), len(second))
    return list(dict.fromkeys([*turns, *first[shorter:], *second[shorter:]]))


async def open_socket(address: str, port: int) -> socket.socket:
    """Connect to one IP address, without delay for small writes and with keep-alive probes for long silences."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def open_tunnel(sock: socket.socket, target: str, proxy: Proxy) -> None:
    """Ask the proxy on the other side for a tunnel to ``host:port``. Raises Unreachable when it says no."""
    loop = asyncio.get_running_loop()
    request = f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n"
    if proxy.authorization is not None:
        request += f"proxy-authorization: {proxy.authorization.reveal()}\r\n"
    head = bytearray()
    try:
        await loop.sock_sendall(sock, f"{request}\r\n".encode("ascii"))
        while b"\r\n\r\n" not in head and len(head) < _TUNNEL_HEAD_LIMIT:
            data = await loop.sock_recv(sock, 4096)
            if not data:
                break
            head += data
    except OSError as error:
        raise Unreachable("the proxy closed the connection") from error
    match = _TUNNEL_STATUS.match(head)
    # Both TLS and HTTP let the client speak first: bytes after the head would not come from the origin.
    if match is None or not head.endswith(b"\r\n\r\n") or head.count(b"\r\n\r\n") != 1:
        raise Unreachable("the proxy did not answer as an HTTP proxy does")
    if not match[1].startswith(b"2"):
        raise Unreachable(f"the proxy refused to connect to the provider (status {match[1].decode('ascii')})")


def _with_port(host: str, port: int) -> str:
    bare = host.strip("[]")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


async def _run(connecting: Awaitable[socket.socket]) -> socket.socket:
    return await connecting


def _close_unused(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
