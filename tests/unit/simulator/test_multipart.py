import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.simulator.multipart import MultipartDecoder, MultipartError, PartEnd, PartStart, read_boundary
from tests.unit.simulator.driver import file_part, form


def decode(data, sizes=(), boundary=b"xx"):
    """Return the parts of a form that arrives in pieces of these sizes, and then the rest."""
    decoder = MultipartDecoder(boundary)
    parts, at = [], 0
    for size in (*sizes, len(data)):
        for event in decoder.feed(data[at : at + size]):
            if isinstance(event, PartStart):
                parts.append([event, b"", False])
            elif isinstance(event, PartEnd):
                parts[-1][2] = True
            else:
                parts[-1][1] += event
        at += size
    decoder.close()
    assert all(is_complete for *_, is_complete in parts)
    return [(start, content) for start, content, _ in parts]


AWKWARD = st.lists(st.sampled_from([b"\r\n", b"--xx", b"--", b"\r", b"\n", b"x", b"\0", b"\r\n--x", b"abc"])).map(
    b"".join
)


@given(content=AWKWARD, sizes=st.lists(st.integers(1, 9), max_size=60))
def test_content_comes_out_as_it_went_in_however_it_was_torn(content, sizes):
    if b"\r\n--xx" in b"\r\n" + content:
        return
    parts = decode(form(file_part(data=content), ('name="n"', b"7")), sizes)
    assert parts == [
        (PartStart("file", "a.txt", "text/plain"), content),
        (PartStart("n", None, None), b"7"),
    ]


@given(st.binary(max_size=200))
def test_garbage_is_a_multipart_error_and_nothing_else(data):
    try:
        decode(b"--xx\r\n" + data)
    except MultipartError:
        pass


@pytest.mark.parametrize(
    "head, name",
    [
        ('filename="a b.txt"', "a b.txt"),
        ("filename=a.txt", "a.txt"),
        ('filename="naïve ☕.txt"', "naïve ☕.txt"),
        ('filename="C:\\dir\\a.txt"', "C:\\dir\\a.txt"),
        ('filename="a\\"b"', 'a"b'),
        ('filename="a%22b%0D"', 'a"b\r'),
        ("filename=x; filename*=UTF-8''na%C3%AFve%20%22.txt", 'naïve ".txt'),
        ('filename="a;b=c"', "a;b=c"),
        ('filename=""', ""),
    ],
)
def test_filenames_are_read_in_every_spelling(head, name):
    assert decode(form((f'name="file"; {head}', b"")))[0][0].filename == name


HEAD = b"--xx\r\ncontent-disposition: form-data; name=a\r\n"
BROKEN = {
    "nothing": b"",
    "preamble": b"hello\r\n" + form(file_part()),
    "other boundary": form(file_part(), boundary="yy"),
    "no end": form(file_part())[:-4],
    "half an end": form(file_part())[:-3],
    "epilogue": form(file_part()) + b"x",
    "bare line feeds": form(file_part()).replace(b"\r\n", b"\n"),
    "no disposition": b"--xx\r\ncontent-type: text/plain\r\n\r\n\r\n--xx--\r\n",
    "no name": b"--xx\r\ncontent-disposition: form-data\r\n\r\n\r\n--xx--\r\n",
    "attachment": b"--xx\r\ncontent-disposition: attachment; name=a\r\n\r\n\r\n--xx--\r\n",
    "folded header": HEAD + b" more\r\n\r\n\r\n--xx--\r\n",
    "header twice": HEAD + b"content-disposition: form-data; name=b\r\n\r\n\r\n--xx--\r\n",
    "name twice": b"--xx\r\ncontent-disposition: form-data; name=a; name=b\r\n\r\n\r\n--xx--\r\n",
    "encoding": HEAD + b"content-transfer-encoding: base64\r\n\r\n\r\n--xx--\r\n",
    "latin-1": b"--xx\r\ncontent-disposition: form-data; name=\xe9\r\n\r\n\r\n--xx--\r\n",
    "other charset": b"--xx\r\ncontent-disposition: form-data; name=a; filename*=latin1''x\r\n\r\n\r\n--xx--\r\n",
    "long head": b"--xx\r\nx: " + b"y" * 20_000,
    "boundary with a tail": form(file_part()).replace(b"\r\n--xx--", b"\r\n--xxx"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_no_form_is_refused(data):
    with pytest.raises(MultipartError):
        decode(data)


@pytest.mark.parametrize(
    "content_type, boundary",
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; Boundary="a b"', b"a b"),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ('multipart/form-data; boundary="a "', None),
        (f"multipart/form-data; boundary={'a' * 71}", None),
        ("multipart/mixed; boundary=abc", None),
    ],
)
def test_the_boundary_is_read_from_the_content_type(content_type, boundary):
    if boundary is not None:
        assert read_boundary(content_type) == boundary
        return
    with pytest.raises(MultipartError):
        read_boundary(content_type)
