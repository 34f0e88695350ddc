"""Made-up endpoints over a real database: what the framework does around any handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from lockgate.admin.access import ANY_KEY, PUBLIC, needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.openapi import document_endpoint
from lockgate.admin.paging import Page, PageQuery, window
from lockgate.entities import UsageLimit, UsagePolicy, Workspace
from lockgate.errors import NotFound
from tests.unit.admin.plane import Plane, make_plane


class Draft(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Meta(max_length=10)]
    is_default: bool = False
    note: str | UnsetType | None = UNSET


class Thing(Struct, frozen=True, kw_only=True):
    id: str
    note: str = ""


class Rated(Struct, frozen=True, kw_only=True):
    rate_limits: list[Mapping[str, int]]


class Stage:
    """The made-up resource, and what happened to it."""

    def __init__(self) -> None:
        self.made: list[Draft] = []

    def open(self, folder) -> Plane:
        endpoints = [
            Endpoint(
                method="POST", path="/things", access=needs("policies.create", keys=("organisation", "user")),
                summary="Make a thing", body=Draft, reply=Thing, handler=self.create,
            ),
            Endpoint(
                method="GET", path="/things", access=needs("policies.list"), summary="List things", query=PageQuery,
                reply=Page[Thing], handler=self.list_,
            ),
            Endpoint(
                method="GET", path="/things/{id}", access=needs("policies.read"), summary="Show a thing", reply=Thing,
                handler=self.show,
            ),
            Endpoint(
                method="DELETE", path="/things/{id}", access=needs("policies.delete"), summary="Forget a thing",
                handler=self.delete,
            ),
            Endpoint(
                method="GET", path="/providers", access=ANY_KEY, summary="As the SDK wants it", handler=self.reshaped,
            ),
            Endpoint(method="GET", path="/open", access=PUBLIC, summary="For everybody", handler=lambda call: None),
        ]  # fmt: skip
        return make_plane(folder, endpoints=[document_endpoint(endpoints), *endpoints], body_limit=1000)

    def create(self, call: Call[Draft, Nothing]) -> Answer:
        with call.change() as tx:
            home = call.principal.workspace.id
            tx.insert(UsagePolicy(workspace_id=home, name=call.body.name, limit=UsageLimit(unit="tokens", cap=100)))
            self.made.append(call.body)
        if call.body.name == "bug":
            raise RuntimeError("a bug with sk-secret in it")
        return Answer(body=Thing(id=call.body.name), version=3)

    def list_(self, call: Call[Nothing, PageQuery]) -> Page[Thing]:
        page = window(call.query, default=2, most=3)
        first = page.number * page.size
        return Page(total=9, data=[Thing(id=str(first + i)) for i in range(page.size)])

    def show(self, call: Call[Nothing, Nothing]) -> Answer:
        if call.parameters["id"] == "none":
            raise NotFound("There is no thing none", path="id")
        with call.view() as view:
            version = call.expect(view.get(Workspace, call.principal.workspace.id))
        return Answer(body=Thing(id=call.parameters["id"]), version=version)

    def delete(self, call: Call[Nothing, Nothing]) -> None:
        return None

    def reshaped(self, call: Call[Nothing, Nothing]) -> Page[Rated]:
        return Page(total=1, data=[Rated(rate_limits=[{"value": 1}, {"value": 2}])])
