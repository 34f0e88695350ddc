from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.entities.secret_fields import is_mask, is_secret_header, is_secret_setting, mask


@pytest.mark.parametrize(
    "text, shown",
    [
        ("sk-ant-0123456789Qx7", "sk-*****Qx7"),
        ("gk_abcdefghijklmnopx7Q", "gk_*****x7Q"),
        ("short", "*****"),
        ("elevenchars", "*****"),
        ("", "*****"),
    ],
)
def test_a_mask_shows_the_ends_of_a_long_secret(text, shown):
    assert mask(text) == shown


@given(st.text())
def test_a_mask_holds_at_most_half_of_the_secret_and_is_known_as_one(text):
    shown = mask(text)
    assert is_mask(shown)
    assert len(shown.replace("*****", "")) * 2 <= max(len(text), 0) or shown == "*****"


@pytest.mark.parametrize("text", ["sk-ant-0123456789Qx7", "", "ab*****c", "abc****def", "*****x"])
def test_a_secret_is_no_mask(text):
    assert not is_mask(text)


@pytest.mark.parametrize(
    "name, is_secret",
    [
        ("aws_secret_access_key", True),
        ("aws_access_key_id", True),
        ("azure_entra_client_secret", True),
        ("vertex_service_account_json", True),
        ("password", True),
        ("vault_token", True),
        ("aws_role_arn", False),
        ("aws_external_id", False),
        ("aws_region", False),
        ("vertex_project_id", False),
        ("azure_resource_name", False),
        ("custom_host", False),
        ("openai_organization", False),
        ("secret_path", False),
    ],
)
def test_settings_that_hold_secrets_are_known_by_name(name, is_secret):
    assert is_secret_setting(name) is is_secret


@pytest.mark.parametrize(
    "name, is_secret",
    [("Authorization", True), ("x-api-key", True), ("Cookie", True), ("X-Auth-Token", True), ("x-tenant", False)],
)
def test_headers_that_hold_secrets_are_known_by_name(name, is_secret):
    assert is_secret_header(name) is is_secret
