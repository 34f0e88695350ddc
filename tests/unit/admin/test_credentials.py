import msgspec
import pytest
from msgspec import UNSET, Raw

from lockgate.admin.credentials import Settings, has_key, read_key, read_settings, write_settings
from lockgate.entities import SecretMapping
from lockgate.errors import InvalidRequest


class Caller:
    """As much of a call as reading needs; nobody here may make references."""

    class principal:
        scopes = frozenset()

    class services:
        class snapshot:
            trusted_hosts = frozenset({"llm.internal"})


def revealed(settings):
    return {name: secret.reveal() if secret else None for name, secret in settings.secrets.items()}


@pytest.mark.parametrize(
    "text, secrets",
    [(UNSET, {}), ("", {}), (None, {"key": None}), ("sk-1", {"key": "sk-1"})],
)
def test_a_key_that_is_not_given_changes_nothing_and_null_removes_it(text, secrets):
    assert revealed(read_key(Caller, text, Settings())) == secrets


def test_a_secret_takes_the_place_of_a_reference():
    settings = read_key(Caller, "sk-1", Settings(references={"key": "env:OLD"}))
    assert (settings.references, revealed(settings)) == ({}, {"key": "sk-1"})


def test_settings_are_parted_into_plain_and_secret():
    given = {"aws_region": "r", "aws_secret_access_key": "canary", "n": 1, "gone": None, "empty": "", "masked_x": "y"}
    settings = read_settings(Caller, given, Settings(plain={"gone": Raw(b"1"), "kept": Raw(b"2")}))
    assert {name: msgspec.json.decode(raw) for name, raw in settings.plain.items()} == {
        "kept": 2,
        "aws_region": "r",
        "n": 1,
    }
    assert revealed(settings) == {"configurations.aws_secret_access_key": "canary"}


def test_a_setting_that_is_too_long():
    with pytest.raises(InvalidRequest, match=r"configurations\.a: must have at most"):
        read_settings(Caller, {"a": "x" * 100_001}, Settings())


def test_settings_are_shown_with_masks_and_references():
    shown = write_settings(
        {"a": Raw(b"1")}, {"key": "env:K", "configurations.s": "env:S"}, {"key": "m", "configurations.t": "***"}
    )
    assert shown == {"a": Raw(b"1"), "s": "env:S", "masked_t": "***"}


@pytest.mark.parametrize(
    "settings, mappings, has",
    [
        (Settings(), (), False),
        (Settings(secrets={"key": None}), (), False),
        (Settings(references={"key": "env:K"}), (), True),
        (Settings(), (SecretMapping(target_field="key", secret_reference_id="r"),), True),
        (Settings(), (SecretMapping(target_field="configurations.x", secret_reference_id="r"),), False),
    ],
)
def test_who_has_a_credential(settings, mappings, has):
    assert has_key(settings, mappings) is has
