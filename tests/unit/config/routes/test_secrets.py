from __future__ import annotations

import msgspec
import pytest

from lockgate.config.routes import find_masks, mask_secrets

CANARY = "sk-ant-canary-0123456789"
SECRETS = [
    {"api_key": CANARY},
    {"apiKey": CANARY},
    {"aws_secret_access_key": CANARY},
    {"awsSecretAccessKey": CANARY},
    {"vertex_service_account_json": {"private_key": CANARY}},
    {"targets": [{"provider": "@a"}, {"provider": "openai", "api_key": CANARY}]},
    {"targets": [{"targets": [{"azure_entra_client_secret": CANARY}]}]},
]
PLAIN = [
    b'{"provider":"@a"}',
    b'{ "provider" : "@a", "retry": {"attempts": 3} }',
    b'{"override_params":{"api_key":"a field of the body","targets":[{"api_key":"x"}]}}',
    b'{"metadata":{"api_key":"x"}}',
    b'{"targets":"x"}',
    b"[]",
]


@pytest.mark.parametrize("config", SECRETS)
def test_no_secret_is_left(config):
    masked = mask_secrets(msgspec.json.encode(config))
    assert CANARY.encode() not in masked
    assert masked.count(b"*****") == 1
    assert mask_secrets(masked) == masked


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_without_secrets_stays_as_it_is(text):
    assert mask_secrets(text) is text
    assert find_masks(text) == []


def test_masks_are_found_where_they_stand():
    config = {"apiKey": "*****", "targets": [{"api_key": CANARY}, {"aws_role_arn": "*****", "name": "*****"}]}
    assert find_masks(msgspec.json.encode(config)) == ["apiKey", "targets.1.aws_role_arn"]
