"""What of a file may become a record, and what is said of the rest."""

import pytest

from lockgate.errors import InvalidRequest
from lockgate.records.from_record import user_hash
from lockgate.records.imports.items import FIRST_US, SLACK_US, check_columns, read_item
from lockgate.records.redaction import Rules
from lockgate.records.sketch import bucket_of

NOW_US = 1_790_000_000_000_000
SMALL = {"id": "rec_1", "started_us": NOW_US - 1}
SECRET = "sk-ant-api03-" + "A" * 95


def read(rules=None, **values):
    return read_item({**SMALL, **values}, now_us=NOW_US, rules=rules or Rules())


@pytest.mark.parametrize(
    "values, message",
    [
        ({"id": None}, "id is missing"),
        ({"started_us": None}, "started_us is missing"),
        ({"id": ""}, "id: between 1 and 256 characters"),
        ({"id": "x" * 257}, "id: between 1 and 256 characters"),
        ({"started_us": "now"}, "started_us: Expected `int`, got `str`"),
        ({"started_us": FIRST_US - 1}, "started_us: microseconds since 1970"),
        ({"started_us": NOW_US + SLACK_US + 1}, "started_us: microseconds since 1970"),
        ({"cost_nano": 2**63}, "cost_nano: a number from 0 to 100000000000000"),
        ({"cost_nano": -1}, "cost_nano: a number from 0 to"),
        ({"total_tokens": -5}, "total_tokens: a number from 0 to 10000000000"),
        ({"duration_us": 10**12}, "duration_us: a number from 0 to 604800000000"),
        ({"status_code": 99999}, "status_code: a number from 100 to 599"),
        ({"model": "y" * 70_000}, "model: at most 65536 characters"),
        ({"tool_names": ["y" * 70_000]}, "tool_names: at most 65536 characters each"),
        ({"cost_nano": 1.5}, "cost_nano: Expected `int | null`, got `float`"),
        ({"output_tps": float("nan")}, "output_tps: a number from 0 on"),
        ({"attempts": "[1"}, "attempts: this is no JSON"),
        ({"tool_names": "x"}, "tool_names: Expected `array`, got `str`"),
        ({"metadata": {"a": 1}}, r"metadata\[...\].*: Expected `str`, got `int`"),
        ({"colour": "red"}, "there is no column 'colour'"),
        ({"request": 5}, "request: Expected `str`, got `int`"),
        ({"request": "base64:?"}, "request: what follows base64: is not base64"),
        ({"body_details": "[]"}, "body_details: Expected `object`, got `array`"),
        ({"body_details": '{"failed":[{"number":-1}]}'}, "body_details: the numbers of attempts"),
        ({"body_details": '{"failed":[{"number":1},{"number":1}]}'}, "body_details: the numbers of attempts"),
    ],
)
def test_what_is_wrong_is_named_by_its_column(values, message):
    with pytest.raises(ValueError, match=message):
        read(**values)


def test_what_follows_from_others_is_made_again():
    row = read(duration_us=1500, duration_bucket=99, end_user="ada", end_user_hash=1).row
    assert (row.duration_bucket, row.end_user_hash) == (bucket_of(1500), user_hash("ada"))


def test_metadata_may_stand_in_columns_of_their_own():
    assert read(**{"meta.team": "search", "metadata.env": "live"}).row.metadata == {"team": "search", "env": "live"}


def test_a_row_alone_has_neither_previews_nor_bodies():
    found = read()
    assert (found.preview, found.kept) == (None, None)


def test_previews_alone_can_be_found():
    found = read(request_preview="ask", response_preview="say")
    assert (found.preview.request_preview, found.preview.text, found.kept) == ("ask", "ask\nsay", None)


def test_bodies_without_details_and_previews_are_looked_through():
    kept = read(request='{"messages":[{"role":"user","content":"ask"}]}').kept
    assert (kept.request_preview, kept.text, kept.views[0].size_bytes) == ("ask", "ask", 46)


@pytest.mark.parametrize(
    "values",
    [
        {"metadata": {"key": SECRET}}, {"error_message": SECRET}, {"attempts": f'["{SECRET}"]'}, {"user_agent": SECRET},
        {"request": SECRET}, {"response_preview": SECRET}, {"span_name": SECRET},
        {"body_details": f'{{"failed":[{{"number":0,"response":"{SECRET}"}}]}}'},
        {"body_details": f'{{"request_headers":[["x-note","{SECRET}"],["authorization","Bearer {SECRET}"]]}}'},
    ],
)  # fmt: skip
def test_secrets_are_taken_out_wherever_they_stand(values):
    found = read(**values)
    assert SECRET not in repr(found)
    assert "SECRET" in repr(found)


def test_personal_data_goes_where_rules_say_so():
    rules = Rules(mode="redacted", personal=("email",))
    found = read(
        rules, end_user="ada@example.com", request='{"messages":[{"role":"user","content":"ada@example.com"}]}'
    )
    assert "ada@" not in repr(found)
    assert found.row.end_user_hash == user_hash(found.row.end_user)
    assert found.kept.redactions == {"email": 1}


@pytest.mark.parametrize("mode", ["metrics_only", "off"])
def test_where_no_bodies_may_be_kept_none_are(mode):
    found = read(Rules(mode=mode), request="{}", request_preview="x", metadata={"team": "a"})
    assert (found.kept, found.preview) == (None, None)
    assert found.row.metadata == ({"team": "a"} if mode == "metrics_only" else {})


def test_hashes_that_stand_for_headers_stay():
    details = '{"request_headers":[["x-api-token","sha256:0123abcd"],["x-api-token","plain"]]}'
    headers = read(body_details=details).kept.request_headers
    assert headers[0] == ("x-api-token", "sha256:0123abcd")
    assert headers[1][1].startswith("sha256:")
    assert headers[1][1] != "sha256:0123abcd"


@pytest.mark.parametrize("values, failed", [({}, False), ({"is_error": False}, False), ({"is_error": None}, True)])
def test_a_status_says_whether_a_request_failed_where_nothing_else_does(values, failed):
    assert read(status_code=500, **values).row.is_error is (failed or not values)


@pytest.mark.parametrize(
    "names, message",
    [
        (["id", "started_us", "colour"], "there is no column 'colour'"),
        (["id", "started_us", "meta."], "there is no column 'meta.'"),
        (["id", "started_us", "model", "model"], "the column 'model' is there twice"),
        (["started_us"], "there is no column id, which every record needs"),
        ([" id"], "there is no column ' id'"),
    ],
)
def test_columns_are_checked_before_any_record(names, message):
    with pytest.raises(InvalidRequest, match=message):
        check_columns(names)


def test_columns_of_exports_are_columns():
    check_columns(["id", "started_us", "meta.team", "metadata.x", "request_preview", "body_details", "end_user_hash"])
