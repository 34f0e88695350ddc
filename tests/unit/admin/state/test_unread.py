from lockgate.admin.state.text import state_of
from lockgate.admin.state.unread import unread_references

DOCUMENT = {
    "integrations": [
        {
            "slug": "main",
            "name": "Main",
            "ai_provider_id": "openai",
            "key": "env:HERE",
            "configurations": {"aws_secret_access_key": "env:NOT_HERE", "region": "eu"},
            "models": [{"slug": "m", "configurations": {"api_key": "file:/no/such/file"}}],
        },
        {"slug": "plain", "name": "Plain", "ai_provider_id": "openai"},
    ],
    "secret_references": [
        {"slug": "spare", "name": "Spare", "manager_type": "env", "secret_path": "SPARE"},
        {"slug": "far", "name": "Far", "manager_type": "aws_sm", "secret_path": "far/away"},
    ],
}


def test_each_reference_that_leads_nowhere_is_told_with_its_place():
    found = unread_references(state_of(DOCUMENT), {"HERE": "sk-1"})
    assert [each.partition("; ")[0] for each in found] == [
        "integrations main.configurations.aws_secret_access_key: the environment variable NOT_HERE is not set",
        "integrations main.models m.configurations.api_key: "
        "cannot read the secret file /no/such/file: No such file or directory",
        "secret_references spare.secret_path: the environment variable SPARE is not set",
    ]


def test_a_document_without_references_needs_nothing():
    assert unread_references(state_of({"keys": []}), {}) == []
