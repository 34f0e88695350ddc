"""Which proxy a connection takes, read from the environment's variables. Pure: the mapping is an argument."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import unquote_to_bytes, urlsplit

from msgspec import Struct

from lockgate.core.http import Origin
from lockgate.core.secret import Secret
from lockgate.errors import ConfigError


class Proxy(Struct, frozen=True, kw_only=True):
    """An HTTP proxy that is spoken to in clear text, with the value of Proxy-Authorization if it wants one."""

    host: str
    port: int
    authorization: Secret | None = None


class ProxySettings(Struct, frozen=True, kw_only=True):
    """What HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say; lower-case names win, as in curl."""

    http: Proxy | None = None
    https: Proxy | None = None
    exceptions: tuple[str, ...] = ()
    """Hosts of NO_PROXY: a domain stands for everything below it, ``*`` for all hosts, ``host:port`` for one port."""

    def choose(self, origin: Origin) -> Proxy | None:
        """Return the proxy for this origin, or None to connect directly. Loopback is always direct."""
        proxy = self.https if origin.scheme == "https" else self.http
        if proxy is None or _is_loopback(origin.host) or self._is_exception(origin):
            return None
        return proxy

    def _is_exception(self, origin: Origin) -> bool:
        host = origin.host.lower().strip("[]")
        for entry in self.exceptions:
            name, port = _split_port(entry)
            name = name.removeprefix("*").removeprefix(".")
            if port in ("", str(origin.port)) and (not name or host == name or host.endswith("." + name)):
                return True
        return False


def read_proxies(environment: Mapping[str, str]) -> ProxySettings:
    """Return the proxy settings of an environment. Raises ConfigError that names the variable."""
    exceptions = environment.get("no_proxy", environment.get("NO_PROXY", ""))
    return ProxySettings(
        http=_read_one(environment, "http_proxy"),
        https=_read_one(environment, "https_proxy"),
        exceptions=tuple(exceptions.lower().replace(",", " ").split()),
    )


def _read_one(environment: Mapping[str, str], name: str) -> Proxy | None:
    for variable in (name, name.upper(), "all_proxy", "ALL_PROXY"):
        if value := environment.get(variable, "").strip():
            return _read_url(value, variable)
    return None


def _read_url(value: str, variable: str) -> Proxy:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("http:")
    if not host or not host.isascii():
        raise ConfigError("not the URL of a proxy, like http://proxy.example:3128", path=variable)
    if parts.scheme != "http":
        raise ConfigError("only proxies that are spoken to by http:// are supported", path=variable)
    authorization = None
    if parts.username is not None:
        pair = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
        authorization = Secret(f"Basic {base64.b64encode(pair).decode('ascii')}")
    return Proxy(host=host, port=port or 80, authorization=authorization)


def _split_port(entry: str) -> tuple[str, str]:
    name, _, port = entry.rpartition(":")
    if name and port.isdecimal() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), port
    return entry.strip("[]"), ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
