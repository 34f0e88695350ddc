import pytest

from lockgate.admin.access import ANY_KEY, PUBLIC, check_access, needs
from lockgate.errors import Forbidden

KINDS = ("organisation-service", "workspace-service", "workspace-user")


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_the_scopes_is_enough(kind):
    check_access(needs("a.read", "b.read"), kind, frozenset({"b.read"}))


@pytest.mark.parametrize("kind", KINDS)
def test_other_scopes_are_not(kind):
    with pytest.raises(Forbidden, match=r"a\.read or b\.read"):
        check_access(needs("a.read", "b.read"), kind, frozenset({"a.write"}))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_kind_that_is_not_named_may_not_whatever_its_scopes(kind):
    with pytest.raises(Forbidden, match="use a key of kind organisation-service"):
        check_access(needs("a.read", keys=("organisation",)), kind, frozenset({"a.read"}))


@pytest.mark.parametrize("access", [ANY_KEY, PUBLIC])
@pytest.mark.parametrize("kind", KINDS)
def test_some_things_need_no_scope(access, kind):
    check_access(access, kind, frozenset())


def test_an_endpoint_cannot_forget_its_scopes():
    with pytest.raises(ValueError, match="scope"):
        needs()
