"""The bytes of a request up to its body. What could split a request or smuggle a second one is refused here."""

from __future__ import annotations

import re
from operator import itemgetter

from lockgate.core.http import Headers, Origin, UpstreamRequest
from lockgate.errors import InvalidRequest

_CACHE_LIMIT = 256
_LONGEST_CACHED_TARGET = 256

_METHOD = re.compile(r"[A-Z]+", re.ASCII)
_TARGET = re.compile(rb"/[!-~]*")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?", re.ASCII)
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_WITH_EMPTY_BODY = frozenset({"POST", "PUT", "PATCH"})
_OURS = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers that decide where a message goes and ends: only the transport writes them."""

_first = itemgetter(0)
_field = b": ".join


class HeadWriter:
    """Writes request heads for one origin; remembers what it has checked, so that a usual request costs little."""

    __slots__ = ("_before_target", "_host_line", "_known_names", "_prefixes")

    def __init__(self, origin: Origin, *, is_absolute: bool = False, proxy_authorization: str | None = None) -> None:
        """Raises InvalidRequest when the host cannot stand in a header. ``is_absolute`` is for plain HTTP proxies."""
        authority = authority_of(origin)
        lines = f"host: {authority}\r\n"
        if proxy_authorization is not None:
            lines += f"proxy-authorization: {proxy_authorization}\r\n"
        self._host_line = lines.encode("ascii")
        self._before_target = f"{origin.scheme}://{authority}".encode("ascii") if is_absolute else b""
        self._prefixes: dict[tuple[str, bytes], bytes] = {}
        self._known_names: set[bytes] = set()

    def write(self, request: UpstreamRequest) -> bytes:
        """Return the head with its blank line. Raises InvalidRequest for anything that could not be framed safely."""
        prefix = self._prefixes.get((request.method, request.target)) or self._make_prefix(request)
        headers = request.headers
        if request.stream is not None:
            end = _end_of(request.stream_bytes)
        elif request.body:
            end = b"content-length: %d\r\n\r\n" % len(request.body)
        else:
            end = b"content-length: 0\r\n\r\n" if request.method in _WITH_EMPTY_BODY else b"\r\n"
        if not headers:
            return prefix + end
        if not self._known_names.issuperset(map(_first, headers)):
            self._check_names(headers)
        fields = b"\r\n".join(map(_field, headers))
        # Names are checked, so any further line end or NUL sits in a value.
        breaks = len(headers) - 1
        if fields.count(b"\n") != breaks or fields.count(b"\r") != breaks or b"\0" in fields:
            raise InvalidRequest("a header value for the provider holds a line break or a NUL")
        return b"".join((prefix, fields, b"\r\n", end))

    def _make_prefix(self, request: UpstreamRequest) -> bytes:
        method, target = request.method, request.target
        if not _METHOD.fullmatch(method) or method == "CONNECT":
            raise InvalidRequest("the method for the provider is not valid")
        if not _TARGET.fullmatch(target):
            raise InvalidRequest("the path for the provider is not valid: it begins with / and is percent-encoded")
        start = b"".join((method.encode("ascii"), b" ", self._before_target, target, b" HTTP/1.1\r\n"))
        prefix = start + self._host_line
        if len(target) <= _LONGEST_CACHED_TARGET:
            if len(self._prefixes) >= _CACHE_LIMIT:
                self._prefixes.clear()
            self._prefixes[method, target] = prefix
        return prefix

    def _check_names(self, headers: Headers) -> None:
        for name, _ in headers:
            if name in _OURS:
                raise InvalidRequest(f"the header {name.decode('ascii')} is set by the gateway itself")
            if not _NAME.fullmatch(name):
                raise InvalidRequest("a header name for the provider is not a token in lower case")
            if len(self._known_names) >= _CACHE_LIMIT:
                self._known_names.clear()
            self._known_names.add(name)


def _end_of(stream_bytes: int | None) -> bytes:
    if stream_bytes is None:
        return b"transfer-encoding: chunked\r\n\r\n"
    return b"content-length: %d\r\n\r\n" % stream_bytes


def authority_of(origin: Origin) -> str:
    """Return the host, and the port unless it is the scheme's own, as the Host header wants them."""
    if not _HOST.fullmatch(origin.host):
        raise InvalidRequest("the host of the provider is not valid")
    host = f"[{origin.host.strip('[]')}]" if ":" in origin.host else origin.host
    usual = 443 if origin.scheme == "https" else 80
    return host if origin.port == usual else f"{host}:{origin.port}"
