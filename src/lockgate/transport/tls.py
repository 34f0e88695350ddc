"""How we speak TLS to providers: verified, 1.2 or newer, HTTP/1.1 only. Nothing in a request can loosen it."""

from __future__ import annotations

import ssl
from pathlib import Path

from lockgate.errors import ConfigError, Unreachable


def make_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a verifying client context that trusts the system's authorities, and those in ``ca_file`` as well."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError("no certificates could be read from this file", path=str(ca_file)) from error
    return context


def explain_failure(error: OSError) -> Unreachable:
    """Return the error for a handshake that failed; a refused certificate is told apart from the rest."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable("the provider's TLS certificate could not be verified")
    if isinstance(error, ssl.SSLError):
        return Unreachable("the TLS handshake with the provider failed")
    return Unreachable("the provider closed the connection during the TLS handshake")
