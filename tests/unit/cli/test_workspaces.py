def test_the_life_of_a_workspace(run, ask):
    made = ask("workspaces", "create", "Research", "--slug", "ws-research", "--budget", "500/month")
    assert (made["slug"], made["usage_limits"][0]["credit_limit"]) == ("ws-research", 500)
    assert "ws-research" in run("workspaces", "list")
    changed = ask("workspaces", "update", "Research", "--name", "Labs", "--rate", "9/s", "--reset-usage")
    assert (changed["name"], changed["rate_limits"]) == ("Labs", [{"type": "requests", "unit": "rps", "value": 9}])
    assert "Labs" in run("workspaces", "show", "ws-research")
    ask("keys", "create", "k", "--workspace", "ws-research")
    assert "still contains 1 API key" in run("workspaces", "delete", "Labs", "--yes", status=1)
    assert run("workspaces", "delete", "Labs", "--yes", "--force") == "Workspace ws-research is deleted.\n"
    assert [each["is_default"] for each in ask("workspaces", "list")] == [1]
    assert "default one" in run("workspaces", "delete", "Shared Team Workspace", "--yes", status=1)
