"""Each loss and each change is named once, in the order of its first mention."""

from lockgate.core.notes import Notes


def test_names_come_once_and_in_order():
    notes = Notes(("seed",))
    for field in ("top_k", "seed", "user", "top_k"):
        notes.drop(field)
    notes.adjust("temperature", "clamped to 1")
    notes.adjust("temperature", "clamped to 1")
    assert notes.dropped == ("seed", "top_k", "user")
    assert notes.adjusted == ("temperature: clamped to 1",)


def test_what_loses_nothing_is_not_named():
    notes = Notes()
    notes.drop("top_p", when=False)
    notes.drop("top_k", when=True)
    assert notes.dropped == ("top_k",)
