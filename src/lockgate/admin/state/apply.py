"""Making a document so: part for part in one transaction, so that all of it holds or nothing.

A plan does the same and undoes it, so that it finds every fault that applying would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import msgspec
from msgspec import Struct

from lockgate.admin.call import Call
from lockgate.admin.state.document import StateDocument
from lockgate.admin.state.export import export_state
from lockgate.admin.state.names import Names, names_in, names_of, unknown_names
from lockgate.admin.state.normal import Normaliser
from lockgate.admin.state.steps import (
    PARTS,
    Ids,
    Name,
    Part,
    Step,
    create_step,
    delete_step,
    entries,
    found_by_id,
    part_of,
    shown,
    update_step,
)
from lockgate.admin.state.text import Keys, keys_of, path_of
from lockgate.admin.state.unread import unread_references
from lockgate.config.converting import Flaw
from lockgate.entities import (
    ApiKey,
    Config,
    Integration,
    ProviderRecord,
    RatePolicy,
    SecretReference,
    UsagePolicy,
    Workspace,
)
from lockgate.errors import Conflict, GatewayError, InvalidConfig, InvalidDocument, InvalidRequest, PlacedFault
from lockgate.store.reading import Reading
from lockgate.store.transaction import Transaction


class Wish(Struct, frozen=True, kw_only=True):
    """How to apply."""

    document: StateDocument
    prune: bool = False
    """Whether what a part does not name is deleted."""
    force: bool = False
    """Whether it is deleted though others name it."""
    line_of: Callable[[Keys], int | None] = lambda _: None
    """In which line something stands, where the document came as text."""


class KeyOfState(Struct, frozen=True, kw_only=True):
    """A key that was made, with its text, which is told this once."""

    id: str
    name: str
    workspace: str | None
    key: str


class Outcome(Struct, frozen=True, kw_only=True):
    """What was done, or would be."""

    steps: list[Step]
    keys: list[KeyOfState]


_MANAGING = "organisation_service_api_keys.create"
"""The scope with which keys of all scopes can be made again."""


_NOT_THEIRS = 500
"""Statuses from here on say that the document is not to blame."""


class _Undo(Exception):
    """Ends the transaction of a plan."""


def apply(call: Call[Any, Any], wish: Wish) -> Outcome:
    """Make the document so. Raises InvalidDocument with all that is wrong; then nothing has changed."""
    with call.change() as tx:
        return _Run(call, tx, wish).run()


def plan(call: Call[Any, Any], wish: Wish) -> Outcome:
    """Return what applying would do, having tried all of it."""
    outcome: Outcome | None = None
    try:
        with call.change() as tx:
            outcome = _Run(call, tx, wish).run()
            call.check(tx.estate())
            raise _Undo
    except _Undo:
        assert outcome is not None
    return Outcome(steps=outcome.steps, keys=[])


class _Run:
    def __init__(self, call: Call[Any, Any], tx: Transaction, wish: Wish) -> None:
        self._call = call
        self._tx = tx
        self._wish = wish
        references = {each.id: each.slug for each in tx.all(SecretReference)}
        today: date = call.now.date()
        self._normal = Normaliser(today, references)
        self._keys: list[KeyOfState] = []
        self._refused: list[tuple[GatewayError, list[PlacedFault]]] = []
        self._failed: set[str] = set()
        """Slugs and names of entries with a fault: what names one of them is not looked at."""

    def run(self) -> Outcome:
        managers = self._managers()
        steps = [step for part in PARTS for step in self._make_and_change(part)]
        if self._wish.prune and not self._refused:
            steps += [step for part in reversed(PARTS) for step in self._delete(part)]
        if not self._refused:
            with self._collecting():
                self._check_managers(managers)
        self._raise_all()
        self._call.warnings += unread_references(self._wish.document, self._call.services.environment)
        lost = [step.name for step in steps if (step.part, step.action) == ("keys", "delete")]
        if lost:
            self._call.warnings.append(
                f"who calls with a key that is deleted is refused from then on: {', '.join(lost)}"
            )
        return Outcome(steps=steps, keys=self._keys)

    def _managers(self) -> list[str]:
        """Return the names of stored keys with which the organisation's keys can be managed now."""
        return [
            key.name
            for key in self._tx.all(ApiKey, kind="organisation-service", status="active")
            if _MANAGING in key.scopes and (key.expires_at is None or key.expires_at > self._call.now)
        ]

    def _check_managers(self, before: list[str]) -> None:
        """Refuse what would lock everybody out of the API. Raises Conflict."""
        if not before or self._managers():
            return
        declared = self._call.services.snapshot().keys.values()
        if any(key.kind == "organisation-service" and key.source is not None for key in declared):
            return
        raise Conflict(
            f"keys {', '.join(before)}: without it no key would manage the organisation any more, so it must stay; "
            "name it in the document with its scopes, as lockgate export writes them, or leave keys out of the document"
        )

    def _make_and_change(self, part: Part) -> Iterator[Step]:
        given = getattr(self._wish.document, part.name)
        if not given:
            return
        current = entries(export_state(self._tx), part)
        ids = ids_of(self._tx)
        known = names_of(self._tx, self._wish.document, self._call.services.snapshot())
        seen: set[Name] = set()
        for i, entry in enumerate(given):
            if names_in(entry) & self._failed:
                continue
            steps: list[Step] = []
            with self._collecting((part.name, str(i)), entry, known):
                name = next(iter(found_by_id({part.known_by(entry): entry}, part, ids)))
                if name in seen:
                    raise InvalidRequest(f"{part.name}[{i}]: {shown(name)} stands there twice")
                seen.add(name)
                old = current.get(name)
                normal = self._normal(entry, old, f"{part.name}[{i}]")
                if old is None:
                    step: Step | None = create_step(part, name, normal)
                else:
                    step = update_step(part, name, old, normal, ids[part.name, name])
                if step is not None:
                    self._do(step)
                    steps.append(step)
            yield from steps

    @contextmanager
    def _collecting(self, at: Keys = (), entry: Any = None, known: Names | None = None) -> Iterator[None]:
        """Undo what was done for an entry when it is refused, keep why, and go on with the next."""
        try:
            with self._tx.attempt():
                yield
        except GatewayError as error:
            if error.status >= _NOT_THEIRS:
                raise
            self._refused.append((error, self._placed(error, at, entry, known)))
            if entry is not None:
                self._failed.add(getattr(entry, "slug", None) or entry.name)

    def _placed(self, error: GatewayError, at: Keys, entry: Any, known: Names | None) -> list[PlacedFault]:
        """Return what is wrong in an entry, one fault for each name that nobody knows and for each part of a config."""
        found = unknown_names(entry, known) if known is not None else []
        if isinstance(error, InvalidConfig):
            found += [Flaw(("config", *filter(None, fault.path.split("."))), fault.what) for fault in error.faults]
        if not found:
            keys = at if error.path is None else (*at, *keys_of(error.path.removeprefix(path_of(at))))
            return [PlacedFault("", error.message, self._wish.line_of(keys) if at else None)]
        name = f"{at[0]} {shown(part_of(at[0]).known_by(entry))}"
        return [
            PlacedFault("", f"{name}: {path_of(one.keys)}: {one.what}", self._wish.line_of((*at, *one.keys)))
            for one in found
        ]

    def _raise_all(self) -> None:
        faults = [fault for _, some in self._refused for fault in some]
        if len(faults) > 1:
            raise InvalidDocument(faults)
        for error, some in self._refused:
            error.message = str(some[0])
            raise error

    def _delete(self, part: Part) -> Iterator[Step]:
        if getattr(self._wish.document, part.name) is None:
            return
        ids = ids_of(self._tx)
        wanted = found_by_id(entries(self._wish.document, part), part, ids)
        kept = _kept(self._tx, part)
        for name, entry in entries(export_state(self._tx), part).items():
            if name in wanted or name in kept:
                continue
            steps: list[Step] = []
            with self._collecting():
                if ids[part.name, name] == self._call.principal.key.id:
                    raise Conflict(f"{part.name} {shown(name)}: is the key of this request; name it in the document")
                step = delete_step(part, name, entry, ids[part.name, name], force=self._wish.force)
                self._do(step)
                steps.append(step)
            yield from steps

    def _do(self, step: Step) -> None:
        for operation in step.operations:
            try:
                reply = self._call.perform(self._tx, operation.method, operation.path, operation.body)
            except GatewayError as error:
                error.message = f"{step.part} {step.name}: {error.message}"
                raise
            if step.part == "keys" and step.action == "create":
                self._keys.append(_new_key(step, reply))


def _new_key(step: Step, reply: Any) -> KeyOfState:
    made = msgspec.to_builtins(reply)
    workspace, _, name = step.name.rpartition("/")
    return KeyOfState(id=made["id"], key=made["key"], name=name, workspace=workspace or None)


def ids_of(view: Reading) -> Ids:
    """Return the ids of what there is, under the names by which an export knows it."""
    workspaces = {each.id: each.slug for each in view.all(Workspace)}
    found: dict[tuple[str, Name], str] = {("workspaces", (slug,)): id for id, slug in workspaces.items()}
    found |= {("integrations", (each.slug,)): each.id for each in view.all(Integration)}
    found |= {("secret_references", (each.slug,)): each.id for each in view.all(SecretReference)}
    found |= {("configs", (each.slug,)): each.id for each in view.all(Config)}
    providers = view.all(ProviderRecord)
    found |= {("providers", (workspaces.get(each.workspace_id, ""), each.slug)): each.id for each in providers}
    keys = view.all(ApiKey, kind=["organisation-service", "workspace-service"])
    for part, things in (
        ("keys", keys),
        ("usage_policies", view.all(UsagePolicy)),
        ("rate_policies", view.all(RatePolicy)),
    ):
        names = [(workspaces.get(each.workspace_id or "", ""), each.name) for each in things]
        counts = Counter(names)
        for each, name in zip(things, names, strict=True):
            found[part, name if counts[name] == 1 else (*name, each.id)] = each.id
    return found


def _kept(view: Reading, part: Part) -> set[Name]:
    """Return what is never deleted for not being named: the default workspace."""
    if part.name != "workspaces":
        return set()
    return {(each.slug,) for each in view.all(Workspace, is_default=True)}
