from decimal import Decimal

from lockgate.admin.state.document import StateDocument, StateProvider, StateUsageLimit, plain


def test_what_has_its_default_is_not_written():
    provider = StateProvider(
        workspace="w", slug="s", integration="i", name="n",
        usage_limits=[StateUsageLimit(credit_limit=Decimal("0.5"), mode="soft")],
    )  # fmt: skip
    assert plain(provider) == {
        "workspace": "w", "slug": "s", "integration": "i", "name": "n",
        "usage_limits": [{"credit_limit": Decimal("0.5"), "mode": "soft"}],
    }  # fmt: skip
    assert plain(StateDocument(providers=[])) == {"providers": []}
    assert plain({"a": [provider.tags]}) == {"a": [[]]}
