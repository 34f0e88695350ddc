from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import Raw, structs

from lockgate.config import read_document
from lockgate.core.http import Timeouts
from lockgate.core.recording import Recording
from lockgate.core.secret import Secret
from lockgate.entities import (
    ApiKey,
    Config,
    ConfigVersion,
    Estate,
    Integration,
    IntegrationModel,
    KeyDefaults,
    KeyText,
    Organisation,
    OrganisationDefaults,
    ProviderRecord,
    RateLimit,
    RecordingChoice,
    SecretMapping,
    SecretReference,
    UsageLimit,
    User,
    Workspace,
    WorkspaceAccess,
    WorkspaceDefaults,
)
from lockgate.errors import ConfigError, ModelNotAllowed, NoTarget
from lockgate.plan.compile import Sources, compile_snapshot
from lockgate.plan.estate import EstateSources, check_changes, compile_estate
from lockgate.plan.keys import digest_of
from lockgate.plan.resolve import Signals, choose_target
from lockgate.plan.snapshot import GatewayKey
from lockgate.providers import load_providers
from lockgate.transport.address_guard import check_url

NOW = datetime(2026, 8, 21, 9, 30, tzinfo=UTC)
CREATED = datetime(2026, 8, 3, 8, tzinfo=UTC)
FILE = """
[providers.declared]
type = "anthropic"
api_key = "from-the-file"
"""
BASE = compile_snapshot(
    read_document(FILE, "t"),
    Sources(
        environment={},
        providers=load_providers(),
        stored_keys={digest_of("file-key"): GatewayKey(id="key_file", name="file")},
    ),
    Secret,
    1,
)


def read_secret(reference):
    if reference == "env:GONE":
        raise ConfigError("the environment variable GONE is not set")
    return Secret("read:" + reference)


SOURCES = EstateSources(
    providers=load_providers(), read_secret=read_secret, guard=check_url, timeouts=Timeouts(), now=NOW
)


def usage(id, cap, **more):
    return UsageLimit(id=id, cap=cap, **more)


ORGANISATION = Organisation(id="o", organisation_id="o", name="Acme", slug="acme")
DEFAULT = Workspace(id="w1", organisation_id="o", name="Shared", slug="ws-shared", is_default=True, created_at=CREATED)
OTHER = Workspace(id="w2", organisation_id="o", name="Research", slug="ws-resear", created_at=CREATED)
MAIN = Integration(id="i", organisation_id="o", name="Main", slug="main", provider="anthropic", created_at=CREATED)
ACCESS = WorkspaceAccess(id="a", organisation_id="o", integration_id="i", workspace_id="w1", created_at=CREATED)
CLAUDE = ProviderRecord(
    id="p", organisation_id="o", workspace_id="w1", integration_id="i", slug="claude", name="Claude", created_at=CREATED
)
KEY = ApiKey(
    id="k",
    organisation_id="o",
    name="bot",
    kind="workspace-service",
    workspace_id="w1",
    scopes=("completions.write",),
    texts=(KeyText(digest=digest_of("text").hex(), mask="", created_at=CREATED),),
    created_at=CREATED,
)
ESTATE = Estate(
    revision=1,
    organisations=(ORGANISATION,),
    workspaces=(DEFAULT, OTHER),
    integrations=(MAIN,),
    workspace_access=(ACCESS,),
    providers=(CLAUDE,),
    api_keys=(KEY,),
    secrets={("i", "key"): Secret("stored")},
)


def compiled(**changes):
    return compile_estate(structs.replace(ESTATE, **changes), BASE, SOURCES)


def key_of(snapshot, text="text"):
    return snapshot.keys[digest_of(text)]


def test_a_stored_record_serves_its_workspace_and_no_other():
    snapshot = compiled()
    target = snapshot.workspaces["w1"].targets["claude"]
    assert (target.auth_headers, target.workspace, target.integration) == (((b"x-api-key", b"stored"),), "w1", "main")
    assert "claude" not in snapshot.workspaces["w2"].targets
    assert key_of(snapshot).workspace == "w1"


def test_what_the_file_declares_belongs_to_the_default_workspace_and_wins():
    snapshot = compiled(providers=(CLAUDE, structs.replace(CLAUDE, id="p2", slug="declared")))
    assert snapshot.default_workspace == "w1"
    assert snapshot.workspaces["w1"].targets["declared"].secret == Secret("from-the-file")
    assert "declared" not in snapshot.workspaces["w2"].targets
    assert key_of(snapshot, "file-key").workspace == "w1"


@pytest.mark.parametrize(
    "changes, secret",
    [
        ({"secrets": {}, "integrations": (structs.replace(MAIN, references={"key": "env:K"}),)}, "read:env:K"),
        (
            {
                "secrets": {},
                "integrations": (
                    structs.replace(
                        MAIN, secret_mappings=(SecretMapping(target_field="key", secret_reference_id="r"),)
                    ),
                ),
                "secret_references": (
                    SecretReference(
                        id="r", organisation_id="o", name="r", slug="r", manager="file", secret_path="/run/secrets/k"
                    ),
                ),
            },
            "read:file:/run/secrets/k",
        ),
    ],
)
def test_secrets_kept_elsewhere_are_read_when_compiled(changes, secret):
    assert compiled(**changes).workspaces["w1"].targets["claude"].secret == Secret(secret)


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"secrets": {}}, "has no key"),
        ({"secrets": {}, "integrations": (structs.replace(MAIN, references={"key": "env:GONE"}),)}, "GONE is not set"),
        ({"workspace_access": ()}, "no access to integration 'main'"),
        ({"workspace_access": (structs.replace(ACCESS, is_enabled=False),)}, "no access"),
        ({"integrations": (structs.replace(MAIN, status="disabled"),)}, "is disabled"),
        ({"integrations": (structs.replace(MAIN, workspace_id="w2"),)}, "another workspace"),
        ({"integrations": (structs.replace(MAIN, provider="nope"),)}, "unknown provider 'nope'"),
        (
            {
                "integrations": (
                    structs.replace(MAIN, configurations={"custom_host": Raw(b'"http://169.254.169.254/"')}),
                )
            },
            "custom host refused",
        ),
        (
            {"integrations": (structs.replace(MAIN, pricing_adjustments=Raw(b'{"multiplier":{"default":-1}}')),)},
            "default",
        ),
    ],
)
def test_what_does_not_compile_is_kept_with_its_trouble_and_refused_unless_somebody_decided_it(changes, why):
    snapshot = compiled(**changes)
    target = snapshot.workspaces["w1"].targets["claude"]
    assert why in target.trouble
    assert "stored" not in target.trouble
    assert snapshot.workspaces["w1"].targets["declared"].trouble is None
    with pytest.raises(NoTarget, match="cannot serve"):
        choose_target(snapshot, key_of(snapshot), Signals(model="@claude/m"))
    decided = "no access" in why or "is disabled" in why
    assert target.is_withheld is decided
    if decided:
        check_changes(compiled(), snapshot)
    else:
        with pytest.raises(ConfigError, match="@claude"):
            check_changes(compiled(), snapshot)
    check_changes(snapshot, snapshot)


def test_claims_stand_in_order_from_key_to_organisation_and_from_provider_to_integration():
    user = User(id="u", organisation_id="o", email="kim@example.org", usage_limits=(usage("lu", 2),))
    snapshot = compiled(
        organisations=(structs.replace(ORGANISATION, usage_limits=(usage("lo", 4),)),),
        workspaces=(structs.replace(DEFAULT, usage_limits=(usage("lw", 3),)), OTHER),
        users=(user,),
        api_keys=(
            structs.replace(
                KEY,
                kind="workspace-user",
                user_id="u",
                usage_limits=(usage("lk", 1),),
                rate_limits=(RateLimit(id="rk", cap=9),),
            ),
        ),
        providers=(structs.replace(CLAUDE, usage_limits=(usage("lp", 5),)),),
        workspace_access=(structs.replace(ACCESS, usage_limits=(usage("la", 6),)),),
        integrations=(structs.replace(MAIN, usage_limits=(usage("li", 7),)),),
    )
    key = key_of(snapshot)
    assert [claim.limit.id for claim in key.claims] == ["rk", "lk", "lu", "lw", "lo"]
    assert [claim.limit.scope for claim in key.claims] == ["key", "key", "user", "workspace", "organisation"]
    assert [claim.limit.id for claim in key_of(snapshot, "file-key").claims] == ["lw", "lo"]
    claims = snapshot.workspaces["w1"].targets["claude"].claims
    assert [(claim.limit.id, claim.limit.per_attempt) for claim in claims] == [("lp", True), ("la", True), ("li", True)]


def test_a_limit_that_does_not_hold_yet_is_left_out_until_the_snapshot_is_stale():
    later = datetime(2026, 9, 1, tzinfo=UTC)
    snapshot = compiled(api_keys=(structs.replace(KEY, usage_limits=(usage("lk", 1, effective_from=later),)),))
    assert key_of(snapshot).claims == ()
    assert snapshot.stale_at == later.timestamp()


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"api_keys": (structs.replace(KEY, status="disabled"),)}, "is disabled"),
        (
            {"api_keys": (structs.replace(KEY, kind="workspace-user", user_id="u"),)},
            "belongs to a person who is disabled",
        ),
        (
            {
                "api_keys": (structs.replace(KEY, kind="workspace-user", user_id="u"),),
                "users": (User(id="u", organisation_id="o", email="e@x", status="disabled"),),
            },
            "belongs to a person who is disabled",
        ),
    ],
)
def test_keys_that_are_disabled_or_whose_user_is_gone_open_nothing_and_it_is_known_why(changes, why):
    snapshot = compiled(**changes)
    assert digest_of("text") not in snapshot.keys
    assert snapshot.closed == {digest_of("text"): why}
    assert compiled().closed == {}


def test_a_key_that_is_being_rotated_opens_by_both_texts_each_to_its_own_deadline():
    end = datetime(2026, 8, 21, 10, tzinfo=UTC)
    old = KeyText(digest=digest_of("old").hex(), mask="", created_at=CREATED, expires_at=end)
    snapshot = compiled(api_keys=(structs.replace(KEY, texts=(*KEY.texts, old)),))
    assert (key_of(snapshot).expires_at, key_of(snapshot, "old").expires_at) == (None, end.timestamp())
    soon = datetime(2026, 8, 21, 9, 45, tzinfo=UTC)
    snapshot = compiled(api_keys=(structs.replace(KEY, texts=(*KEY.texts, old), expires_at=soon),))
    assert key_of(snapshot, "old").expires_at == soon.timestamp()


def model(slug, **more):
    return IntegrationModel(id=slug, organisation_id="o", integration_id="i", slug=slug, **more)


def chosen(snapshot, name):
    return choose_target(snapshot, key_of(snapshot), Signals(model=f"@claude/{name}"))


def test_which_models_may_be_used():
    some = (model("claude-one"), model("claude-off", is_enabled=False))
    snapshot = compiled(integration_models=some)
    assert chosen(snapshot, "claude-any").model == "claude-any"
    with pytest.raises(ModelNotAllowed):
        chosen(snapshot, "claude-off")
    snapshot = compiled(integration_models=some, integrations=(structs.replace(MAIN, allow_all_models=False),))
    assert chosen(snapshot, "claude-one").model == "claude-one"
    for name in ("claude-off", "claude-any"):
        with pytest.raises(ModelNotAllowed, match="claude-one"):
            chosen(snapshot, name)


def test_a_custom_model_has_the_facts_of_its_base_and_may_be_served_elsewhere():
    host = {"custom_host": Raw(b'"https://llm.example.org/base"')}
    snapshot = compiled(
        integration_models=(model("house", is_custom=True, base_model_slug="claude-sonnet-4-5", configurations=host),)
    )
    choice = chosen(snapshot, "house")
    assert (choice.target.origin.host, choice.target.base_path) == ("llm.example.org", "/base")
    assert choice.target.base_of("house") == "claude-sonnet-4-5"
    assert chosen(snapshot, "claude-x").target.origin.host == "api.anthropic.com"


def rate(snapshot, name):
    target = snapshot.workspaces["w1"].targets["claude"]
    found = snapshot.prices.find("anthropic", name, NOW.timestamp(), target.price_terms)
    return None if found is None else found.card().input


def test_an_integrations_own_prices_come_first_and_an_unknown_model_has_none():
    pricing = Raw(
        b'{"type":"static","pay_as_you_go":{"request_token":{"price":0.0002},"response_token":{"price":0.001}}}'
    )
    snapshot = compiled(
        integration_models=(
            model("claude-sonnet-4-5", pricing=pricing),
            model("tuned", is_custom=True, is_finetune=True, base_model_slug="claude-opus-4-5"),
            model("house", is_custom=True, base_model_slug="claude-opus-4-5"),
        )
    )
    assert rate(snapshot, "claude-sonnet-4-5") == 2_000_000
    assert rate(snapshot, "tuned") == rate(compiled(), "claude-opus-4-5")
    assert rate(snapshot, "house") is None


def test_defaults_of_key_workspace_and_organisation():
    snapshot = compiled(
        organisations=(
            structs.replace(
                ORGANISATION, defaults=OrganisationDefaults(metadata={"a": "o", "b": "o"}, config_id="pc-o")
            ),
        ),
        workspaces=(structs.replace(DEFAULT, defaults=WorkspaceDefaults(metadata={"a": "w"})), OTHER),
        api_keys=(
            structs.replace(
                KEY, defaults=KeyDefaults(metadata={"a": "k"}, config_id="pc-k", allow_config_override=False)
            ),
        ),
    )
    workspace, key = snapshot.workspaces["w1"], key_of(snapshot)
    assert (dict(workspace.metadata), workspace.config_id) == ({"a": "w", "b": "o"}, "pc-o")
    assert (dict(key.metadata), key.config_id, key.allow_config_override) == ({"a": "k"}, "pc-k", False)


def test_custom_headers_go_along():
    headers = Secret(msgspec.json.encode({"X-Tenant": "acme"}).decode())
    snapshot = compiled(secrets={("i", "key"): Secret("s"), ("i", "custom_headers"): headers})
    assert snapshot.workspaces["w1"].targets["claude"].extra_headers == ((b"x-tenant", b"acme"),)


# ---- configs


def config(slug, text, workspace="w1", **more):
    return Config(id=f"id-{slug}", organisation_id="o", workspace_id=workspace, slug=slug, name=slug, text=text, **more)


def saved(*configs, **changes):
    versions = tuple(
        ConfigVersion(id=f"v-{one.slug}", config_id=one.id, number=1, name=one.name, text=one.text, created_at=CREATED)
        for one in configs
    )
    return compiled(configs=configs, config_versions=versions, **changes)


def test_a_stored_config_belongs_to_its_workspace():
    snapshot = saved(config("pc-a", '{"provider":"@claude"}'), config("pc-b", '{"provider":"@x"}', "w2"))
    assert {id: list(one.configs) for id, one in snapshot.workspaces.items()} == {"w1": ["pc-a"], "w2": ["pc-b"]}
    assert snapshot.workspaces["w1"].configs["id-pc-a@1"].root.pin.slug == "claude"


def test_what_the_file_declares_belongs_to_the_default_workspace_and_wins_there():
    text = (
        FILE
        + """
[configs.pc-a]
provider = "@declared"
[configs.main]
provider = "@declared"
[defaults]
config = "main"
[keys.bot]
key = "bot-key"
config = "pc-a"
allow_config_override = false
"""
    )
    base = compile_snapshot(read_document(text, "t"), Sources(environment={}, providers=load_providers()), Secret, 1)
    stored = config("pc-a", '{"provider":"@claude"}')
    workspaces = (structs.replace(DEFAULT, defaults=WorkspaceDefaults(config_id="pc-a")), OTHER)
    snapshot = compile_estate(structs.replace(ESTATE, configs=(stored,), workspaces=workspaces), base, SOURCES)
    home = snapshot.workspaces["w1"]
    assert home.config_id == "main"
    assert home.configs["pc-a"].root.pin.slug == "declared"
    assert list(snapshot.workspaces["w2"].configs) == []
    key = key_of(snapshot, "bot-key")
    assert (key.config_id, key.allow_config_override) == ("pc-a", False)


def test_a_config_that_does_not_compile_is_refused_when_it_is_saved_and_kept_when_it_was_there():
    good, bad = config("pc-a", '{"provider":"@x"}'), config("pc-a", '{"weight":-1}')
    other = config("pc-b", '{"provider":"@x"}')
    before, after = saved(good, other), saved(bad, other)
    with pytest.raises(ConfigError, match=r"^config pc-a: weight: expected"):
        check_changes(before, after)
    with pytest.raises(ConfigError, match=r"^config pc-a: weight: expected"):
        check_changes(compiled(), after)
    check_changes(after, saved(bad))
    assert after.workspaces["w1"].configs["pc-b"].root.pin.slug == "x"


def test_a_config_may_not_name_a_private_host():
    snapshot = saved(config("pc-a", '{"provider":"openai","custom_host":"http://127.0.0.1:1"}'))
    assert "custom_host: invalid custom host" in snapshot.workspaces["w1"].configs["pc-a"]


@pytest.mark.parametrize(
    "changes",
    [
        {"api_keys": (structs.replace(KEY, defaults=KeyDefaults(config_id="pc-a")),)},
        {"workspaces": (structs.replace(DEFAULT, defaults=WorkspaceDefaults(config_id="pc-a")), OTHER)},
        {"organisations": (structs.replace(ORGANISATION, defaults=OrganisationDefaults(config_id="pc-a")),)},
        {
            "users": (User(id="u", organisation_id="o", email="u@x.y"),),
            "api_keys": (structs.replace(KEY, kind="workspace-user", user_id="u"),),
            "workspaces": (structs.replace(DEFAULT, defaults=WorkspaceDefaults(user_api_key_config="pc-a")), OTHER),
        },
    ],
    ids=["key", "workspace", "organisation", "users"],
)
def test_a_default_config_must_be_there(changes):
    good = config("pc-a", '{"provider":"@x"}')
    check_changes(compiled(), saved(good, **changes))
    with pytest.raises(ConfigError, match="there is no config 'pc-a'"):
        check_changes(compiled(), compiled(**changes))
    check_changes(compiled(**changes), compiled(**changes))


def test_a_default_of_another_workspace_is_not_there():
    theirs = config("pc-a", '{"provider":"@x"}', "w2")
    with pytest.raises(ConfigError, match="there is no config 'pc-a' in the workspace of the key bot"):
        check_changes(
            compiled(), saved(theirs, api_keys=(structs.replace(KEY, defaults=KeyDefaults(config_id="pc-a")),))
        )


def test_the_organisations_default_serves_workspaces_that_have_no_such_config():
    organisation = structs.replace(ORGANISATION, defaults=OrganisationDefaults(config_id="pc-a"))
    snapshot = saved(config("pc-a", '{"provider":"@x"}', "w2"), organisations=(organisation,))
    home, other = snapshot.workspaces["w1"], snapshot.workspaces["w2"]
    assert home.config_id == other.config_id == "pc-a"
    assert home.configs["pc-a"] is other.configs["pc-a"]
    assert list(home.configs) == []


def test_users_keys_have_their_workspaces_config_unless_they_have_one():
    user = User(id="u", organisation_id="o", email="u@x.y")
    workspace = structs.replace(DEFAULT, defaults=WorkspaceDefaults(user_api_key_config="pc-a"))
    own = structs.replace(KEY, kind="workspace-user", user_id="u")
    parts = {"users": (user,), "workspaces": (workspace, OTHER)}
    assert key_of(compiled(api_keys=(own,), **parts)).config_id == "pc-a"
    chosen = structs.replace(own, defaults=KeyDefaults(config_id="pc-b"))
    assert key_of(compiled(api_keys=(chosen,), **parts)).config_id == "pc-b"
    assert key_of(compiled(**parts)).config_id is None


def test_what_is_kept_is_said_by_organisation_workspace_and_key():
    choice = RecordingChoice(mode="metrics_only")
    own = structs.replace(KEY, defaults=KeyDefaults(recording=RecordingChoice(mode="off")))
    plain = compiled()
    assert key_of(plain).recording == plain.workspaces["w1"].recording == Recording()
    organisation = compiled(
        organisations=(structs.replace(ORGANISATION, defaults=OrganisationDefaults(recording=choice)),), api_keys=(own,)
    )
    assert organisation.workspaces["w2"].recording.source == "organisation"
    assert key_of(organisation, "file-key").recording.rules.mode == "metrics_only"
    assert (key_of(organisation).recording.rules.mode, key_of(organisation).recording.source) == ("off", "key")
    switched = compiled(workspaces=(structs.replace(DEFAULT, settings={"debug_log": 0}), OTHER))
    assert key_of(switched).recording.rules.mode == "metrics_only"
    assert switched.workspaces["w2"].recording.rules.mode == "full"


def test_a_workspace_says_whether_bodies_name_users():
    found = compiled(workspaces=(structs.replace(DEFAULT, settings={"user_from_body": 1}), OTHER))
    assert found.workspaces["w1"].takes_user_from_body
    assert not found.workspaces["w2"].takes_user_from_body
