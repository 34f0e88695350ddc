import gzip
import zlib

import pytest

from lockgate.dataplane import encoding
from lockgate.errors import Malformed


@pytest.mark.parametrize(
    "data, coding",
    [
        (b"plain", None),
        (b"plain", b"identity"),
        (gzip.compress(b"plain", mtime=0), b"gzip"),
        (zlib.compress(b"plain"), b" Deflate"),
    ],
)
def test_codings_are_undone(data, coding):
    assert encoding.decode(data, coding) == b"plain"


def test_pieces_are_undone_as_they_come():
    data = gzip.compress(b"event: a\n\n" * 100)
    inflater = encoding.decoder_for(b"gzip")
    assert b"".join(inflater.feed(data[i : i + 3]) for i in range(0, len(data), 3)) == b"event: a\n\n" * 100


@pytest.mark.parametrize("data, coding", [(b"not gzip", b"gzip"), (b"x", b"br"), (b"x", b"zstd")])
def test_garbage_and_unknown_codings_are_malformed(data, coding):
    with pytest.raises(Malformed):
        encoding.decode(data, coding)


def test_a_bomb_is_stopped(monkeypatch):
    monkeypatch.setattr(encoding, "_MAX_INFLATED_BYTES", 1000)
    with pytest.raises(Malformed, match="too large"):
        encoding.decode(gzip.compress(bytes(10_000)), b"gzip")
