from __future__ import annotations

import msgspec
import pytest

from lockgate.config import ConfigSettings
from lockgate.config.routes import ConfigRules, read_config
from lockgate.core.secret import Secret
from lockgate.entities import Config, ConfigVersion
from lockgate.entities.entity import NEVER
from lockgate.errors import ConfigError
from lockgate.plan.configs import check_providers, compile_declared, compile_stored, named_providers
from lockgate.routing.tree import Leaf, Routes

PROVIDERS = ("anthropic", "openai")
RULES = ConfigRules(providers=frozenset(PROVIDERS))
SECRET = "sk-ant-canary-0123456789"


def text(**config):
    return msgspec.json.encode(config).decode()


def stored(number, *texts, status="active", secret_field=None):
    """A config with one version for each text."""
    id, slug = f"id-{number}", f"pc-{number}"
    config = Config(id=id, workspace_id="w", slug=slug, name=slug, text=texts[-1], status=status)
    versions = [
        ConfigVersion(
            id=f"{id}-{at}", config_id=id, number=at, name=slug, text=each, secret_field=secret_field, created_at=NEVER
        )
        for at, each in enumerate(texts, 1)
    ]
    return config, versions


def compiled(*found, secrets=None):
    configs = [config for config, _ in found]
    return compile_stored(configs, [v for _, versions in found for v in versions], secrets or {}, RULES)


def provider_of(routes):
    assert isinstance(routes, Routes)
    assert isinstance(routes.root, Leaf)
    return routes.root.pin.slug or routes.root.pin.provider


THREE = stored(1, text(provider="@one"), text(provider="@two"), text(provider="@three"))


@pytest.mark.parametrize(
    "name, provider, version",
    [
        ("pc-1", "three", 3),
        ("id-1", "three", 3),
        ("pc-1@3", "three", 3),
        ("pc-1@1", "one", 1),
        ("id-1@2", "two", 2),
    ],
)
def test_a_config_is_found_by_slug_and_id_and_version(name, provider, version):
    configs = compiled(THREE)
    assert name in configs
    found = configs[name]
    assert (provider_of(found), found.id, found.version) == (provider, "pc-1", version)
    assert configs[name] is found


@pytest.mark.parametrize(
    "name", ["", "pc-2", "pc-1@", "pc-1@0", "pc-1@4", "pc-1@-1", "pc-1@01", "pc-1@x", "@1", "pc-1@1@1", "pc-1@٣", "pc"]
)
def test_what_is_not_there_is_not_found(name):
    configs = compiled(THREE)
    assert configs.get(name) is None
    assert name not in configs


def test_iterating_gives_the_slugs():
    configs = compiled(THREE, stored(2, text(provider="@x")))
    assert sorted(configs) == ["pc-1", "pc-2"]
    assert len(configs) == 2


def test_one_that_does_not_compile_says_why_and_the_others_serve():
    configs = compiled(THREE, stored(2, text(provider="nobody", weight=-1)), stored(3, "{", text(provider="@x")))
    weight, provider = configs["pc-2"].split("; ")
    assert (weight, provider[:18]) == ("weight: expected `float` >= 0.0", "provider: invalid ")
    assert "invalid config JSON" in configs["pc-3@1"]
    assert provider_of(configs["pc-3"]) == "x"
    assert provider_of(configs["pc-1"]) == "three"


def test_a_disabled_one_is_not_there():
    assert list(compiled(stored(1, text(provider="@x"), status="disabled"))) == []


def test_secrets_come_from_beside_the_text():
    whole = text(provider="openai", api_key=SECRET)
    masked = text(provider="openai", api_key="*****")
    config = stored(1, masked, secret_field="text.1")
    found = compiled(config, secrets={("id-1", "text.1"): Secret(whole)})["pc-1"]
    assert found.root.pin.api_key == Secret(SECRET)
    assert "wiped" in compiled(config)["pc-1"]


def test_what_was_saved_with_unknown_keys_compiles_with_a_warning():
    found = compiled(stored(1, text(provider="@x", future=1)))["pc-1"]
    assert [fault.path for fault in found.warnings] == ["future"]


# ---- of the file


def declared(**texts):
    return compile_declared({name: ConfigSettings(text=each.encode()) for name, each in texts.items()}, PROVIDERS)


def test_what_the_file_declares_wins_over_what_is_stored():
    file = declared(main=text(provider="@file"), **{"pc-1": text(provider="@also")})
    both = file.joined(compiled(THREE, stored(2, text(provider="@stored"))))
    assert sorted(both) == ["main", "pc-1", "pc-2"]
    assert [provider_of(both[name]) for name in sorted(both)] == ["file", "also", "stored"]
    assert both["main"].version == 0
    assert provider_of(both["pc-2@1"]) == "stored"


def test_what_the_file_declares_can_be_shown_without_its_secrets():
    both = declared(main=text(provider="openai", api_key=SECRET)).joined(compiled(THREE))
    assert both.declared() == {"main": text(provider="openai", api_key="*****").encode()}
    assert both["main"].root.pin.api_key == Secret(SECRET)


def test_all_faults_of_a_declared_one_are_told():
    with pytest.raises(ConfigError) as caught:
        declared(main=text(targets=[{"provider": "@a", "weight": -1}, {"provider": "@b", "retries": 1}]))
    assert caught.value.message == (
        "configs.main.targets.0.weight: expected `float` >= 0.0; "
        "configs.main.targets.1.retries: unknown key; did you mean retry?"
    )


@pytest.mark.parametrize(
    "config, message",
    [
        ("{", "configs.main: invalid config JSON"),
        ("", "configs.main: invalid config JSON"),
        (text(retry={"attempts": 1}, input_guardrails=["pg-1"]), "configs.main.input_guardrails: guardrails are not"),
    ],
)
def test_a_declared_one_must_be_right(config, message):
    with pytest.raises(ConfigError) as caught:
        declared(main=config)
    assert caught.value.message.startswith(message)


def test_a_borrowed_config_is_found_but_not_listed():
    lender = compiled(THREE)
    borrower = compiled(stored(2, text(provider="@x"))).borrowing("pc-1", lender["pc-1"])
    assert borrower["pc-1"] is lender["pc-1"]
    assert list(borrower) == ["pc-2"]
    assert "pc-1@1" not in borrower


# ---- what a config names


NAMED = {
    "targets": [
        {"provider": "@a"},
        {"virtual_key": "b", "override_params": {"model": "claude-x"}},
        {"targets": [{"override_params": {"model": "@c/claude"}}]},
        {"provider": "openai", "api_key": "k", "override_params": {"model": "@cf/meta"}},
        {"provider": "@a", "override_params": {"model": "@a/gpt"}},
        {"passthrough": True},
        {"override_params": {"model": {"not": "text"}}},
    ],
    "strategy": {"mode": "fallback"},
}


def test_the_providers_that_a_config_names():
    root = read_config(msgspec.json.encode(NAMED), RULES).root
    assert named_providers(root) == {
        "a": ["targets.0.provider", "targets.4.provider", "targets.4.override_params.model"],
        "b": ["targets.1.virtual_key"],
        "c": ["targets.2.targets.0.override_params.model"],
    }


def test_a_fault_for_each_place_that_names_what_is_not_there():
    root = read_config(msgspec.json.encode(NAMED), RULES).root
    faults = check_providers(root, ["b", "z"])
    assert [fault.path for fault in faults] == [
        "targets.0.provider",
        "targets.4.provider",
        "targets.4.override_params.model",
        "targets.2.targets.0.override_params.model",
    ]
    assert faults[0].what == "there is no provider @a in this workspace; providers here: @b, @z"
    assert check_providers(root, "abc") == []
