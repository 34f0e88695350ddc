import os

from lockgate.app.processes import Processes


def test_a_process_is_dead_when_nobody_holds_its_file(tmp_path):
    folder = tmp_path / "processes"
    living = Processes(folder)
    living.enter("living")
    ended = Processes(folder)
    ended.enter("ended")
    assert living.dead() == []
    ended.close()
    assert living.dead() == ["ended"]
    living.bury("ended")
    living.bury("ended")
    assert living.dead() == []
    living.close()


def test_a_name_is_never_seen_without_its_lock(tmp_path, monkeypatch):
    watcher, seen = Processes(tmp_path), []
    link = os.link

    def looking(*arguments):
        seen.append(watcher.dead())
        link(*arguments)
        seen.append(watcher.dead())

    monkeypatch.setattr(os, "link", looking)
    process = Processes(tmp_path)
    process.enter("new")
    assert seen == [[], []]
    process.close()
