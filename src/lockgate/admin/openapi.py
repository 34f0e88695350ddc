"""The OpenAPI 3.1 document of the control plane, made from the endpoints and their types, and so never out of date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw

import lockgate
from lockgate.admin.access import PUBLIC
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing

Json: TypeAlias = dict[str, Any]

_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_REF = "#/components/schemas/{name}"
_TEXT: Json = {"type": "string"}
_ERROR: Json = {
    "type": "object",
    "description": "Every refusal: a union of the bodies that the Portkey, OpenAI and Anthropic SDKs read.",
    "properties": {
        "status": {"const": "failure"},
        "success": {"const": False},
        "type": {"const": "error"},
        "message": _TEXT,
        "error": {
            "type": "object",
            "properties": {
                "message": _TEXT,
                "type": _TEXT,
                "code": {"type": ["string", "null"]},
                "param": {"type": ["string", "null"]},
            },
            "required": ["message", "type", "code", "param"],
        },
        "data": {"type": "object", "properties": {"message": _TEXT, "errorCode": _TEXT}},
        "request_id": _TEXT,
    },
    "required": ["status", "success", "type", "message", "error", "request_id"],
}


def write_document(endpoints: Sequence[Endpoint]) -> Json:
    """Return the document as plain values."""
    types = {kind for endpoint in endpoints for kind in (endpoint.body, endpoint.query, endpoint.reply)}
    ordered = sorted(types, key=lambda kind: str(kind))
    shapes, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    schemas = dict(zip(ordered, shapes, strict=True))
    paths: dict[str, Json] = {}
    for endpoint in endpoints:
        path = endpoint.mounts[0] + _PARAMETER.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, schemas, components)
    components = _with_numbers(components)
    queries = {_name_of(schemas[endpoint.query]) for endpoint in endpoints}
    kept = {name: schema for name, schema in components.items() if name not in queries}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lockgate control plane", "version": lockgate.__version__},
        "paths": paths,
        "components": {
            "schemas": {**kept, "Refusal": _ERROR},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-portkey-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"key": []}, {"bearer": []}],
    }


def _with_numbers(schema: Any) -> Any:
    """Return a schema in which decimals are numbers, as they stand on the wire."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            return {"type": "number"}
        return {name: _with_numbers(value) for name, value in schema.items()}
    return [_with_numbers(value) for value in schema] if isinstance(schema, list) else schema


def document_endpoint(endpoints: Sequence[Endpoint]) -> Endpoint:
    """Return the endpoint that serves the document of the others, and of itself."""
    written: list[Raw] = []

    def show(call: Call[Nothing, Nothing]) -> Raw:
        if not written:
            written.append(Raw(msgspec.json.encode(write_document([endpoint, *endpoints]))))
        return written[0]

    endpoint = Endpoint(
        method="GET", path="/openapi.json", access=PUBLIC, summary="Describe this API as OpenAPI 3.1", handler=show
    )
    return endpoint


def _operation(endpoint: Endpoint, schemas: Mapping[Any, Json], components: Mapping[str, Json]) -> Json:
    operation: Json = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "tags": [endpoint.name.partition(".")[0]],
        "parameters": [
            *_path_parameters(endpoint.path),
            *_query_parameters(components.get(_name_of(schemas[endpoint.query]), {})),
        ],
        "responses": {
            "200": {"description": "Done", "content": _json(schemas[endpoint.reply])},
            "default": {"description": "Refused", "content": _json({"$ref": _REF.format(name="Refusal")})},
        },
        "x-lockgate-access": _access(endpoint),
    }
    if endpoint.body is not Nothing:
        operation["requestBody"] = {"required": True, "content": _json(schemas[endpoint.body])}
    if endpoint.access.is_public:
        operation["security"] = []
    return operation


def _path_parameters(path: str) -> Iterable[Json]:
    names = _PARAMETER.findall(path)
    return [{"name": name, "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}} for name in names]


def _query_parameters(schema: Json) -> Iterable[Json]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        shape = {key: value for key, value in field.items() if key not in ("default", "description")}
        parameter: Json = {"name": name, "in": "query", "required": name in required, "schema": shape}
        yield parameter


def _access(endpoint: Endpoint) -> Json:
    access = endpoint.access
    if access.is_public:
        return {"public": True}
    if access.is_any_key:
        return {"any_key": True}
    return {
        kind: list(scopes)
        for kind, scopes in (
            ("organisation-service", access.organisation),
            ("workspace-service", access.service),
            ("workspace-user", access.user),
        )
        if scopes
    }


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _name_of(schema: Json) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
