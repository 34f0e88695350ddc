"""What is measured differs in nothing but what its name says."""

from bench.systems import Place, lockgate, lockgate_without_records
from lockgate.config import read_document


def test_without_records_there_is_no_store(tmp_path):
    place = Place(port=1, upstream_port=2, folder=tmp_path)
    config = tmp_path / "lockgate.toml"
    plain = lockgate().launch(place)
    assert read_document(config.read_text(), "t").records.enabled
    assert lockgate_without_records().launch(place) == plain
    assert not read_document(config.read_text(), "t").records.enabled
