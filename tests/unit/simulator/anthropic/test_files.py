from hashlib import sha256

import pytest

from lockgate.simulator.anthropic import files
from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.files import Files, Form, Upload, files_of, read_filename, write_file, write_stored
from lockgate.simulator.provider import World
from lockgate.simulator.settings import SimulatorSettings
from tests.unit.simulator.driver import file_part, form

KIND = "multipart/form-data; boundary=xx"


def read(*parts, keep_bytes=1000, content_type=KIND, body=None):
    upload = Upload(content_type, keep_bytes=keep_bytes)
    data = form(*parts) if body is None else body
    for start in range(0, len(data), 7):
        upload.feed(data[start : start + 7])
    return upload.finish()


def a_form(size=10, content=b"0123456789", name="a.txt"):
    return Form(name, "text/plain", size, "digest", b"", content, None)


def test_an_upload_is_measured_and_kept():
    found = read(file_part("dir/a.txt", b"hello", "Text/Plain; charset=utf-8"), ('name="expires_in_seconds"', b"3600"))
    assert found == Form("a.txt", "text/plain", 5, sha256(b"hello").hexdigest(), b"hello", b"hello", 3600)


def test_of_a_large_upload_only_size_and_digest_stay():
    found = read(file_part(data=b"x" * 5000))
    assert (found.size_bytes, found.content, len(found.head)) == (5000, None, 1024)
    assert found.sha256 == sha256(b"x" * 5000).hexdigest()


LIFE = 'name="expires_in_seconds"'
REFUSED = [
    ([(LIFE, b"3600")], "file: Field required"),
    ([file_part(), file_part()], "file: may be given only once"),
    ([file_part(), ('name="purpose"', b"x")], "purpose: Extra inputs are not permitted"),
    ([file_part(), (LIFE, b"3599")], "expires_in_seconds: Input should be greater than or equal to 3600"),
    ([file_part(), (LIFE, b"7776001")], "expires_in_seconds: Input should be less than or equal to 7776000"),
    ([file_part(), (LIFE, b"soon")], "expires_in_seconds: Input should be a valid integer"),
    ([file_part(), (LIFE, b"1" * 30)], "expires_in_seconds: Input should be a valid integer"),
    ([file_part(kind="text")], "file: the content type of the part is not a valid media type"),
    ([file_part(name="a?.txt")], "file: filename contains forbidden characters"),
    ([file_part(name="a" * 256)], "file: filename must have at most 255 characters"),
]


@pytest.mark.parametrize("parts, message", REFUSED)
def test_a_wrong_form_is_refused(parts, message):
    with pytest.raises(ApiError) as caught:
        read(*parts)
    assert str(caught.value).startswith(message)
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"hello", form(file_part())[:-6]])
def test_what_is_no_form_is_refused(body):
    with pytest.raises(ApiError, match="not a valid form"):
        read(body=body)


def test_a_form_needs_its_boundary():
    with pytest.raises(ApiError, match="content-type"):
        read(file_part(), content_type="multipart/form-data")


def test_a_file_has_a_largest_size(monkeypatch):
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    assert read(file_part(data=b"x" * 10)).size_bytes == 10
    with pytest.raises(ApiError) as caught:
        read(file_part(data=b"x" * 11))
    assert (caught.value.status, caught.value.type) == (413, "request_too_large")


@pytest.mark.parametrize(
    "given, mime_type, name",
    [
        ("C:\\docs\\a.txt", "text/plain", "a.txt"),
        ("../../etc/passwd", "text/plain", "passwd"),
        (None, "application/pdf", "unnamed.pdf"),
        ("", "image/png", "unnamed.png"),
        ("dir/", "application/x-odd", "unnamed"),
        ("naïve ☕.txt", "text/plain", "naïve ☕.txt"),
    ],
)
def test_only_the_last_part_of_a_name_is_kept(given, mime_type, name):
    assert read_filename(given, mime_type) == name


@pytest.mark.parametrize("name", ["a<", "a>", "a:b", 'a"b', "a|b", "a?", "a*", "a\nb", "\0"])
def test_some_characters_are_forbidden_in_names(name):
    with pytest.raises(ApiError):
        read_filename(name, "text/plain")


def test_bytes_are_kept_within_a_bound():
    store = Files(0, keep_bytes=25)
    first, second, third = (store.add(a_form()) for _ in range(3))
    assert [one.content is not None for one in (first, second, third)] == [True, True, False]
    store.delete(first.id)
    assert store.add(a_form()).content == b"0123456789"
    assert write_stored(third)["is_kept"] is False


def test_the_same_upload_twice_makes_two_files_and_each_run_the_same():
    ids = [store.add(a_form()).id for store in (Files(0, keep_bytes=9), Files(0, keep_bytes=9), Files(1, keep_bytes=9))]
    assert ids[0] == ids[1] != ids[2]
    store = Files(0, keep_bytes=9)
    assert store.add(a_form()).id != store.add(a_form()).id


def test_the_newest_file_comes_first():
    store = Files(0, keep_bytes=0)
    made = [store.add(a_form(name=str(number))) for number in range(3)]
    assert store.newest() == made[::-1]


def test_an_account_can_be_full(monkeypatch):
    monkeypatch.setattr(files, "MAX_STORED_BYTES", 15)
    store = Files(0, keep_bytes=0)
    store.add(a_form())
    with pytest.raises(ApiError) as caught:
        store.add(a_form())
    assert caught.value.details == {"error_code": "storage_quota_exceeded"}


@pytest.mark.parametrize("id, status", [("file_nothing", 404), ("file-abc", 400), ("", 400), ("../x", 400)])
def test_unknown_and_impossible_ids_are_told_apart(id, status):
    with pytest.raises(ApiError) as caught:
        Files(0, keep_bytes=0).find(id)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "name, is_downloadable, is_expired",
    [("a.txt", False, False), ("generated-a.txt", True, False), ("expired-a.txt", True, True)],
)
def test_the_name_says_what_may_be_done(name, is_downloadable, is_expired):
    file = Files(0, keep_bytes=0).add(a_form(name=name))
    assert (file.is_downloadable, file.is_expired) == (is_downloadable, is_expired)


def test_only_the_old_shape_has_a_scope():
    file = files_of(World(SimulatorSettings())).add(a_form()._replace(life_s=3600))
    assert write_file(file, has_scope=False) == {
        "type": "file", "id": file.id, "filename": "a.txt", "mime_type": "text/plain", "size_bytes": 10,
        "created_at": "2026-01-01T00:00:01Z", "downloadable": False, "expires_at": "2026-01-01T01:00:01Z",
    }  # fmt: skip
    assert write_file(file, has_scope=True)["scope"] is None
