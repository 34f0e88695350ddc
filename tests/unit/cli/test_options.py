import pytest

from lockgate.cli.options import give_up


def test_giving_up_is_one_sentence_and_status_1(capsys):
    with pytest.raises(SystemExit) as caught:
        give_up("there is no such thing")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "lockgate: there is no such thing\n"
