from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from lockgate.config import read_document
from lockgate.config.routes import ConfigRules
from lockgate.core.secret import Secret
from lockgate.errors import InvalidConfig, InvalidRequest, NotFound
from lockgate.plan.compile import Sources, compile_snapshot
from lockgate.plan.explain import described_of, explain_request, find_routes
from lockgate.plan.snapshot import GatewayKey
from lockgate.providers import load_providers

TOML = """
[providers.a]
type = "anthropic"
api_key = "k"
models = ["claude-x", "claude-y"]
[providers.b]
type = "openai"
api_key = "k"
[configs.main]
provider = "@a"
"""
SNAPSHOT = compile_snapshot(
    read_document(TOML, "t"), Sources(environment={}, providers=load_providers()), Secret, version=1
)
WORKSPACE = SNAPSHOT.workspaces[SNAPSHOT.default_workspace]
RULES = ConfigRules(providers=frozenset(SNAPSHOT.raw_targets))


def explained(config, *, statuses=(), snapshot=SNAPSHOT, key=None, **request):
    text = config if isinstance(config, str) else msgspec.json.encode(config).decode()
    workspace = snapshot.workspaces[snapshot.default_workspace]
    routes = find_routes(text, workspace, RULES)
    return explain_request(snapshot, workspace, key, routes, described_of(**request), statuses)


class TestFinding:
    def test_a_saved_config_by_its_slug(self):
        found = explained("main", model="claude-x")
        assert (found.config, found.version, found.target.provider) == ("main", 0, "@a")

    def test_a_config_that_comes_along(self):
        found = explained({"provider": "@b"})
        assert (found.config[:7], found.version) == ("inline-", None)

    @pytest.mark.parametrize(
        "text, error, message",
        [
            ("", InvalidRequest, "is empty"),
            ("nope", NotFound, "There is no config 'nope' in this workspace; saved here: main"),
            ("main@2", NotFound, "There is no config 'main@2'"),
            ("{", InvalidConfig, "invalid config JSON"),
            ('{"weight": -1}', InvalidConfig, "weight"),
        ],
    )
    def test_what_is_not_there_or_wrong(self, text, error, message):
        with pytest.raises(error, match=message):
            find_routes(text, WORKSPACE, RULES)

    def test_a_saved_one_that_cannot_be_used(self):
        class Broken(dict):
            pass

        workspace = structs.replace(WORKSPACE, configs=Broken(main="weight: expected a number"))
        with pytest.raises(InvalidRequest, match="The config 'main' cannot be used: weight: expected a number"):
            find_routes("main", workspace, RULES)


class TestServing:
    @pytest.mark.parametrize(
        "config, request_, provider, slug, model",
        [
            ({"provider": "@a"}, {"model": "claude-x"}, "anthropic", "a", "claude-x"),
            (
                {"provider": "@a", "override_params": {"model": "claude-y"}},
                {"model": "z"},
                "anthropic",
                "a",
                "claude-y",
            ),
            ({"override_params": {"model": "@b/gpt"}}, {}, "openai", "b", "gpt"),
            ({"passthrough": True}, {"model": "@b/gpt"}, "openai", "b", "gpt"),
            ({"passthrough": True}, {"model": "m", "headers": {"X-Portkey-Provider": "@b"}}, "openai", "b", "m"),
            ({"retry": {"attempts": 1}}, {"headers": {"x-portkey-virtual-key": "b"}, "model": "m"}, "openai", "b", "m"),
            ({"provider": "openai", "api_key": "k"}, {"model": "m"}, "openai", None, "m"),
            ({"provider": "openai"}, {"model": "m", "headers": {"authorization": "Bearer sk"}}, "openai", None, "m"),
        ],
    )
    def test_who_would_serve(self, config, request_, provider, slug, model):
        served = explained(config, **request_).served_by
        assert (served.provider, served.slug, served.model, served.problem) == (provider, slug, model, None)

    @pytest.mark.parametrize(
        "config, request_, problem",
        [
            ({"provider": "@x"}, {"model": "m"}, "There is no provider @x"),
            ({"provider": "@a"}, {"model": "m"}, "Model m is not allowed for @a"),
            ({"provider": "openai"}, {"model": "m"}, "No credential for provider openai"),
            ({"provider": "@a"}, {"body": b'{"model": 3}'}, "model: "),
            ({"retry": {"attempts": 1}}, {"model": "m"}, "Either x-portkey-config or x-portkey-provider"),
        ],
    )
    def test_why_nobody_would(self, config, request_, problem):
        served = explained(config, **request_).served_by
        assert served.provider is None
        assert problem in served.problem

    def test_a_key_with_few_providers_is_held_to_them(self):
        key = GatewayKey(id="k", name="bot", providers=frozenset({"b"}))
        assert "may not use @a" in explained({"provider": "@a"}, key=key, model="claude-x").served_by.problem

    def test_targets_without_a_record_are_named_wherever_they_stand(self):
        config = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@a"}, {"provider": "@x"}]}
        assert explained(config).missing_providers == ("config.targets[1]: @x",)


CONDITIONS = [
    {"query": {"metadata.tier": "gold"}, "then": "a"},
    {"query": {"params.model": {"$regex": "^gpt"}}, "then": "b"},
    {"query": {"url.pathname": "/v1/messages"}, "then": "c"},
]
CONFIG = {
    "strategy": {"mode": "conditional", "conditions": CONDITIONS, "default": "d"},
    "targets": [{"name": name, "provider": "@a"} for name in "abcd"],
}


class TestDeciding:
    @pytest.mark.parametrize(
        "request_, name",
        [
            ({}, "d"),
            ({"metadata": {"tier": "gold"}}, "a"),
            ({"headers": {"X-Portkey-Metadata": '{"tier": "gold"}'}}, "a"),
            ({"headers": {"baggage": "tier=gold"}}, "a"),
            ({"metadata": {"tier": "iron"}, "headers": {"x-portkey-metadata": '{"tier": "gold"}'}}, "d"),
            ({"model": "gpt-5"}, "b"),
            ({"body": b'{"model": "gpt-5"}', "model": "claude"}, "b"),
            ({"path": "/v1/messages"}, "c"),
        ],
    )
    def test_conditions_see_the_request(self, request_, name):
        assert explained(CONFIG, **request_).target.name == name

    def test_operators_metadata_is_stronger_and_the_configs_own_weaker(self):
        config = {**CONFIG, "metadata": {"tier": "gold"}}
        assert explained(config).target.name == "a"
        assert explained(config, metadata={"tier": "iron"}).target.name == "d"
        gold = structs.replace(WORKSPACE, metadata={"tier": "gold"})
        snapshot = structs.replace(SNAPSHOT, workspaces={gold.id: gold})
        assert explained(CONFIG, snapshot=snapshot, metadata={"tier": "iron"}).target.name == "a"
        key = GatewayKey(id="k", name="k", metadata={"tier": "gold"})
        assert explained(CONFIG, key=key, metadata={"tier": "iron"}).target.name == "a"

    @pytest.mark.parametrize("roll, path", [(0.0, 0), (0.74, 0), (0.76, 1), (0.99, 1)])
    def test_the_dice_are_the_callers(self, roll, path):
        config = {
            "strategy": {"mode": "loadbalance"},
            "targets": [{"provider": "@a", "weight": 3}, {"provider": "@b", "weight": 1}],
        }
        found = explained(config, roll=roll)
        assert found.target.path == f"config.targets[{path}]"
        assert [choice.because for choice in found.choices] == [f"weight: {3 - 2 * path} of 4"]

    def test_what_follows_is_told_for_each_status(self):
        config = {
            "strategy": {"mode": "fallback", "on_status_codes": [429]},
            "targets": [{"provider": "@a"}, {"provider": "@b"}],
        }
        found = explained(config, statuses=(429, 500))
        assert [(one.failure, one.calls) for one in found.what_if] == [("status 429", 2), ("status 500", 1)]

    def test_a_target_without_a_record_fails_in_its_own_way(self):
        config = {
            "strategy": {"mode": "fallback", "on_status_codes": [529]},
            "targets": [{"provider": "@gone"}, {"provider": "@a"}],
        }
        (if_overloaded,) = explained(config, statuses=[529], model="claude-x").what_if
        assert (if_overloaded.calls, [event.path for event in if_overloaded.events]) == (0, ["config.targets[0]"])

    @pytest.mark.parametrize("value, timeout_s", [("1500", 1.5), ("x", 9), ("0", 9), ("-1", 9), ("", 9)])
    def test_the_requests_own_time_limit_counts(self, value, timeout_s):
        config = {"provider": "@a", "request_timeout": 9000}
        assert explained(config, headers={"x-portkey-request-timeout": value}).target.timeout_s == timeout_s

    def test_a_config_that_offers_no_target_says_so(self):
        config = {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@a", "weight": 0}]}
        found = explained(config)
        assert (found.target, found.served_by, found.what_if) == (None, None, ())
        assert "the weights of all targets are 0" in found.refusal

    def test_unknown_keys_are_warnings(self):
        assert explained({"provider": "@a", "retries": 1}).warnings[0].startswith("path: retries, message: unknown key")

    @pytest.mark.parametrize("body", [b"[]", b"{", b'"x"'])
    def test_a_body_that_no_request_could_have(self, body):
        with pytest.raises(InvalidRequest):
            explained({"provider": "@a"}, body=body)

    def test_no_secret_is_told(self):
        config = {"provider": "openai", "api_key": "sk-canary", "aws_secret_access_key": "canary"}
        assert b"canary" not in msgspec.json.encode(explained(config, model="m"))
