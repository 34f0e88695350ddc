import io
import os
import signal
import sys

import pytest

from lockgate.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nothing_is_drawn_outside_of_a_terminal(capsys):
    with progress("working", 10) as done:
        done(5)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_how_far_it_is(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with progress("working", 10) as done:
        done(5)
        done(6, 20)
    assert "6/20" in terminal.getvalue()
    assert "working" in terminal.getvalue()


def test_who_ends_the_work_lets_it_clean_up():
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []
    with pytest.raises(SystemExit) as ended, progress("working", None):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            cleaned.append(True)
    assert (ended.value.code, cleaned) == (143, [True])
    assert signal.getsignal(signal.SIGTERM) is before
