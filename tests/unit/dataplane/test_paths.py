import pytest

from lockgate.dataplane.paths import find_route, is_anthropic_path, methods_of


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/v1/chat/completions", ("chat", "")),
        ("/chat/completions", ("chat", "")),
        ("/v1/v1/chat/completions", ("chat", "")),
        ("/v1/v1/v1/messages", ("messages", "")),
        ("/v1/messages", ("messages", "")),
        ("/v1/messages/", ("messages", "")),
        ("/messages", ("messages", "")),
        ("/v1/v1/messages/count_tokens", ("count_tokens", "")),
        ("/messages/count_tokens", ("count_tokens", "")),
        ("/v1/models", ("models", "")),
        ("/models/", ("models", "")),
        ("/v1/models/@anthropic/claude", ("models", "@anthropic/claude")),
        ("/v1/v1/models/x", ("models", "x")),
        ("/", ("greeting", "")),
        ("/api/hello", ("hello", "")),
        ("/v1/health", ("health", "")),
        ("/ready", ("ready", "")),
        ("/V1/messages", None),
        ("/v1/Messages", None),
        ("/v1/messages//", None),
        ("/v2/messages", None),
        ("", None),
        ("/v1", None),
        ("/v1/completions", None),
    ],
)
def test_which_route(path, expected):
    assert find_route(path) == expected


def test_every_route_has_methods():
    assert methods_of("chat") == {"POST"}
    assert "HEAD" in methods_of("hello")


@pytest.mark.parametrize(
    "path, expected",
    [("/v1/messages/batches", True), ("/v1/v1/messages/x", True), ("/messages", True), ("/v1/chat", False)],
)
def test_unknown_paths_below_messages_are_anthropics(path, expected):
    assert is_anthropic_path(path) is expected
