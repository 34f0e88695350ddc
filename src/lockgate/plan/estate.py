"""From what the control plane keeps to a snapshot: on top of what the file and the environment say.

What an operator's file declares wins over what is stored under the same name. A stored thing that does not compile any
more, such as one whose environment variable is gone, is kept with its trouble: the others must serve on. Whoever
changes something is told by ``check_changes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches

import msgspec
from msgspec import Raw, Struct, structs

from lockgate.catalog.prices import LIST_PRICE
from lockgate.catalog.prices_book import ModelTerms, PriceTerms
from lockgate.catalog.prices_terms import read_multipliers, read_pricing_config
from lockgate.config.routes import ConfigRules
from lockgate.core.http import Origin, Timeouts
from lockgate.core.limits import Claim
from lockgate.core.metadata import merge
from lockgate.core.secret import Secret
from lockgate.entities import (
    ApiKey,
    Config,
    ConfigVersion,
    Estate,
    Integration,
    IntegrationModel,
    Organisation,
    ProviderRecord,
    SecretReference,
    User,
    WorkspaceAccess,
)
from lockgate.entities import Workspace as StoredWorkspace
from lockgate.entities.entity import NULL
from lockgate.entities.secret_fields import CUSTOM_HEADERS, KEY
from lockgate.errors import ConfigError, GatewayError
from lockgate.plan.compile import ReadSecret, auth_headers, extra_headers, split_base_url
from lockgate.plan.configs import SavedConfigs, compile_stored
from lockgate.plan.limits import claims_of, holds
from lockgate.plan.policies import compile_policies
from lockgate.plan.recording import narrowed, with_switch
from lockgate.plan.snapshot import CustomModel, GatewayKey, Snapshot, Target, Workspace
from lockgate.ports import HostGuard
from lockgate.providers import BearerAuth, Endpoint, Provider

_CUSTOM_HOST = "custom_host"
_MANAGERS = {"env": "env", "file": "file"}


class EstateSources(Struct, frozen=True, kw_only=True):
    """What compiling an estate needs beside it."""

    providers: Mapping[str, Provider]
    read_secret: ReadSecret
    guard: HostGuard
    """Judges hosts that somebody stored through the API."""
    timeouts: Timeouts
    now: datetime


def compile_estate(estate: Estate, base: Snapshot, sources: EstateSources) -> Snapshot:
    """Put an estate beneath ``base``, which holds what file and environment declare. Raises nothing of its own."""
    return _Compiler(estate, base, sources).run()


def check_changes(old: Snapshot, new: Snapshot) -> None:
    """Raise ConfigError for a target or config of ``new`` that is in trouble and was not so in ``old``, and for a
    default config that is not there."""
    for id, workspace in new.workspaces.items():
        before = old.workspaces.get(id)
        for slug, target in workspace.targets.items():
            was = before.targets.get(slug) if before is not None else None
            if target.trouble is not None and not target.is_withheld and (was is None or was.trouble is None):
                raise ConfigError(f"@{slug}: {target.trouble}")
        for slug, config in workspace.configs.items():
            old_config = before.configs.get(slug) if before is not None else None
            if isinstance(config, str) and not isinstance(old_config, str):
                raise ConfigError(f"config {slug}: {config}")
    missing = _missing_defaults(new) - _missing_defaults(old)
    if missing:
        # a workspace's default is its people's keys' too: the workspace is whom to tell of
        path, owner, name = min(missing, key=lambda one: (one[1].startswith("of the key "), one))
        raise ConfigError(
            f"{path}: there is no config {name!r} in the workspace {owner}; make it first, or leave it out"
        )
    _check_key_providers(old, new)


def missing_of_declared(snapshot: Snapshot) -> list[str]:
    """Tell which keys of the file are restricted to providers that are not there: such a key opens less than somebody
    thought, never more."""
    return [
        f"keys.{key.name}.providers: there is no provider {slug!r} yet"
        for key in snapshot.keys.values()
        if key.source is not None
        for slug in sorted(key.providers - snapshot.workspace_of(key).targets.keys())
    ]


def _check_key_providers(old: Snapshot, new: Snapshot) -> None:
    """Raise ConfigError for a key that was restricted to a provider that is not there.

    The name of a vendor may be named before there is a provider: the gateway's environment can bring one.
    """
    before = {key.id: key.providers for key in old.keys.values()}
    vendors = {name for name, raw in new.raw_targets.items() if raw.provider.credential_env}
    for key in new.keys.values():
        added = key.providers - before.get(key.id, frozenset())
        if not added:
            continue
        targets = new.workspace_of(key).targets
        for slug in sorted(added - targets.keys() - vendors):
            known = targets.keys() | vendors
            near = get_close_matches(slug, sorted(known), n=1, cutoff=0.75)
            hint = f"did you mean {near[0]!r}?" if near else f"it may be one of: {_listed(known)}"
            raise ConfigError(
                f"providers: there is no provider {slug!r} in the workspace of the key {key.name}; {hint}"
            )


def _missing_defaults(snapshot: Snapshot) -> frozenset[tuple[str, str, str]]:
    """Return who has a config by default that is not there: the field that names it, who, and its name."""
    named: list[tuple[str, str, Workspace, str | None]] = []
    for one in snapshot.workspaces.values():
        named.append(("defaults.config_id", one.slug, one, one.config_id))
        named.append(("defaults.user_api_key_config", one.slug, one, one.user_key_config_id))
    named += [
        ("defaults.config_id", f"of the key {key.name}", snapshot.workspace_of(key), key.config_id)
        for key in snapshot.keys.values()
    ]
    return frozenset(
        (path, who, name) for path, who, place, name in named if name is not None and name not in place.configs
    )


def compile_integration(estate: Estate, base: Snapshot, sources: EstateSources, integration: Integration) -> Target:
    """Return what an integration leads to, whoever may use it. Raises ConfigError for what does not compile."""
    return _Compiler(estate, base, sources).integration(integration)


class _Withheld(ConfigError):
    """Somebody decided that a provider should not serve."""


class _Compiler:
    def __init__(self, estate: Estate, base: Snapshot, sources: EstateSources) -> None:
        self._estate = estate
        self._base = base
        self._sources = sources
        self._now = sources.now
        self._integrations = {one.id: one for one in estate.integrations}
        self._organisations = {one.id: one for one in estate.organisations}
        self._workspaces = {one.id: one for one in estate.workspaces}
        self._users = {one.id: one for one in estate.users}
        self._references = {one.id: one for one in estate.secret_references}
        self._models = _grouped(estate.integration_models)
        self._access = {(one.integration_id, one.workspace_id): one for one in estate.workspace_access}
        self._led_to: dict[str, Target] = {}
        """What integrations lead to, by their id: several providers may share one."""
        self._stale_at: float | None = None

    def run(self) -> Snapshot:
        default = next((one.id for one in self._estate.workspaces if one.is_default), self._base.default_workspace)
        declared = self._base.workspaces[self._base.default_workspace]
        targets: dict[str, dict[str, Target]] = {one.id: {} for one in self._estate.workspaces}
        for record in self._estate.providers:
            if record.status == "active" and record.workspace_id in targets:
                targets[record.workspace_id][record.slug] = self._target(record)
        own = targets.setdefault(default, {})
        own.update(
            {
                slug: structs.replace(target, workspace=default)
                for slug, target in declared.targets.items()
                # the simulator stands in only where there is nothing real
                if not (target.is_simulated and slug in own)
            }
        )
        configs = self._configs(targets, default)
        workspaces = {id: self._workspace(id, found, configs[id]) for id, found in targets.items()}
        if declared.config_id is not None:
            workspaces[default] = structs.replace(workspaces[default], config_id=declared.config_id)
        home = self._workspaces.get(default)
        organisation = home.organisation_id if home is not None else ""
        keys = {
            digest: structs.replace(
                key,
                workspace=default,
                organisation=organisation,
                claims=(*key.claims, *workspaces[default].claims),
                recording=narrowed(workspaces[default].recording, key.choice, "key"),
            )
            for digest, key in self._base.keys.items()
        }
        stored = {digest: key for one in self._estate.api_keys for digest, key in self._keys(one, workspaces, default)}
        return structs.replace(
            self._base,
            workspaces=workspaces,
            default_workspace=default,
            keys={**stored, **keys},
            closed={digest: why for one in self._estate.api_keys for digest, why in self._closed(one)},
            stale_at=self._stale_at,
        )

    def _configs(self, workspaces: Iterable[str], default: str) -> dict[str, SavedConfigs]:
        """Compile the configs of each workspace; what the file declares belongs to the default one and wins."""
        rules = ConfigRules(providers=frozenset(self._sources.providers), judge_host=self._judge_host)
        by_workspace: dict[str, list[Config]] = {}
        for one in self._estate.configs:
            by_workspace.setdefault(one.workspace_id, []).append(one)
        versions: dict[str, list[ConfigVersion]] = {}
        for version in self._estate.config_versions:
            versions.setdefault(version.config_id, []).append(version)
        found = {}
        for id in workspaces:
            own = by_workspace.get(id, [])
            theirs = [version for one in own for version in versions.get(one.id, ())]
            found[id] = compile_stored(own, theirs, self._estate.secrets, rules)
        declared = self._base.workspaces[self._base.default_workspace].configs
        found[default] = declared.joined(found[default])
        return {id: self._with_default(id, own, found) for id, own in found.items()}

    def _with_default(self, id: str, own: SavedConfigs, everywhere: Mapping[str, SavedConfigs]) -> SavedConfigs:
        """Let a workspace use the organisation's default config, which may belong to another one."""
        stored = self._workspaces.get(id)
        organisation = self._organisations.get(stored.organisation_id) if stored is not None else None
        name = organisation.defaults.config_id if organisation is not None else None
        if organisation is None or name is None or name in own:
            return own
        for other, configs in everywhere.items():
            owner = self._workspaces.get(other)
            if owner is not None and owner.organisation_id == organisation.id and name in configs:
                return own.borrowing(name, configs[name])
        return own

    def _judge_host(self, url: str) -> None:
        self._sources.guard(url, self._base.trusted_hosts)

    # ---- who calls

    def _workspace(self, id: str, targets: Mapping[str, Target], configs: SavedConfigs) -> Workspace:
        stored = self._workspaces.get(id)
        base = self._base.workspaces[self._base.default_workspace].recording
        takes_user = self._base.workspaces[self._base.default_workspace].takes_user_from_body
        is_saved_only = self._base.workspaces[self._base.default_workspace].is_saved_only
        if stored is None:
            return Workspace(
                id=id,
                slug=id,
                targets=targets,
                configs=configs,
                recording=base,
                takes_user_from_body=takes_user,
                is_saved_only=is_saved_only,
            )
        organisation = self._organisations.get(stored.organisation_id)
        defaults = organisation.defaults if organisation is not None else None
        return Workspace(
            id=id,
            slug=stored.slug,
            targets=targets,
            policies=compile_policies(
                (one for one in self._estate.usage_policies if one.workspace_id == id),
                (one for one in self._estate.rate_policies if one.workspace_id == id),
                self._now,
            ),
            claims=self._workspace_claims(stored, organisation),
            metadata=merge(stored.defaults.metadata, defaults.metadata if defaults else {}),
            config_id=stored.defaults.config_id or (defaults.config_id if defaults else None),
            user_key_config_id=stored.defaults.user_api_key_config,
            is_saved_only=is_saved_only or (organisation is not None and organisation.block_inline_config),
            configs=configs,
            recording=narrowed(
                narrowed(base, defaults.recording if defaults else None, "organisation"),
                with_switch(stored.defaults.recording, stored.settings),
                "workspace",
            ),
            takes_user_from_body=bool(stored.settings.get("user_from_body", takes_user)),
        )

    def _workspace_claims(self, stored: StoredWorkspace, organisation: Organisation | None) -> tuple[Claim, ...]:
        claims = self._claims(stored, "workspace", stored.name)
        return (*claims, *self._claims(organisation, "organisation", organisation.name)) if organisation else claims

    def _keys(
        self, key: ApiKey, workspaces: Mapping[str, Workspace], default: str
    ) -> Iterable[tuple[bytes, GatewayKey]]:
        """Return a key once for each text that opens, with the digest of that."""
        workspace = workspaces.get(key.workspace_id or default)
        user = self._users.get(key.user_id) if key.user_id else None
        if key.status != "active" or workspace is None or (key.user_id and not _is_active(user)):
            return
        claims = self._claims(key, "key", key.name)
        config_id = key.defaults.config_id
        if user is not None:
            stored = self._workspaces.get(workspace.id)
            config_id = config_id or (stored.defaults.user_api_key_config if stored is not None else None)
            claims = (*claims, *self._claims(user, "user", user.email))
        for text in key.texts:
            end = key.end_of(text)
            yield (
                bytes.fromhex(text.digest),
                GatewayKey(
                    id=key.id,
                    name=key.name,
                    kind=key.kind,
                    organisation=key.organisation_id,
                    workspace=workspace.id,
                    user=key.user_id,
                    scopes=frozenset(key.scopes),
                    expires_at=end.timestamp() if end is not None else None,
                    providers=frozenset(key.providers),
                    claims=(*claims, *workspace.claims),
                    metadata=key.defaults.metadata,
                    config_id=config_id,
                    allow_config_override=key.defaults.allow_config_override,
                    recording=narrowed(workspace.recording, key.defaults.recording, "key"),
                    alert_emails=key.alert_emails,
                ),
            )

    def _closed(self, key: ApiKey) -> Iterable[tuple[bytes, str]]:
        """Return why a key does not open that somebody closed, for each of its texts."""
        if key.status != "active":
            why = "is disabled"
        elif key.user_id and not _is_active(self._users.get(key.user_id)):
            why = "belongs to a person who is disabled"
        else:
            return
        yield from ((bytes.fromhex(text.digest), why) for text in key.texts)

    # ---- who serves

    def _target(self, record: ProviderRecord) -> Target:
        integration = self._integrations[record.integration_id]
        try:
            return self._compile(record, integration)
        except GatewayError as error:
            return _in_trouble(record, integration, self._sources.providers.get(integration.provider), error)

    def integration(self, integration: Integration) -> Target:
        """Return what an integration leads to, without the name and limits of a provider."""
        provider = self._sources.providers.get(integration.provider)
        if provider is None:
            raise ConfigError(f"unknown provider {integration.provider!r}; known: {_listed(self._sources.providers)}")
        secret = self._secret(integration, KEY)
        if secret is None and provider.needs_credential:
            raise ConfigError(f"integration {integration.slug!r} has no key")
        origin, base_path = self._place(_text(integration.configurations.get(_CUSTOM_HOST)), provider)
        auth, also = auth_headers(provider, secret)
        models = [one for one in self._models.get(integration.id, ()) if one.status == "active"]
        enabled = frozenset(one.slug for one in models if one.is_enabled)
        return Target(
            provider=provider,
            origin=origin,
            base_path=base_path,
            secret=secret,
            auth_headers=auth,
            auth_also=also,
            extra_headers=self._headers(integration),
            models=None if integration.allow_all_models else enabled,
            denied=frozenset(one.slug for one in models if not one.is_enabled),
            customs={one.slug: self._custom(one, provider) for one in models if one.is_custom and one.is_enabled},
            timeouts=self._sources.timeouts,
            integration=integration.slug,
            price_terms=_terms(integration, models),
        )

    def _compile(self, record: ProviderRecord, integration: Integration) -> Target:
        access = self._leave(record, integration)
        target = self._led_to.get(integration.id)
        if target is None:
            target = self._led_to[integration.id] = self.integration(integration)
        return structs.replace(
            target,
            slug=record.slug,
            workspace=record.workspace_id,
            claims=self._target_claims(record, integration, access),
            expires_at=record.expires_at.timestamp() if record.expires_at is not None else None,
        )

    def _leave(self, record: ProviderRecord, integration: Integration) -> WorkspaceAccess | None:
        """Return the workspace's leave to use an integration. Raises ConfigError when it has none."""
        if integration.status != "active":
            raise _Withheld(f"integration {integration.slug!r} is {integration.status}")
        if integration.workspace_id is not None:
            if integration.workspace_id != record.workspace_id:
                raise ConfigError(f"integration {integration.slug!r} belongs to another workspace")
            return None
        access = self._access.get((integration.id, record.workspace_id))
        if access is None or not access.is_enabled:
            raise _Withheld(f"this workspace has no access to integration {integration.slug!r}")
        return access

    def _target_claims(
        self, record: ProviderRecord, integration: Integration, access: WorkspaceAccess | None
    ) -> tuple[Claim, ...]:
        claims = self._claims(record, "provider", record.slug, per_attempt=True)
        if access is not None:
            claims = (*claims, *self._claims(access, "integration", integration.slug, per_attempt=True))
        return (*claims, *self._claims(integration, "integration", integration.slug, per_attempt=True))

    def _claims(
        self,
        owner: ApiKey | User | StoredWorkspace | Organisation | ProviderRecord | WorkspaceAccess | Integration,
        scope: str,
        name: str,
        *,
        per_attempt: bool = False,
    ) -> tuple[Claim, ...]:
        for limit in owner.usage_limits:
            if limit.effective_from is not None and not holds(limit, self._now):
                at = limit.effective_from.timestamp()
                self._stale_at = at if self._stale_at is None else min(self._stale_at, at)
        return claims_of(
            owner.usage_limits,
            owner.rate_limits,
            scope=scope,
            name=name,
            created_at=owner.created_at,
            now=self._now,
            per_attempt=per_attempt,
        )

    def _place(self, url: str | None, provider: Provider) -> tuple[Origin, str]:
        """Return where a provider is reached: at its own address, or at a host that passes the guard."""
        if url is None:
            if provider.base_url is None:
                raise ConfigError(f"a provider of type {provider.name} needs custom_host")
            return split_base_url(provider.base_url, f"provider {provider.name}")
        _, path = split_base_url(url, _CUSTOM_HOST)
        return self._sources.guard(url, self._base.trusted_hosts), path

    def _custom(self, model: IntegrationModel, provider: Provider) -> CustomModel:
        url = _text(model.configurations.get(_CUSTOM_HOST))
        headers = _read_headers(self._estate.secrets.get((model.id, CUSTOM_HEADERS)))
        if url is None:
            return CustomModel(base_model=model.base_model_slug, extra_headers=headers)
        origin, path = self._place(url, provider)
        return CustomModel(base_model=model.base_model_slug, origin=origin, base_path=path, extra_headers=headers)

    def _headers(self, integration: Integration) -> tuple[tuple[bytes, bytes], ...]:
        return _read_headers(self._secret(integration, CUSTOM_HEADERS))

    def _secret(self, integration: Integration, field: str) -> Secret | None:
        """Find a secret: stored here, kept elsewhere by reference, or mapped to a secret reference."""
        stored = self._estate.secrets.get((integration.id, field))
        if stored is not None:
            return stored
        reference = integration.references.get(field)
        if reference is not None:
            return self._sources.read_secret(reference)
        mapping = next((m for m in integration.secret_mappings if m.target_field == field), None)
        if mapping is None:
            return None
        kept = self._references.get(mapping.secret_reference_id)
        if kept is None:
            raise ConfigError(f"the secret reference of {field} is gone")
        return self._sources.read_secret(_place_of(kept, mapping.secret_key))


def _read_headers(secret: Secret | None) -> tuple[tuple[bytes, bytes], ...]:
    """Read custom headers, which are stored as one secret. Raises ConfigError."""
    if secret is None:
        return ()
    try:
        headers = msgspec.json.decode(secret.reveal(), type=dict[str, str])
    except msgspec.MsgspecError:
        raise ConfigError("custom_headers is not an object of texts") from None
    return extra_headers(headers, CUSTOM_HEADERS)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _place_of(kept: SecretReference, secret_key: str | None) -> str:
    """Return a secret reference in the short form. Raises ConfigError for managers that cannot be asked."""
    scheme = _MANAGERS.get(kept.manager)
    if scheme is None:
        raise ConfigError(f"secret manager {kept.manager} of {kept.slug!r} is not available in this version")
    if secret_key or kept.secret_key:
        raise ConfigError(f"secrets of {kept.manager} hold one value; {kept.slug!r} names a key in it")
    return f"{scheme}:{kept.secret_path}"


def _in_trouble(
    record: ProviderRecord, integration: Integration, provider: Provider | None, error: GatewayError
) -> Target:
    """Return a target that keeps its name and says why it cannot serve."""
    return Target(
        provider=provider
        or Provider(name=integration.provider, title="", dialect="", auth=BearerAuth(), chat=Endpoint("")),
        origin=Origin(scheme="https", host="", port=443),
        base_path="",
        slug=record.slug,
        workspace=record.workspace_id,
        integration=integration.slug,
        trouble=error.message,
        is_withheld=isinstance(error, _Withheld),
    )


def _terms(integration: Integration, models: Sequence[IntegrationModel]) -> PriceTerms:
    """Return what an integration says about prices. Raises ConfigError for what is no price."""
    try:
        adjusted = integration.pricing_adjustments
        return PriceTerms(
            models={one.slug: _model_terms(one) for one in models if one.pricing != NULL or one.is_custom},
            multipliers=read_multipliers(bytes(adjusted)) if adjusted != NULL else LIST_PRICE,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _model_terms(model: IntegrationModel) -> ModelTerms:
    """Return a model's own price; without one a fine-tuned model costs what the one does that it comes from."""
    if model.pricing != NULL:
        return read_pricing_config(bytes(model.pricing)).terms
    return ModelTerms(base_model=model.base_model_slug if model.is_finetune else None, is_custom=model.is_custom)


def _is_active(user: User | None) -> bool:
    return user is not None and user.status == "active"


def _grouped(models: Iterable[IntegrationModel]) -> Mapping[str, list[IntegrationModel]]:
    found: dict[str, list[IntegrationModel]] = {}
    for model in models:
        found.setdefault(model.integration_id, []).append(model)
    return found


def _text(raw: Raw | None) -> str | None:
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=str) or None
    except msgspec.MsgspecError:
        return None
