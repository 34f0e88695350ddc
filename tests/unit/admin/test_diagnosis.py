import socket
import ssl

import pytest

from lockgate.admin.diagnosis import of_error, of_status, shown_words
from lockgate.core.secret import Secret
from lockgate.errors import Broken, ConfigError, InvalidRequest, Malformed, Rejected, TimedOut, Unreachable


def rejected(status, kind="api_error", wire_code=None):
    return Rejected("words", status=status, kind=kind, wire_code=wire_code)


@pytest.mark.parametrize(
    "status, error, model, code, words",
    [
        (200, None, None, "ok", "accepts"),
        (401, rejected(401), None, "wrong_key", "refuses the credential"),
        (403, rejected(403), None, "forbidden", "region"),
        (404, rejected(404), None, "wrong_host", "custom_host"),
        (405, rejected(405), None, "wrong_host", "custom_host"),
        (404, rejected(404), "m-1", "no_model", "'m-1'"),
        (302, rejected(302), None, "wrong_host", "leads elsewhere"),
        (402, rejected(402), None, "quota", "no credit"),
        (400, rejected(400, kind="billing_error"), None, "quota", "no credit"),
        (429, rejected(429, wire_code="insufficient_quota"), None, "quota", "no credit"),
        (429, rejected(429), None, "rate_limited", "used up"),
        (500, rejected(500), None, "provider_down", "later"),
        (529, rejected(529), None, "provider_down", "later"),
        (400, rejected(400), None, "refused", "400"),
    ],
)
def test_each_status_has_its_sentence(status, error, model, code, words):
    found = of_status(status, error, model)
    assert found.code == code
    assert words in found.message
    assert found.provider_message == ("words" if error else None)


def caused(cause):
    error = Unreachable("no connection")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error, code, words",
    [
        (caused(socket.gaierror(-2, "x")), "dns", "cannot be resolved"),
        (caused(UnicodeError("x")), "dns", "cannot be resolved"),
        (caused(ConnectionRefusedError()), "connection_refused", "Nothing listens"),
        (caused(ssl.SSLCertVerificationError("x")), "tls", "certificate"),
        (caused(ssl.SSLError("x")), "tls", "handshake"),
        (caused(OSError("x")), "unreachable", "no connection"),
        (Unreachable("alone"), "unreachable", "alone"),
        (InvalidRequest("custom host refused: private"), "blocked_host", "trusted_custom_hosts"),
        (Malformed("x"), "wrong_host", "not as this API"),
        (Broken("x"), "broken", "broke"),
        (ConfigError("has no key"), "configuration", "has no key"),
        *[
            (TimedOut("x", phase=phase), "timeout", words)
            for phase, words in (
                ("pool", "free"),
                ("connect", "firewall"),
                ("tls", "TLS"),
                ("write", "take the request"),
                ("first_byte", "did not answer"),
                ("idle", "middle"),
                ("total", "too long"),
            )
        ],
    ],
)
def test_each_failure_has_its_sentence(error, code, words):
    found = of_error(error)
    assert found.code == code
    assert words in found.message


SECRET = Secret("sk-canary-0123456789")


@pytest.mark.parametrize(
    "text, shown",
    [
        (None, None),
        ("", None),
        ("not allowed", "not allowed"),
        ("your key sk-canary-0123456789 is wrong", "(not shown: it repeats a part of the credential)"),
        ("ends in 23456789", "(not shown: it repeats a part of the credential)"),
        ("a" * 301, "a" * 300 + "..."),
    ],
)
def test_words_hold_no_part_of_a_secret(text, shown):
    assert shown_words(text, [SECRET]) == shown


def test_a_short_secret_is_not_shown_either():
    assert shown_words("key abc is wrong", [Secret("abc")]) == "(not shown: it repeats a part of the credential)"
