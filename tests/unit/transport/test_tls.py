"""The context that every connection uses, and how a failed handshake is told."""

from __future__ import annotations

import ssl

import pytest

from lockgate.errors import ConfigError
from lockgate.transport.tls import explain_failure, make_context


def test_certificates_and_names_are_checked_and_old_versions_are_off():
    context = make_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("content", [None, "", "not a certificate"])
def test_a_file_without_certificates_is_a_config_error(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        make_context(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "error,words",
    [
        (ssl.SSLCertVerificationError("self-signed canary"), "certificate could not be verified"),
        (ssl.SSLError("canary"), "handshake with the provider failed"),
        (ConnectionResetError("canary"), "closed the connection during the TLS handshake"),
    ],
)
def test_a_failure_is_told_without_its_details(error, words):
    message = explain_failure(error).message
    assert words in message
    assert "canary" not in message
