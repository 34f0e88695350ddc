import pytest

from lockgate.app import load_dialects
from lockgate.errors import ConfigError
from lockgate.plan.compile import split_base_url
from lockgate.providers import load_providers

PROVIDERS = load_providers()


def test_the_providers_are_found_by_their_files():
    assert {"anthropic", "openai", "openai-compatible"} <= set(PROVIDERS)


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda p: p.name)
def test_every_provider_speaks_a_dialect_and_has_a_usable_address(provider):
    assert provider.dialect in load_dialects()
    assert provider.title
    for endpoint in (provider.chat, provider.models, provider.count_tokens, provider.batches, provider.files):
        assert endpoint is None or endpoint.path.startswith("/")
    if provider.base_url is not None:
        origin, _ = split_base_url(provider.base_url, "test")
        assert origin.scheme == "https"
        assert provider.credential_env
    else:
        with pytest.raises(ConfigError):
            split_base_url("", "test")
