from __future__ import annotations

from lockgate.store.bootstrap import FirstStart, begin
from lockgate.store.directory import open_directory

WANTED = FirstStart(service_scopes=("completions.write",), admin_scopes=())


def test_what_is_made_outlives_the_process_and_its_texts_do_not(tmp_path):
    directory = open_directory(url=None, home=tmp_path, environment={})
    begun = begin(directory, WANTED)
    directory.close()
    assert begun.service_key.reveal() not in repr(begun)
    again = open_directory(url=None, home=tmp_path, environment={})
    later = begin(again, WANTED)
    again.close()
    assert (later.organisation_id, later.workspace_id) == (begun.organisation_id, begun.workspace_id)
    assert (later.service_key, later.admin_key) == (None, None)
