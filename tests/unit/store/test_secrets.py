from pathlib import Path

import pytest

from lockgate.errors import ConfigError
from lockgate.store.secrets import SecretReader


def test_a_secret_comes_from_the_environment_a_file_or_the_text(tmp_path):
    (tmp_path / "key").write_text("from-file\n")
    read = SecretReader({"NAME": "from-env"}, tmp_path)
    assert read("env:NAME").reveal() == "from-env"
    assert read("file:key").reveal() == "from-file"
    assert read(f"file:{tmp_path / 'key'}").reveal() == "from-file"
    assert read("plain").reveal() == "plain"


@pytest.mark.parametrize(
    "reference, part",
    [
        ("env:MISSING", "MISSING is not set"),
        ("env:EMPTY", "EMPTY is not set"),
        ("file:missing", "cannot read the secret file missing"),
        ("file:empty", "empty or holds a line break"),
        ("file:binary", "not UTF-8"),
        ("", "empty"),
        ("a\nb", "line break"),
    ],
)
def test_a_missing_secret_says_which(tmp_path, reference, part):
    Path(tmp_path / "empty").write_text("\n")
    Path(tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=part):
        SecretReader({"EMPTY": ""}, tmp_path)(reference)
