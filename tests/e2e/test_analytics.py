"""Charts and groups of what the gateway has served, asked with the unmodified Portkey SDKs."""

from __future__ import annotations

import asyncio
import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path

import portkey_ai
import pytest

from lockgate.records.analytics import GRAPHS, SPLIT_GRAPHS
from lockgate.records.feedback_graphs import FEEDBACK_GRAPHS
from tests.e2e.gateway import clean_environment, running
from tests.e2e.test_records import KEYS, call, wait_for

GROUPED = ("ai_service", "model", "status_code", "api_key", "config", "workspace", "provider", "prompt")


def day() -> dict[str, str]:
    now = datetime.now(UTC)
    times = {"min": now - timedelta(hours=20), "max": now + timedelta(hours=4)}
    return {f"time_of_generation_{end}": moment.isoformat() for end, moment in times.items()}


def methods(resource: object) -> list[str]:
    """What a user can call of a part of the SDK."""
    found = inspect.getmembers(resource, inspect.ismethod)
    return [name for name, _ in found if not name.startswith("_")]


@pytest.mark.parametrize("workers", [1, 2])
def test_requests_are_charted_and_grouped_with_the_portkey_sdk(tmp_path: Path, workers: int) -> None:
    arguments = ["up", "--port", "0", "--workers", str(workers)]
    with running(arguments, folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        base_url = f"{server.url}/v1"
        client = portkey_ai.Portkey(
            base_url=base_url, api_key="k", trace_id="t1", metadata={"_user": "maria", "team": "search"}
        )
        for _ in range(3):
            call(client)
        other = portkey_ai.Portkey(base_url=base_url, api_key="k", metadata={"team": "ads"})
        with pytest.raises(Exception, match="at least one message"):
            other.chat.completions.create(model="@anthropic/claude-haiku-4-5-20251001", messages=[])
        client.feedback.create(trace_id="t1", value=7)
        rows = wait_for(server, 4)
        spent = sum(row.get("cost_nano", 0) for row in rows) / 10**7

        graphs = client.analytics.graphs
        names = methods(graphs)
        assert len(names) == len(GRAPHS) + len(SPLIT_GRAPHS) + len(FEEDBACK_GRAPHS) == 17
        answers = {name: getattr(graphs, name)(**day()) for name in names}
        assert all(answer.object == "analytics-graph" for answer in answers.values())
        assert {name: answers[name].summary["total"] for name in ("requests", "errors", "users", "feedbacks")} == {
            "requests": 4, "errors": 1, "users": 1, "feedbacks": 1,
        }  # fmt: skip
        assert answers["cost"].summary["total"] == pytest.approx(spent)
        assert answers["errors_status_codes"].data == [{"status_code": 400, "count": 1}]
        assert answers["feedbacks_ai_models"].data[0]["avg_weighted_feedback"] == 7
        assert sum(point["total"] for point in answers["requests"].data) == 4
        assert answers["latency"].summary["p50"] > 0
        assert graphs.requests(**day(), metadata='{"team":"ads"}').summary == {"total": 1}
        assert graphs.requests(**day(), status_code="200", cost_min=0.000001).summary == {"total": 3}

        groups = client.analytics.groups
        assert groups.users(**day()).data[0] | {"cost": 0} == {
            "user": "maria", "requests": 3, "cost": 0, "object": "analytics-group",
        }  # fmt: skip
        by_team = groups.metadata(metadata_key="team", **day(), order_by="requests", order_by_type="asc")
        assert [(row["metadata_value"], row["requests"]) for row in by_team.data] == [("ads", 1), ("search", 3)]
        for name in GROUPED:
            found = groups.group_by(group_by=name, columns="cost,p99_latency", include_total=True, **day())
            assert (found.object, found.total) == ("list", len(found.data))
            assert sum(row["requests"] for row in found.data) == (0 if name == "prompt" else 4)
        by_model = groups.ai_models(**day()).data
        assert {row["ai_model"]: row["requests"] for row in by_model} == {rows[-1]["model"]: 4}
        assert groups.workspaces(**day()).total == 1
        assert client.analytics.summary.cache(**day()).data["total_requests"] == 4
        for each in (client, other):
            each.close()
            each.openai_client.close()


def test_the_asynchronous_client_gets_the_same(tmp_path: Path) -> None:
    with running(["up", "--port", "0"], folder=tmp_path, environment=clean_environment(**KEYS)) as server:
        with portkey_ai.Portkey(base_url=f"{server.url}/v1", api_key="k") as client:
            call(client)
            client.openai_client.close()
        wait_for(server, 1)

        async def ask() -> None:
            client = portkey_ai.AsyncPortkey(base_url=f"{server.url}/v1", api_key="k")
            for name in methods(client.analytics.graphs):
                answer = await getattr(client.analytics.graphs, name)(**day())
                assert answer.object == "analytics-graph"
            assert (await client.analytics.graphs.requests(**day())).summary == {"total": 1}
            assert (await client.analytics.groups.ai_models(**day())).total == 1
            assert (await client.analytics.summary.cache(**day())).data["total_requests"] == 1
            await client.close()
            await client.openai_client.close()

        asyncio.run(ask())
