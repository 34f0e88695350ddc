from lockgate.admin.access import PUBLIC
from lockgate.admin.endpoint import Endpoint


def test_an_endpoint_is_named_by_the_resource_and_the_function():
    def show(call):
        return None

    endpoint = Endpoint(method="GET", path="/x", access=PUBLIC, summary="Show", handler=show)
    assert endpoint.name == "test_endpoint.show"
