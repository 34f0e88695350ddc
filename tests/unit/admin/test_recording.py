import pytest
from msgspec import UNSET

from lockgate.admin.recording import RecordingBody, read_recording, write_recording
from lockgate.entities import RecordingChoice
from lockgate.errors import InvalidRequest

BODY = RecordingBody(
    mode="redacted", enforce=True, personal=["email"], action="hash", drop_paths=["a.b"], sensitive_headers=["X-T"]
)


def test_what_is_said_comes_back():
    choice = read_recording(BODY, None)
    assert (choice.mode, choice.is_enforced, choice.personal) == ("redacted", True, ("email",))
    assert write_recording(choice) == BODY
    assert write_recording(None) is None


def test_missing_leaves_and_null_clears():
    old = RecordingChoice(mode="off")
    assert read_recording(UNSET, old) is old
    assert read_recording(None, old) is None


def test_a_path_that_is_none_is_refused():
    with pytest.raises(InvalidRequest) as caught:
        read_recording(RecordingBody(drop_paths=["a["]), None)
    assert caught.value.path == "defaults.recording.drop_paths"
