import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.multipart import FormReader, PartHead
from lockgate.dialects.anthropic_messages.files import Form, read_file, read_files
from lockgate.errors import InvalidRequest, Malformed

HEAD = b'--in\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n'


@given(st.binary(max_size=300).filter(lambda data: b"\r\n--" not in data), st.lists(st.integers(0, 600), max_size=9))
def test_the_file_arrives_whole_however_the_upload_is_cut(content, cuts):
    whole = HEAD % (b"purpose", b"") + b"batch\r\n" + HEAD % (b"file", b'; filename="a.pdf"') + content + b"\r\n--in--"
    form, out = Form(b"in", b"out"), b""
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    for start, end in zip(edges, edges[1:], strict=False):
        out += form.feed(whole[start:end])
    out += form.close()
    events = FormReader(b"out").feed(out)
    heads = [event for event in events if isinstance(event, PartHead)]
    assert [(head.name, head.filename, head.content_type) for head in heads] == [("file", "a.pdf", b"application/pdf")]
    assert b"".join(event for event in events if isinstance(event, bytes)) == content
    assert (form.purpose, form.dropped) == ("batch", [])


def test_a_form_without_a_file_has_no_end():
    form = Form(b"in", b"out")
    form.feed(b"--in--")
    with pytest.raises(InvalidRequest, match="file"):
        form.close()


@pytest.mark.parametrize(
    "page, following",
    [
        (b'{"data":[],"next_page":"p"}', (("page", "p"),)),
        (b'{"data":[],"next_page":null}', None),
        (b'{"data":[],"has_more":true,"last_id":"f"}', (("after_id", "f"),)),
        (b'{"data":[],"has_more":false,"last_id":"f"}', None),
        (b'{"data":[],"has_more":true}', None),
    ],
)
def test_where_the_next_page_is(page, following):
    assert read_files(page).next_query == following


@pytest.mark.parametrize("scope", [b"", b',"scope":null'])
def test_times_that_are_none_and_no_scope(scope):
    file = read_file(b'{"id":"f","created_at":"soon","expires_at":null,"downloadable":null%b}' % scope)
    assert (file.created_at, file.expires_at, file.is_downloadable, file.scope) == (0, None, False, None)


def test_what_is_no_file_is_malformed():
    with pytest.raises(Malformed):
        read_file(b"[]")
