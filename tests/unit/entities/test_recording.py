from lockgate.entities import RecordingChoice


def test_a_choice_says_nothing_by_itself():
    assert RecordingChoice() == RecordingChoice(mode=None, is_enforced=False, personal=None, drop_paths=None)
