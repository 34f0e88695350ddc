import logging

import pytest

from lockgate.telemetry.logs import start_logging


@pytest.fixture
def root():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def test_lines_go_to_standard_error(root, capsys):
    start_logging("warning")
    logging.getLogger("lockgate.test").info("not shown")
    logging.getLogger("lockgate.test").warning("shown %d", 1)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("WARNING lockgate.test shown 1\n")
    assert "not shown" not in err
