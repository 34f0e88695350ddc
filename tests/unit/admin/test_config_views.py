from lockgate.admin.config_views import ConfigSummary, show, show_declared, show_summary
from lockgate.entities import Config
from lockgate.store.configs import version_of
from tests.unit.admin.config_world import declare


def test_a_summary_is_the_config_without_its_text(plane):
    config = plane.save_config("pc-1")
    with plane.directory.read() as view:
        whole, summary = show(view, config), show_summary(config, plane.home)
        assert show(view, config, version_of(view, config, "1")) == whole
    assert isinstance(whole.summary(), ConfigSummary)
    assert whole.summary() == summary
    assert not hasattr(summary, "config")


def test_a_config_whose_secrets_were_wiped_is_shown_masked(plane):
    config = plane.save_config("pc-1", '{"provider":"openai","api_key":"sk-canary"}')
    with plane.directory.change() as tx:
        assert "sk-canary" in show(tx, config).config
        tx.archive(config)
        gone = tx.get(Config, config.id, with_archived=True)
        assert show(tx, gone).config == '{"provider":"openai","api_key":"*****"}'
        assert show(tx, gone).status == "archived"


def test_a_declared_config_has_no_versions(plane):
    declare(plane, "[configs.main]\nretry = {attempts = 1}\n")
    place = plane.snapshot.workspaces[plane.home.id]
    shown = show_declared(place, "main", place.configs.declared()["main"])
    assert (shown.slug, shown.is_default, shown.version_id, shown.config) == (
        "main",
        0,
        None,
        '{"retry":{"attempts":1}}',
    )
