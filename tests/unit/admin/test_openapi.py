import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from lockgate.admin.app import all_endpoints
from lockgate.admin.openapi import write_document
from tests.unit.admin.stage import Stage


@pytest.fixture
def stage(tmp_path):
    plane = Stage().open(tmp_path)
    yield plane
    plane.close()


def test_the_document_is_valid(stage):
    jsonschema_rs.validator_for(OPENAPI_31).validate(stage.ask("GET", "/v1/openapi.json", key=None).json())
    jsonschema_rs.validator_for(OPENAPI_31).validate(write_document(all_endpoints()))


def test_the_validator_would_find_a_mistake(stage):
    document = stage.ask("GET", "/v1/openapi.json", key=None).json()
    document["paths"]["/v1/things"]["get"]["responses"] = []
    assert not jsonschema_rs.validator_for(OPENAPI_31).is_valid(document)


def test_operations_say_what_goes_in_and_out(stage):
    document = stage.ask("GET", "/v1/openapi.json", key=None).json()
    schemas = document["components"]["schemas"]
    post = document["paths"]["/v1/things"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Draft"}
    assert schemas["Draft"]["properties"]["name"] == {"type": "string", "maxLength": 10}
    assert schemas["Draft"]["required"] == ["name"]
    listing = document["paths"]["/v1/things"]["get"]
    assert [parameter["name"] for parameter in listing["parameters"]] == ["page_size", "current_page"]
    page = listing["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert schemas[page]["properties"]["data"]["items"] == {"$ref": "#/components/schemas/Thing"}
    assert document["paths"]["/v1/things/{id}"]["get"]["parameters"][0]["in"] == "path"


def test_operations_say_who_may(stage):
    paths = stage.ask("GET", "/v1/openapi.json", key=None).json()["paths"]
    assert paths["/v1/things"]["post"]["x-lockgate-access"] == {
        "organisation-service": ["policies.create"],
        "workspace-user": ["policies.create"],
    }
    assert paths["/v1/open"]["get"]["security"] == []
    assert paths["/v1/open"]["get"]["x-lockgate-access"] == {"public": True}
    assert paths["/v1/providers"]["get"]["x-lockgate-access"] == {"any_key": True}


def test_every_endpoint_is_described():
    document = write_document(all_endpoints())
    described = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert described == {endpoint.name for endpoint in all_endpoints()}


def test_each_shape_has_a_name_of_its_own():
    # two of the same name get their module in front, which is nothing for a client to read
    names = write_document(all_endpoints())["components"]["schemas"]
    assert [name for name in names if "." in name] == []
