import inspect
import re

import pytest

from lockgate import errors
from lockgate.errors import ConfigError, GatewayError, Rejected, TimedOut

CLASSES = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, GatewayError)]


@pytest.mark.parametrize("error", CLASSES, ids=lambda c: c.__name__)
def test_each_class_explains_itself_and_stands_in_the_tree(error):
    assert error.__doc__
    assert re.search(rf"\b{error.__name__}\b", errors.__doc__)


def test_codes_are_unique():
    own = [c.code for c in CLASSES if "code" in vars(c)]
    assert len(own) == len(set(own))


def test_what_the_provider_did_is_not_ours_but_for_broken_connections():
    assert not Rejected("m", status=500, kind="api_error").is_ours
    assert not TimedOut("m", phase="idle").is_ours
    assert errors.Unreachable("m").is_ours
    assert errors.InvalidRequest("m").is_ours


def test_a_config_error_reads_as_one_sentence():
    assert str(ConfigError("it is wrong", path="file:3")) == "file:3: it is wrong"
    assert str(ConfigError("it is wrong")) == "it is wrong"
