"""Metadata of requests, as SDKs attach it: for whom a request is, where in a trace, and what it adds up to by any key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import openai
import portkey_ai
import pytest

from tests.e2e.gateway import clean_environment, running
from tests.e2e.test_analytics import day
from tests.e2e.test_records import KEYS, MODEL, logs, wait_for

MESSAGES: Any = [{"role": "user", "content": "Hello!"}]


@pytest.mark.parametrize("workers", [1, 2])
def test_for_whom_and_for_what(tmp_path: Path, workers: int) -> None:
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        base_url = f"{server.url}/v1"
        with openai.OpenAI(base_url=base_url, api_key="k") as plain:
            plain.chat.completions.create(model=MODEL, max_tokens=20, messages=MESSAGES, user="otto")
        said = {"team": "search", "n": 5, "long": "x" * 200, "traceId": "run-7", "spanName": "step"}
        client = portkey_ai.Portkey(base_url=base_url, api_key="k", metadata=said)
        client.chat.completions.create(model=MODEL, max_tokens=20, messages=MESSAGES, user="maria")
        named = portkey_ai.Portkey(base_url=base_url, api_key="k", metadata={"_user": "kim", "team": "search"})
        named.chat.completions.create(model=MODEL, max_tokens=20, messages=MESSAGES, user="maria")
        wait_for(server, 3)
        (found,) = logs(server, "trace_id=run-7")
        assert (found["end_user"], found["span_name"], found["metadata_truncated"]) == ("maria", "step", True)
        assert (found["metadata"]["n"], len(found["metadata"]["long"])) == ("5", 128)
        users = client.analytics.groups.users(**day()).data
        assert {row["user"]: row["requests"] for row in users} == {"otto": 1, "maria": 1, "kim": 1}
        by_team = client.analytics.groups.metadata(metadata_key="team", **day()).data
        assert [(row["metadata_value"], row["requests"]) for row in by_team] == [("search", 2)]
        assert client.analytics.graphs.users(**day()).summary == {"total": 3}
        for each in (client, named):
            each.close()
            each.openai_client.close()


def test_keys_carry_what_the_organisation_demands(tmp_path: Path) -> None:
    schema = {"properties": {"team": {"enum": ["search", "ads"]}, "tier": {"default": "free"}}, "required": ["team"]}
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        base_url = f"{server.url}/v1"
        boss = portkey_ai.Portkey(base_url=base_url, api_key="boss")
        boss.put(path="/admin/organisation/defaults", body={"key_metadata_schema": schema})
        asked: Any = {"name": "k", "type": "workspace", "sub_type": "service", "scopes": ["completions.write"]}
        with pytest.raises(Exception, match="team must be one of search, ads"):
            boss.api_keys.create(**asked, defaults={"metadata": {"team": "other"}})
        made = boss.api_keys.create(**asked, defaults={"metadata": {"team": "ads"}})
        with openai.OpenAI(base_url=base_url, api_key=made.key) as plain:
            plain.chat.completions.create(model=MODEL, max_tokens=20, messages=MESSAGES)
        (found,) = wait_for(server, 1)
        assert found["metadata"] == {"team": "ads", "tier": "free"}
        boss.close()
        boss.openai_client.close()


CLAUDE: Any = {"model": "@anthropic/claude-haiku-4-5", "max_tokens": 20, "messages": MESSAGES}


def test_headers_become_metadata_and_bodies_name_users(tmp_path: Path) -> None:
    (tmp_path / "lockgate.toml").write_text('[metadata]\nheaders = ["X-Team"]\nuser_from_body = true\n')
    environment = clean_environment(**KEYS, HEADERS_TO_METADATA="x-region,X-TICKET")
    with running(["up", "--port", "0"], folder=tmp_path, environment=environment) as server:
        sent = {"x-team": "search", "X-Ticket": "7", "x-portkey-metadata": '{"x-ticket": "8"}', "baggage": "x-team=ads"}
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", default_headers=sent) as plain:
            plain.chat.completions.create(model=MODEL, max_tokens=20, messages=MESSAGES, safety_identifier="s1")
            plain.chat.completions.create(
                model=MODEL, max_tokens=20, messages=MESSAGES, safety_identifier="s1", user="otto"
            )
        with anthropic.Anthropic(base_url=server.url, api_key="k") as claude:
            claude.messages.create(**CLAUDE, metadata={"user_id": "u1"})
        found = {row["end_user"]: row["metadata"] for row in wait_for(server, 3)}
        assert found.keys() == {"s1", "otto", "u1"}
        assert found["otto"] == {"_user": "otto", "x-team": "ads", "x-ticket": "8"}
        assert found["u1"] == {"_user": "u1"}
