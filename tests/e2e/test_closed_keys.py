"""Who is disabled is told so, by both planes, and opens again when that is undone."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.catalog import ADMIN_KEY, running_catalog
from tests.e2e.gateway import Evidence

pytestmark = pytest.mark.timeout(120)


def test_the_key_of_a_person_who_is_disabled_says_so(e2e_folder: Path, evidence: Evidence) -> None:
    folder = e2e_folder / "closed"
    evidence.folders.append(folder)
    with (
        running_catalog(folder) as server,
        httpx.Client(base_url=f"{server.url}/v1", trust_env=False, timeout=30) as client,
    ):
        admin = {"x-portkey-api-key": ADMIN_KEY}
        invite = {
            "email": "ann@example.org", "role": "member", "workspaces": [{"id": "ws-shared", "role": "member"}],
            "workspace_api_key_details": {"scopes": ["completions.write", "models.list"]},
        }  # fmt: skip
        link = client.post("/admin/users/invites", json=invite, headers=admin).raise_for_status().json()["invite_link"]
        token = link.rpartition("/")[2].rpartition("=")[2]
        accept = {"token": token, "first_name": "Ann", "last_name": "Lee"}
        made = client.post("/admin/users/invites/accept", json=accept).raise_for_status().json()
        key = evidence.hide("a person's key", made["api_keys"][0]["key"])
        (ann,) = [
            one for one in client.get("/admin/users", headers=admin).json()["data"] if one["email"] == "ann@example.org"
        ]
        call = {"model": "@anthropic/claude-haiku-4-5", "messages": [{"role": "user", "content": "Hi"}]}

        def asked() -> httpx.Response:
            return client.post("/chat/completions", json=call, headers={"authorization": f"Bearer {key}"})

        assert asked().status_code != 401
        client.put(f"/admin/users/{ann['id']}", json={"status": "disabled"}, headers=admin).raise_for_status()
        deadline_s = time.monotonic() + 30
        while (answer := asked()).status_code != 401:
            assert time.monotonic() < deadline_s, "the key still opens"
            time.sleep(0.05)
        assert "belongs to a person who is disabled" in answer.json()["error"]["message"]
        assert key not in answer.text
        refused = client.get("/me", headers={"x-portkey-api-key": key})
        assert refused.status_code == 401
        assert "belongs to a person who is disabled" in refused.json()["message"]
        client.put(f"/admin/users/{ann['id']}", json={"status": "active"}, headers=admin).raise_for_status()
        deadline_s = time.monotonic() + 30
        while asked().status_code == 401:
            assert time.monotonic() < deadline_s, "the key does not open again"
            time.sleep(0.05)
