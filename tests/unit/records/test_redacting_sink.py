from __future__ import annotations

import msgspec
import pytest

from lockgate.core.record import Record
from lockgate.records.redacting_sink import FREE_TEXTS, RedactingSink, redact_record
from lockgate.records.redaction import DEFAULT, Rules

KEY = "sk-" + "ant-api03-" + "a1B2c3D4" * 6
PLAIN = Record(
    schema_version=2, id="rec_1", trace_id="t", started_at=1.0, method="POST", route="chat", dialect="openai_chat", status=200,
    workspace_id="ws", metadata={"team": "search"}, user_agent="curl",
)  # fmt: skip


class Sink:
    def __init__(self):
        self.records = []

    def write(self, record):
        self.records.append(record)


def test_a_record_without_secrets_is_passed_on_as_it_is():
    sink = Sink()
    RedactingSink(sink).write(PLAIN)
    assert sink.records[0] is PLAIN


def test_no_member_that_a_client_writes_lets_a_secret_through():
    for name in FREE_TEXTS:
        found = redact_record(msgspec.structs.replace(PLAIN, **{name: f"x {KEY}"}), DEFAULT)
        assert getattr(found, name) == "x [SECRET:anthropic:c3D4]"
        assert found.metadata == PLAIN.metadata
    found = redact_record(msgspec.structs.replace(PLAIN, metadata={"note": KEY}), DEFAULT)
    assert found.metadata == {"note": "[SECRET:anthropic:c3D4]"}
    assert found.user_agent == "curl"


def test_the_rules_are_those_of_the_workspace():
    sink = Sink()
    rules = {"ws": Rules(mode="redacted", personal=("email",)), "other": Rules()}
    before = RedactingSink(sink, lambda workspace: rules[workspace])
    for workspace in ("ws", "other"):
        before.write(msgspec.structs.replace(PLAIN, workspace_id=workspace, metadata={"who": "joe@example.com"}))
    assert [record.metadata["who"] for record in sink.records] == ["[PII:email]", "joe@example.com"]


def test_ids_of_our_own_are_not_looked_through_and_those_of_clients_are():
    rules = Rules(mode="redacted", personal=("card",))
    number = "4111111111111111"
    own = msgspec.structs.replace(PLAIN, id=f"rec_{number * 2}", trace_id=f"{number}-{number}", span_id=number)
    assert redact_record(own, rules) is own
    assert redact_record(msgspec.structs.replace(own, trace_id=number), rules).trace_id == "[PII:card]"
    assert redact_record(msgspec.structs.replace(own, id="rec_1"), rules).span_id == "[PII:card]"


def test_what_was_found_clean_by_some_rules_is_looked_through_by_others():
    agent = msgspec.structs.replace(PLAIN, user_agent="joe@example.com")
    assert redact_record(agent, Rules()) is agent
    assert redact_record(agent, Rules(mode="redacted", personal=("email",))).user_agent == "[PII:email]"
    assert redact_record(agent, Rules()) is agent


def test_every_free_text_is_a_member_of_a_record():
    assert set(FREE_TEXTS) <= {field.name for field in msgspec.structs.fields(Record)}


def written(rules, **changes):
    sink = Sink()
    RedactingSink(sink, lambda _workspace: rules).write(msgspec.structs.replace(PLAIN, **changes))
    return sink.records[0]


@pytest.mark.parametrize(
    ("mode", "to", "agent"),
    [
        ("full", "ann@example.org", "curl"),
        ("redacted", "[PII:email]", "curl"),
        ("off", None, None),
        (None, "ann@example.org", "curl"),
    ],
)
def test_the_mode_of_the_record_goes_before_that_of_its_workspace(mode, to, agent):
    rules = Rules(personal=("email",), drop_paths=("a.b",))
    found = written(rules, metadata={"to": "ann@example.org"}, log_mode=mode)
    assert (found.metadata.get("to"), found.user_agent) == (to, agent)


def test_paths_of_bodies_do_not_hide_secrets_in_metadata():
    rules = Rules(mode="redacted", drop_paths=("a.b",))
    assert written(rules, metadata={"k": KEY}, log_mode="redacted").metadata == {"k": "[SECRET:anthropic:c3D4]"}


def test_who_wants_nothing_kept_leaves_no_address():
    assert written(Rules(), client_ip="10.0.0.0/24", log_mode="off").client_ip is None
    assert written(Rules(), client_ip="10.0.0.0/24", log_mode="full").client_ip == "10.0.0.0/24"


def test_the_name_of_a_shelf_in_the_cache_is_looked_through():
    assert written(Rules(), cache_namespace=KEY).cache_namespace == "[SECRET:anthropic:c3D4]"


@pytest.mark.parametrize(("mode", "kept"), [("full", "203.0.113.7"), ("redacted", "[PII:ip]")])
def test_where_addresses_are_personal_the_clients_own_is_taken_out_too(mode, kept):
    rules = Rules(mode="redacted", personal=("ip",))
    assert written(rules, client_ip="203.0.113.7", log_mode=mode).client_ip == kept
