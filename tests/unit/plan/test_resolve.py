import pytest

from lockgate.config import read_document
from lockgate.core.secret import Secret
from lockgate.errors import Forbidden, ModelNotAllowed, NoTarget, Unauthenticated
from lockgate.plan.compile import Sources, compile_snapshot
from lockgate.plan.resolve import Signals, choose_target
from lockgate.plan.snapshot import GatewayKey
from lockgate.providers import load_providers

TEXT = """
[providers.a]
type = "anthropic"
api_key = "key-a"
[providers.b]
type = "openai"
api_key = "key-b"
[providers.openai]
type = "openai"
api_key = "key-record"
[providers.narrow]
type = "anthropic"
api_key = "key-n"
models = ["claude-one"]
"""
SNAPSHOT = compile_snapshot(
    read_document(TEXT, "t"), Sources(environment={}, providers=load_providers()), lambda text: Secret(text), 1
)
OWN = Secret("own-key")


@pytest.mark.parametrize(
    "signals, slug, provider, model",
    [
        (Signals(model="@a/claude"), "a", "anthropic", "claude"),
        (Signals(model="@a/models/with/slashes:v1"), "a", "anthropic", "models/with/slashes:v1"),
        (Signals(provider="@a", model="claude"), "a", "anthropic", "claude"),
        (Signals(provider="@a", model="@b/m"), "a", "anthropic", "m"),
        (Signals(virtual_key="b", model="m"), "b", "openai", "m"),
        (Signals(virtual_key="@b", model="m"), "b", "openai", "m"),
        (Signals(provider="@a", virtual_key="b", model="m"), "a", "anthropic", "m"),
        (Signals(virtual_key="b", model="@a/m"), "b", "openai", "m"),
        (Signals(provider="anthropic", model="@b/m", credential=OWN), "b", "openai", "m"),
        (Signals(provider="anthropic", virtual_key="b", model="m", credential=OWN), "b", "openai", "m"),
        (Signals(provider="anthropic", model="m", credential=OWN), None, "anthropic", "m"),
        (Signals(provider="anthropic", model="@cf/meta/llama", credential=OWN), None, "anthropic", "@cf/meta/llama"),
        (Signals(provider="openai", model="m", credential=OWN), None, "openai", "m"),
        (Signals(provider="openai", model="m"), "openai", "openai", "m"),
        (Signals(provider="a", model="m"), "a", "anthropic", "m"),
        (Signals(provider="@a", model="portkey-default"), "a", "anthropic", None),
        (Signals(provider="@narrow", model="claude-one"), "narrow", "anthropic", "claude-one"),
    ],
)
def test_who_serves(signals, slug, provider, model):
    choice = choose_target(SNAPSHOT, None, signals)
    assert (choice.target.slug, choice.target.provider.name, choice.model) == (slug, provider, model)


def test_a_callers_own_credential_is_what_goes_upstream():
    choice = choose_target(SNAPSHOT, None, Signals(provider="anthropic", model="m", credential=OWN))
    assert choice.target.auth_headers == ((b"x-api-key", b"own-key"),)
    token = Secret("sk-ant-oat01-abc")
    choice = choose_target(SNAPSHOT, None, Signals(provider="anthropic", model="m", credential=token))
    assert choice.target.auth_headers == ((b"authorization", b"Bearer sk-ant-oat01-abc"),)


@pytest.mark.parametrize(
    "signals, error, part",
    [
        (Signals(model="m"), NoTarget, "x-portkey-config or x-portkey-provider header is required"),
        (Signals(), NoTarget, "x-portkey-config or x-portkey-provider header is required"),
        (Signals(model="@nope/m"), NoTarget, "There is no provider @nope; providers here: @a, @b"),
        (Signals(provider="@nope", model="m"), NoTarget, "There is no provider @nope"),
        (Signals(virtual_key="nope", model="m"), NoTarget, "There is no provider @nope"),
        (Signals(provider="nope", model="m"), NoTarget, "Invalid provider passed"),
        (Signals(provider="anthropic", model="m"), Unauthenticated, "No credential for provider anthropic"),
        (Signals(provider="openai-compatible", model="m", credential=OWN), NoTarget, "needs x-portkey-custom-host"),
        (Signals(model="@narrow/claude-two"), ModelNotAllowed, "Model claude-two is not allowed for @narrow"),
    ],
)
def test_refusals_name_what_is_wrong(signals, error, part):
    with pytest.raises(error) as caught:
        choose_target(SNAPSHOT, None, signals)
    assert part in str(caught.value)


def test_a_key_may_be_bound_to_providers():
    key = GatewayKey(id="key_x", name="x", providers=frozenset({"a"}))
    assert choose_target(SNAPSHOT, key, Signals(model="@a/m")).target.slug == "a"
    with pytest.raises(Forbidden, match="may not use @b"):
        choose_target(SNAPSHOT, key, Signals(model="@b/m"))
    with pytest.raises(NoTarget, match=r"providers here: @a$"):
        choose_target(SNAPSHOT, key, Signals(model="@nope/m"))
    with pytest.raises(Forbidden, match="own credentials"):
        choose_target(SNAPSHOT, key, Signals(provider="anthropic", model="m", credential=OWN))
