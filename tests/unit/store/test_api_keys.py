from __future__ import annotations

from lockgate.plan.keys import is_well_formed
from lockgate.store.api_keys import new_text


def test_a_new_text_is_a_key_that_nobody_has():
    texts = {new_text().reveal() for _ in range(50)}
    assert len(texts) == 50
    assert all(text.startswith("gk_") and is_well_formed(text) for text in texts)
