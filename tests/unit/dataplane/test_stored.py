import pytest

from tests.unit.dataplane.fakes import JSON, FakeResponse, World


@pytest.mark.parametrize("path", ["/v1/files/{}", "/v1/files/{}/content", "/v1/batches/{}", "/v1/messages/batches/{}"])
@pytest.mark.parametrize("id", ["a.b", "..", "a%", "x" * 257])
def test_an_id_that_could_change_a_path_is_refused(path, id):
    world = World()
    got = world.call(path.format(id), method="GET", x_portkey_provider="@anthropic")
    assert (got.status, world.upstream.sent, world.record.error) == (400, [], "invalid_request")


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches", "/v1/messages/batches"])
def test_a_key_is_needed(path):
    world = World()
    assert world.call(path, method="GET", key=None, x_portkey_provider="@anthropic").status == 401
    assert world.upstream.sent == []


def test_what_is_kept_at_a_host_of_the_callers_choice_is_not_remembered():
    world = World()
    world.upstream.will(FakeResponse(200, JSON, b'{"id":"file_1"}'))
    host = {"x_portkey_provider": "openai", "x_portkey_custom_host": "https://93.184.216.34/v1", "authorization": "k"}
    assert world.call("/v1/files/file_1", method="GET", **host).status == 200
    assert world.call("/v1/files/file_1", method="GET").status == 400


def test_ids_of_files_and_of_batches_are_two_things():
    world = World()
    world.upstream.will(FakeResponse(200, JSON, b'{"id":"x"}'))
    world.call("/v1/files/x", method="GET", x_portkey_provider="@openai")
    assert world.call("/v1/batches/x", method="GET").status == 400
