import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.core.multipart import MAX_HEAD_BYTES, FormReader, PartEnd, PartHead, boundary_of
from lockgate.errors import InvalidRequest

CONTENT = st.binary(max_size=200) | st.lists(st.sampled_from([b"\r\n", b"-", b"--b", b"\r", b"x"])).map(b"".join)


def form(*parts, boundary=b"bound"):
    written = b""
    for name, value in parts:
        written += b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (boundary, name, value)
    return written + b"--%b--\r\n" % boundary


def read(pieces, boundary=b"bound"):
    """Return the parts as name and content; the events come in order or not at all."""
    reader = FormReader(boundary)
    parts, is_open = [], False
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, PartHead):
                assert not is_open
                parts.append([event.name, b""])
                is_open = True
            elif isinstance(event, PartEnd):
                is_open = False
            else:
                assert is_open
                assert event
                parts[-1][1] += event
    reader.close()
    assert not is_open
    return parts


@given(st.lists(CONTENT, max_size=4), st.lists(st.integers(0, 400), max_size=12), st.booleans())
@example([b"\r\n--boun"], [], False)
def test_the_parts_are_the_same_however_the_bytes_are_cut(contents, cuts, has_preamble):
    contents = [content for content in contents if b"\r\n--bound" not in b"\r\n" + content + b"\r\n"]
    whole = (b"hello\r\n" if has_preamble else b"") + form(*((b"p%d" % n, c) for n, c in enumerate(contents)))
    expected = [[f"p{number}", content] for number, content in enumerate(contents)]
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    assert read([whole[a:b] for a, b in zip(edges, edges[1:], strict=False)]) == expected
    assert read([whole[at : at + 1] for at in range(len(whole))]) == expected


@pytest.mark.parametrize(
    "head, filename",
    [
        (b'form-data; name="file"; filename="a.txt"', "a.txt"),
        (b'form-data; name="file"; filename="na\xc3\xafve \\" x.txt"', 'naïve \\" x.txt'),
        (b"form-data; filename*=UTF-8''na%C3%AFve.pdf; name=file", "naïve.pdf"),
        (b'form-data; name="file"; filename="x"; filename*=utf-8\'en\'%e2%82%ac.md', "€.md"),
        (b'FORM-DATA; NAME="file"', None),
    ],
)
def test_names_of_files(head, filename):
    reader = FormReader(b"b")
    (part,) = reader.feed(b"--b\r\nContent-Type:text/x\r\ncontent-disposition: " + head + b"\r\n\r\n")
    assert part == PartHead(name="file", disposition=head, filename=filename, content_type=b"text/x")


@pytest.mark.parametrize(
    "whole, message",
    [
        (b"", "ends before"),
        (form((b"a", b"x"))[:-5], "ends before"),
        (b"--bound\r\n\r\nx\r\n--bound--", "no name"),
        (b'--bound\r\nContent-Disposition: attachment; name="a"\r\n\r\n', "no name"),
        (b'--boundless\r\nContent-Disposition: form-data; name="a"\r\n\r\n', "inside a part"),
        (b"--bound\r\n" + b"x" * (MAX_HEAD_BYTES + 1), "too large"),
        (b'--bound\r\nContent-Disposition: form-data; name="a"\n: x\r\n\r\n', "broken line"),
    ],
)
def test_what_is_no_form_is_refused(whole, message):
    with pytest.raises(InvalidRequest, match=message):
        read([whole])


def test_only_a_delimiters_length_is_kept():
    reader = FormReader(b"bound")
    reader.feed(b'--bound\r\nContent-Disposition: form-data; name="a"\r\n\r\n')
    for _ in range(50):
        reader.feed(b"x" * 10_000)
        assert len(reader._rest) < 10


@pytest.mark.parametrize(
    "value, boundary",
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b'Multipart/Form-Data; charset=x; Boundary="a b:c"', b"a b:c"),
        (b"multipart/form-data", None),
        (b"application/json; boundary=x", None),
        (b"multipart/form-data; boundary=" + b"x" * 71, None),
    ],
)
def test_boundaries(value, boundary):
    if boundary is None:
        with pytest.raises(InvalidRequest):
            boundary_of(value)
    else:
        assert boundary_of(value) == boundary
