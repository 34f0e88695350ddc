"""The saved configs of a workspace, compiled: those of the operator's file and those that are stored.

A stored one that does not compile keeps its name and says why. Older versions are compiled when somebody asks for one:
most never are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from lockgate.config import ConfigSettings
from lockgate.config.routes import ConfigRules, Node, mask_secrets, read_config
from lockgate.core.json_text import text_of
from lockgate.core.secret import Secret
from lockgate.entities import Config, ConfigVersion
from lockgate.errors import ConfigError, Fault, InvalidConfig
from lockgate.routing.compile import compile_routes
from lockgate.routing.tree import Routes

Found: TypeAlias = Routes | str
"""A compiled config, or why it cannot be used."""

_WIPED = "the credentials in it were wiped when it was deleted; save it again with new ones"


class Text(Struct, frozen=True, kw_only=True):
    """A config as it is written. ``secret`` holds all of it; without one its secrets are gone."""

    slug: str
    version: int = 0
    """0: of the operator's file, which knows no versions."""
    secret: Secret | None


class SavedConfigs(Mapping[str, Found]):
    """What there is by slug, or by id. ``slug@7`` is a version; iterating gives the slugs, newest versions only."""

    def __init__(
        self,
        texts: Mapping[str, Text],
        rules: ConfigRules,
        *,
        versions: Mapping[tuple[str, int], Text] | None = None,
        slugs: Mapping[str, str] | None = None,
    ) -> None:
        """``slugs`` are by the id of the config."""
        self._texts: Mapping[str, Text] = texts
        self._versions = versions or {}
        self._slugs = slugs or {}
        self._rules = rules
        self._compiled = {slug: compile_text(text, rules) for slug, text in texts.items()}
        self._pinned: dict[tuple[str, int], Found] = {}
        self._lent: Mapping[str, Found] = {}

    def __getitem__(self, name: str) -> Found:
        """Return the config. Raises KeyError."""
        found = self._compiled.get(name) or self._lent.get(name)
        if found is not None:
            return found
        start, at, number = name.partition("@")
        slug = self._slugs.get(start, start)
        if not at:
            return self._compiled[slug]
        place = slug, _number(number)
        if place not in self._pinned:
            self._pinned[place] = compile_text(self._versions[place], self._rules)
        return self._pinned[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def declared(self) -> Mapping[str, bytes]:
        """Return what the operator's file holds, by slug: JSON with its secrets masked."""
        return {
            slug: mask_secrets(text.secret.reveal().encode())
            for slug, text in self._texts.items()
            if not text.version and text.secret is not None
        }

    def joined(self, stored: SavedConfigs) -> SavedConfigs:
        """Return these, with those of another under the names that are free. The rules are the other's."""
        joined = SavedConfigs({}, stored._rules, versions=stored._versions, slugs=stored._slugs)
        joined._texts = {**stored._texts, **self._texts}
        joined._compiled = {**stored._compiled, **self._compiled}
        return joined

    def borrowing(self, name: str, found: Found) -> SavedConfigs:
        """Return these, with one more that belongs to another workspace and is not counted here."""
        more = SavedConfigs({}, self._rules, versions=self._versions, slugs=self._slugs)
        more._texts, more._compiled = self._texts, self._compiled
        more._lent = {**self._lent, name: found}
        return more


NO_CONFIGS = SavedConfigs({}, ConfigRules(providers=frozenset()))


def compile_declared(configs: Mapping[str, ConfigSettings], providers: Iterable[str]) -> SavedConfigs:
    """Compile what the operator's file holds. Raises ConfigError that names the entry and all that is wrong in it."""
    rules = ConfigRules(providers=frozenset(providers), is_saved=True)
    texts = {}
    for name, settings in configs.items():
        try:
            compile_routes(read_config(settings.text, rules), name, is_saved=True)
        except InvalidConfig as error:
            raise ConfigError(_told(name, error.faults)) from None
        texts[name] = Text(slug=name, secret=Secret(settings.text.decode()))
    return SavedConfigs(texts, rules)


def compile_stored(
    configs: Iterable[Config],
    versions: Iterable[ConfigVersion],
    secrets: Mapping[tuple[str, str], Secret],
    rules: ConfigRules,
) -> SavedConfigs:
    """Compile the configs of one workspace. Raises nothing: what is wrong with one is its value."""
    slugs = {config.id: config.slug for config in configs if config.status == "active"}
    found = {
        (slugs[one.config_id], one.number): Text(
            slug=slugs[one.config_id],
            version=one.number,
            secret=secrets.get((one.config_id, one.secret_field)) if one.secret_field else Secret(one.text),
        )
        for one in versions
        if one.config_id in slugs
    }
    newest = {slug: text for (slug, _), text in sorted(found.items())}
    return SavedConfigs(newest, rules, versions=found, slugs=slugs)


def compile_text(text: Text, rules: ConfigRules) -> Found:
    """Compile one, or say what is wrong with it."""
    if text.secret is None:
        return _WIPED
    try:
        config = read_config(text.secret.reveal().encode(), rules)
    except InvalidConfig as error:
        return "; ".join(f"{fault.path}: {fault.what}" if fault.path else fault.what for fault in error.faults)
    return compile_routes(config, text.slug, version=text.version)


def named_providers(root: Node) -> dict[str, list[str]]:
    """Return the slugs of the provider records that a config names, each with the paths where it does."""
    found: dict[str, list[str]] = {}
    left = [("", root)]
    while left:
        path, node = left.pop()
        for key, slug in _slugs(node):
            found.setdefault(slug, []).append(path + key)
        left += reversed([(f"{path}targets.{at}.", child) for at, child in enumerate(node.targets or ())])
    return found


def check_providers(root: Node, slugs: Iterable[str]) -> list[Fault]:
    """Return a fault for each place that names a provider record which is not there."""
    known = frozenset(slugs)
    missing = {slug: paths for slug, paths in named_providers(root).items() if slug not in known}
    shown = ", ".join("@" + slug for slug in sorted(known)) or "none"
    what = "there is no provider @{} in this workspace; providers here: {}"
    return [Fault(path, what.format(slug, shown)) for slug, paths in missing.items() for path in paths]


def _slugs(node: Node) -> Iterator[tuple[str, str]]:
    if node.virtual_key is not None:
        yield "virtual_key", node.virtual_key.removeprefix("@")
    if node.provider is not None and node.provider.startswith("@"):
        yield "provider", node.provider[1:]
    model = text_of((node.override_params or {}).get("model")) or ""
    slug, slash, _ = model.removeprefix("@").partition("/")
    # beside a provider's own name this is a model of that provider: some begin with @
    if model.startswith("@") and slash and (node.provider is None or node.provider.startswith("@")):
        yield "override_params.model", slug


def _number(text: str) -> int:
    """Return the number of a version, -1 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and text[0] != "0" and len(text) < 10 else -1


def _told(name: str, faults: Iterable[Fault]) -> str:
    places = [(f"configs.{name}.{fault.path}" if fault.path else f"configs.{name}", fault.what) for fault in faults]
    return "; ".join(f"{place}: {what}" for place, what in places)
