import asyncio
import json

import pytest

from tests.unit.dataplane.fakes import CONFIG, JSON, KEY, FakeResponse, FakeUpstream, World

FORM_TYPE = 'multipart/form-data; boundary="bound"'
CONTENT = bytes(range(256)) * 700


def form(*parts):
    written = b""
    for head, value in parts:
        written += b"--bound\r\n" + head + b"\r\n\r\n" + value + b"\r\n"
    return written + b"--bound--\r\n"


def disposition(name, rest=b""):
    return b'Content-Disposition: form-data; name="%b"%b' % (name, rest)


PURPOSE = (disposition(b"purpose"), b"user_data")
FILE = (disposition(b"file", b'; filename="na\xc3\xafve.pdf"') + b"\r\nContent-Type: application/octet-stream", CONTENT)


def metadata(number=1, **changes):
    return {
        "id": f"file_{number}",
        "type": "file",
        "filename": "naïve.pdf",
        "mime_type": "application/pdf",
        "size_bytes": 5,
        "created_at": "2026-01-01T00:00:01Z",
        "downloadable": False,
        **changes,
    }


OURS = {
    "id": "file_1", "object": "file", "bytes": 5, "created_at": 1767225601, "expires_at": None,
    "filename": "naïve.pdf", "purpose": "assistants", "status": "processed", "mime_type": "application/pdf",
    "downloadable": False,
}  # fmt: skip


class Reading(FakeUpstream):
    """Reads what is streamed to it, unless it answers early."""

    def __init__(self):
        super().__init__()
        self.bodies = []
        self.is_early = False

    async def send(self, request):
        if request.stream is not None and not self.is_early:
            self.sent.append(request)
            self.bodies.append(b"".join([piece async for piece in request.stream]))
            self.sent.pop()
        return await super().send(request)


def make(config=CONFIG):
    world = World(config)
    world.upstream = world.plane.upstream = Reading()
    return world


def answer(value, status=200, headers=JSON):
    return FakeResponse(status, headers, value if isinstance(value, bytes) else json.dumps(value).encode())


@pytest.fixture
def world():
    return make()


def upload(world, body, **headers):
    settings = {"x_portkey_provider": "@anthropic", "content_type": FORM_TYPE, **headers}
    return world.call("/v1/files", body, **settings)


# ---- Anthropic's shape


def test_an_upload_passes_as_it_is(world):
    text = json.dumps(metadata(), indent=2).encode()
    world.upstream.will(answer(text))
    sent = form(FILE, (disposition(b"expires_in_seconds"), b"3600"), (disposition(b"new"), b"x"))
    got = upload(world, sent, anthropic_version="2026-10-21")
    assert (got.status, got.body) == (200, text)
    assert world.upstream.bodies == [sent]
    assert (world.sent.target, world.sent.stream_bytes) == (b"/v1/files", len(sent))
    headers = world.sent_headers()
    assert headers["content-type"] == FORM_TYPE
    assert headers["x-api-key"] == "sk-ant-record"
    assert "anthropic-beta" not in headers
    record = world.record
    assert (record.route, record.dialect, record.bytes_in, record.slug) == (
        "files", "anthropic_messages", len(sent), "anthropic",
    )  # fmt: skip
    assert record.stages.prepare >= 0


def test_a_beta_of_the_client_goes_along(world):
    world.upstream.will(answer({"data": [], "has_more": False}))
    got = world.call(
        "/v1/files",
        method="GET",
        query=b"limit=3&after_id=x",
        x_portkey_provider="@anthropic",
        anthropic_version="2023-06-01",
        anthropic_beta="files-api-2025-04-14",
    )
    assert got.json() == {"data": [], "has_more": False}
    assert world.sent.target == b"/v1/files?limit=3&after_id=x"
    assert world.sent_headers()["anthropic-beta"] == "files-api-2025-04-14"


def test_an_upload_that_is_too_large_is_refused_before_it_is_sent():
    world = make(CONFIG + "file_bytes = 1000\n")
    got = upload(world, form(FILE), anthropic_version="2026-10-21")
    assert (got.status, world.upstream.sent) == (413, [])
    assert "limits.file_bytes" in got.json()["error"]["message"]


def test_a_client_that_leaves_during_its_upload_is_recorded(world):
    async def scenario():
        inbox, said = asyncio.Queue(), []
        inbox.put_nowait({"type": "http.request", "body": form(FILE)[:5000], "more_body": True})
        inbox.put_nowait({"type": "http.disconnect"})

        async def send(message):
            said.append(message)

        headers = [(b"content-type", FORM_TYPE.encode()), (b"x-portkey-api-key", KEY.encode())]
        headers += [(b"x-portkey-provider", b"@anthropic"), (b"anthropic-version", b"2026-10-21")]
        scope = {"type": "http", "method": "POST", "path": "/v1/files", "query_string": b"", "headers": headers}
        await world.plane({**scope, "extensions": {}}, inbox.get, send)
        return said

    assert asyncio.run(scenario()) == []
    assert (world.record.status, world.record.is_client_gone) == (499, True)


def test_an_early_answer_is_the_answer(world):
    world.upstream.is_early = True
    body = b'{"type":"error","error":{"type":"request_too_large","message":"no"}}'
    world.upstream.will(answer(body, 413))
    got = upload(world, form(FILE), anthropic_version="2026-10-21")
    assert (got.status, got.body) == (413, body)


def test_the_provider_of_a_file_is_remembered(world):
    world.upstream.will(answer(metadata()), answer(metadata()), answer(b"{}"))
    upload(world, form(FILE), anthropic_version="2026-10-21", x_portkey_provider="@narrow")
    for method in ("GET", "DELETE"):
        assert world.call("/v1/files/file_1", method=method, anthropic_version="2026-10-21").status == 200
    assert [dict(sent.headers)[b"x-api-key"] for sent in world.upstream.sent] == [b"sk-n"] * 3
    assert world.call("/v1/files/file_1", method="GET").status == 400


@pytest.mark.parametrize("version", [{}, {"anthropic_version": "2026-10-21"}])
def test_content_is_streamed_byte_for_byte(world, version):
    headers = [
        (b"content-type", b"application/x-thing"),
        (b"content-disposition", b'attachment; filename="a"'),
        (b"content-length", b"%d" % len(CONTENT)),
    ]
    world.upstream.will(FakeResponse(200, headers, CONTENT[:7], CONTENT[7:]))
    got = world.call(
        "/v1/files/f/content", method="GET", x_portkey_provider="@anthropic", accept="application/binary", **version
    )
    assert got.parts == [CONTENT[:7], CONTENT[7:]]
    assert got.headers["content-type"] == "application/x-thing"
    assert got.headers["content-disposition"] == 'attachment; filename="a"'
    assert got.headers["content-length"] == str(len(CONTENT))
    assert world.sent.target == b"/v1/files/f/content"
    assert world.sent_headers()["accept"] == "application/binary"
    assert world.record.bytes_out == len(CONTENT)


# ---- OpenAI's shape


def test_an_openai_upload_becomes_the_form_that_claude_takes(world):
    world.upstream.will(answer(metadata()))
    life = (disposition(b"expires_after[seconds]"), b"3600")
    anchor = (disposition(b"expires_after[anchor]"), b"created_at")
    got = upload(world, form(PURPOSE, life, FILE, anchor, (disposition(b"new"), b"x")))
    assert got.json() == OURS | {"purpose": "user_data"}
    assert got.headers["x-lockgate-dropped"] == "new"
    boundary = world.sent_headers()["content-type"].partition("boundary=")[2].encode()
    assert world.upstream.bodies[0] == (
        b'--%b\r\nContent-Disposition: form-data; name="expires_in_seconds"\r\n\r\n3600\r\n' % boundary
        + b'--%b\r\nContent-Disposition: form-data; name="file"; filename="na\xc3\xafve.pdf"\r\n' % boundary
        + b"Content-Type: application/pdf\r\n\r\n%b\r\n--%b--\r\n" % (CONTENT, boundary)
    )
    assert world.sent.stream_bytes is None
    assert "anthropic-beta" not in world.sent_headers()
    assert world.record.dialect == "openai_chat"


@pytest.mark.parametrize(
    "filename, given, sent",
    [
        (b'"a.CSV"', b"application/octet-stream", b"text/csv"),
        (b'"a.csv"', b"text/plain", b"text/plain"),
        (b'"a.bin"', b"application/octet-stream", b"application/octet-stream"),
        (b'"docx"', b"application/octet-stream; x=y", b"application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b'"a.png"', None, b"image/png"),
    ],
)  # fmt: skip
def test_the_type_of_a_file_by_its_name(world, filename, given, sent):
    world.upstream.will(answer(metadata()))
    head = disposition(b"file", b"; filename=" + filename) + (b"\r\ncontent-type: " + given if given else b"")
    upload(world, form((head, b"x")))
    assert b"\r\nContent-Type: " + sent + b"\r\n" in world.upstream.bodies[0]


@pytest.mark.parametrize(
    "body, kind, message",
    [
        (form(PURPOSE), FORM_TYPE, "file: this part is required"),
        (form(FILE, FILE), FORM_TYPE, "given twice"),
        (form(FILE)[:-6], FORM_TYPE, "ends before"),
        (form(FILE), "multipart/form-data", "boundary"),
        (b"{}", "application/json", "multipart/form-data"),
        (form((disposition(b"purpose"), b"x" * 2000), FILE), FORM_TYPE, "too long"),
    ],
)
def test_an_upload_that_is_no_form_is_refused(world, body, kind, message):
    world.upstream.will(answer(metadata()))
    got = upload(world, body, content_type=kind)
    assert got.status == 400
    assert message in got.json()["error"]["message"]


def test_a_file_in_openais_shape(world):
    more = {"expires_at": "2026-01-01T01:00:01Z", "downloadable": True, "scope": {"type": "session", "id": "s"}}
    world.upstream.will(answer(metadata(**more)), answer({"id": "file_1", "type": "file_deleted"}))
    got = world.call("/v1/files/file_1", method="GET", x_portkey_provider="@anthropic")
    assert got.json() == OURS | {"expires_at": 1767229201, "downloadable": True, "scope": more["scope"]}
    gone = world.call("/v1/files/file_1", method="DELETE")
    assert gone.json() == {"id": "file_1", "object": "file", "deleted": True}


PAGES = {
    "new": [
        {"data": [metadata(9), metadata(8)], "next_page": "p 2"},
        {"data": [metadata(7), metadata(6)], "next_page": "p3"},
        {"data": [metadata(5)], "next_page": None},
    ],
    "old": [
        {"data": [metadata(9), metadata(8)], "has_more": True, "first_id": "file_9", "last_id": "file_8"},
        {"data": [metadata(7), metadata(6)], "has_more": True, "first_id": "file_7", "last_id": "file_6"},
        {"data": [metadata(5)], "has_more": False, "first_id": "file_5", "last_id": "file_5"},
    ],
}


@pytest.mark.parametrize("shape", PAGES)
@pytest.mark.parametrize(
    "query, ids, has_more, calls",
    [
        (b"", "98765", False, 3),
        (b"limit=3", "987", True, 2),
        (b"limit=2", "98", True, 2),
        (b"limit=1", "9", True, 1),
        (b"after=file_8&limit=2&order=asc&purpose=x", "76", True, 3),
        (b"after=file_6", "5", False, 3),
        (b"after=file_5", "", False, 3),
        (b"after=gone", "", False, 3),
        (b"before=file_7", "98", False, 2),
        (b"before=file_7&limit=1", "8", True, 2),
    ],
)
def test_a_list_in_openais_shape_follows_the_pages(world, shape, query, ids, has_more, calls):
    world.upstream.will(*(answer(page) for page in PAGES[shape]))
    got = world.call("/v1/files", method="GET", query=query, x_portkey_provider="@anthropic").json()
    assert "".join(file["id"][5:] for file in got["data"]) == ids
    assert (got["object"], got["has_more"]) == ("list", has_more)
    assert (got["first_id"], got["last_id"]) == ((f"file_{ids[0]}", f"file_{ids[-1]}") if ids else (None, None))
    targets = [sent.target for sent in world.upstream.sent]
    following = b"page=p+2" if shape == "new" else b"after_id=file_8"
    assert targets[:2] == [b"/v1/files?limit=1000", b"/v1/files?limit=1000&" + following][:calls]
    assert len(targets) == calls


@pytest.mark.parametrize("limit", ["0", "x", "-1", "²"])
def test_a_limit_that_is_none_is_refused(world, limit):
    query = f"limit={limit}".encode()
    assert world.call("/v1/files", method="GET", query=query, x_portkey_provider="@anthropic").status == 400


def test_an_error_of_a_later_page_is_the_answer(world):
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}
    world.upstream.will(answer(PAGES["new"][0]), answer(error, 429))
    assert world.call("/v1/files", method="GET", x_portkey_provider="@anthropic").status == 429


def test_files_of_openai_pass_as_they_are(world):
    world.upstream.will(answer(b'{"id": "file-1"}'), answer(b'{"data": []}'))
    sent = form(PURPOSE, FILE)
    assert upload(world, sent, x_portkey_provider="@openai").body == b'{"id": "file-1"}'
    assert world.upstream.bodies == [sent]
    first = world.upstream.sent[0]
    assert (first.target, dict(first.headers)[b"content-type"]) == (b"/v1/files", FORM_TYPE.encode())
    world.call("/v1/files", method="GET", query=b"purpose=batch&after=x", x_portkey_provider="@openai")
    assert world.upstream.sent[1].target == b"/v1/files?purpose=batch&after=x"


def test_files_of_openai_have_no_native_shape(world):
    got = upload(world, form(FILE), x_portkey_provider="@openai", anthropic_version="2026-10-21")
    assert (got.status, got.json()["type"]) == (400, "error")
    assert world.upstream.sent == []


@pytest.mark.parametrize("path", ["/v1/files", "/v1/files/f", "/v1/files/f/content"])
def test_a_file_without_any_provider_is_refused(world, path):
    assert world.call(path, method="GET").status == 400
