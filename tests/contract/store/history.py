"""Rows as each version wrote them: what a database of that version may hold. Recorded, not made by today's code."""

from __future__ import annotations

ROWS: list[tuple[str, str, list[dict[str, object]]]] = [
    (
        "0001",
        "INSERT INTO audit_entries (sequence, at, organisation_id, workspace_id, actor_kind, actor_id, action, resource_type, resource_id, method, uri, request_id, client_ip, document, digest) VALUES (:sequence, :at, :organisation_id, :workspace_id, :actor_kind, :actor_id, :action, :resource_type, :resource_id, :method, :uri, :request_id, :client_ip, :document, :digest)",
        [
            {
                "sequence": 1,
                "at": 1795909941394,
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "workspace_id": None,
                "actor_kind": "system",
                "actor_id": None,
                "action": "create",
                "resource_type": "organisation",
                "resource_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "method": None,
                "uri": None,
                "request_id": None,
                "client_ip": None,
                "document": '{"sequence":1,"at":"2026-11-28T23:52:21.394000Z","actor_kind":"system","actor_id":null,"organisation_id":"01a22492-f892-7001-9d66-4f27fef28785","workspace_id":null,"action":"create","resource_type":"organisation","resource_id":"01a22492-f892-7001-9d66-4f27fef28785","before":null,"after":{"id":"01a22492-f892-7001-9d66-4f27fef28785","organisation_id":"01a22492-f892-7001-9d66-4f27fef28785","status":"active","version":1,"created_at":"2026-11-28T23:52:21.394000Z","updated_at":"2026-11-28T23:52:21.394000Z","archived_at":null,"created_by":null,"updated_by":null,"name":"Acme","slug":"acme","defaults":{"metadata":{},"config_id":null,"input_guardrails":[],"output_guardrails":[]},"settings":{},"key_metadata_schema":null,"workspace_metadata_schema":null,"api_key_max_ttl_s":null,"api_key_max_transition_s":null,"denied_export_fields":[],"block_inline_config":false},"method":null,"uri":null,"request_id":null,"client_ip":null,"digest":""}',
                "digest": "e4c90c774959877260b7c6e5e12db8035dc95b5394fd025c6842c6ab30facd3b",
            },
            {
                "sequence": 2,
                "at": 1795909941394,
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "workspace_id": "01a22492-f892-7002-abf4-234af74cc94e",
                "actor_kind": "system",
                "actor_id": None,
                "action": "create",
                "resource_type": "workspace",
                "resource_id": "01a22492-f892-7002-abf4-234af74cc94e",
                "method": None,
                "uri": None,
                "request_id": None,
                "client_ip": None,
                "document": '{"sequence":2,"at":"2026-11-28T23:52:21.394000Z","actor_kind":"system","actor_id":null,"organisation_id":"01a22492-f892-7001-9d66-4f27fef28785","workspace_id":"01a22492-f892-7002-abf4-234af74cc94e","action":"create","resource_type":"workspace","resource_id":"01a22492-f892-7002-abf4-234af74cc94e","before":null,"after":{"id":"01a22492-f892-7002-abf4-234af74cc94e","organisation_id":"01a22492-f892-7001-9d66-4f27fef28785","status":"active","version":1,"created_at":"2026-11-28T23:52:21.394000Z","updated_at":"2026-11-28T23:52:21.394000Z","archived_at":null,"created_by":null,"updated_by":null,"name":"Alpha","slug":"ws-alpha","description":null,"icon":null,"is_default":true,"defaults":{"metadata":{},"config_id":null,"user_api_key_config":null,"input_guardrails":[],"output_guardrails":[]},"usage_limits":[],"rate_limits":[],"security_settings":{},"settings":{},"creation_source":"api"},"method":null,"uri":null,"request_id":null,"client_ip":null,"digest":""}',
                "digest": "633700132e6692d2456732064c24f286fced7f4c03a52f412a0c1c7fbd349432",
            },
            {
                "sequence": 3,
                "at": 1795909941394,
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "workspace_id": "01a22492-f892-7002-abf4-234af74cc94e",
                "actor_kind": "system",
                "actor_id": None,
                "action": "create",
                "resource_type": "integration",
                "resource_id": "01a22492-f892-7003-80ea-aa834ed16876",
                "method": None,
                "uri": None,
                "request_id": None,
                "client_ip": None,
                "document": '{"sequence":3,"at":"2026-11-28T23:52:21.394000Z","actor_kind":"system","actor_id":null,"organisation_id":"01a22492-f892-7001-9d66-4f27fef28785","workspace_id":"01a22492-f892-7002-abf4-234af74cc94e","action":"create","resource_type":"integration","resource_id":"01a22492-f892-7003-80ea-aa834ed16876","before":null,"after":{"id":"01a22492-f892-7003-80ea-aa834ed16876","organisation_id":"01a22492-f892-7001-9d66-4f27fef28785","status":"active","version":1,"created_at":"2026-11-28T23:52:21.394000Z","updated_at":"2026-11-28T23:52:21.394000Z","archived_at":null,"created_by":null,"updated_by":null,"name":"Main","slug":"main","provider":"anthropic","workspace_id":"01a22492-f892-7002-abf4-234af74cc94e","description":null,"configurations":{},"references":{},"masks":{"key":"kep*****ial"},"secret_mappings":[],"allow_all_models":true,"pricing_adjustments":null,"global_access":{"is_enabled":false,"usage_limits":[],"rate_limits":[]},"usage_limits":[],"rate_limits":[],"is_hidden":false,"tags":[]},"method":null,"uri":null,"request_id":null,"client_ip":null,"digest":""}',
                "digest": "e65115621c73351204b925caa08bce72837ba308e38fb4e08dc6de14e9a99a7e",
            },
            {
                "sequence": 4,
                "at": 1795909941480,
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "workspace_id": "01a22492-f892-7002-abf4-234af74cc94e",
                "actor_kind": "system",
                "actor_id": None,
                "action": "create",
                "resource_type": "provider",
                "resource_id": "01a22492-f8e8-7001-878b-bee42937d0eb",
                "method": None,
                "uri": None,
                "request_id": None,
                "client_ip": None,
                "document": '{"sequence":4,"at":"2026-11-28T23:52:21.480000Z","actor_kind":"system","actor_id":null,"organisation_id":"01a22492-f892-7001-9d66-4f27fef28785","workspace_id":"01a22492-f892-7002-abf4-234af74cc94e","action":"create","resource_type":"provider","resource_id":"01a22492-f8e8-7001-878b-bee42937d0eb","before":null,"after":{"id":"01a22492-f8e8-7001-878b-bee42937d0eb","organisation_id":"01a22492-f892-7001-9d66-4f27fef28785","status":"active","version":1,"created_at":"2026-11-28T23:52:21.480000Z","updated_at":"2026-11-28T23:52:21.480000Z","archived_at":null,"created_by":null,"updated_by":null,"workspace_id":"01a22492-f892-7002-abf4-234af74cc94e","integration_id":"01a22492-f892-7003-80ea-aa834ed16876","slug":"claude","name":"Claude","note":"kept","usage_limits":[],"rate_limits":[],"expires_at":null,"settings":{},"is_virtual_key":false,"tags":[],"last_reset_at":null},"method":null,"uri":null,"request_id":null,"client_ip":null,"digest":""}',
                "digest": "ae1a2122061cac6df63b43ec1b92b7e9adc8154360101ec287f4d6edad4a12a6",
            },
        ],
    ),
    (
        "0001",
        "INSERT INTO audit_head (id, sequence, digest, seal) VALUES (:id, :sequence, :digest, :seal)",
        [
            {
                "id": 1,
                "sequence": 4,
                "digest": "ae1a2122061cac6df63b43ec1b92b7e9adc8154360101ec287f4d6edad4a12a6",
                "seal": "efc7a50ed5642bdc9d9db7ae920f903758ac475f76fd20019f5e81211c0f6d7a",
            }
        ],
    ),
    (
        "0001",
        "INSERT INTO changes (revision, at, organisation_id, resource_type, resource_id, action) VALUES (:revision, :at, :organisation_id, :resource_type, :resource_id, :action)",
        [
            {
                "revision": 3,
                "at": 1795909941480,
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "resource_type": "provider",
                "resource_id": "01a22492-f8e8-7001-878b-bee42937d0eb",
                "action": "create",
            }
        ],
    ),
    (
        "0001",
        "INSERT INTO data_keys (id, master_key_id, wrapped, created_at) VALUES (:id, :master_key_id, :wrapped, :created_at)",
        [
            {
                "id": "audit",
                "master_key_id": "38db791e427a542d",
                "wrapped": b"\xb2\xf8U\x0bJ\xbe\xc0L\x18\xc6\xa3]k9-B\x97\xc1\xbb\xc6 \xcb_aC\xf2\x99\x97N\x87\x17\x8f\xa1\xd6*\xc9$[\xa4\x18\x81\xb0\x0f\xf66\xaf\x0e \x15\x8b\xbd\x13\x98\xb9\xc7\x13d@\xb89",
                "created_at": 1795909941394,
            },
            {
                "id": "01a22492-f892-7001-9d66-4f27fef28785",
                "master_key_id": "38db791e427a542d",
                "wrapped": b'|P\xe2\xeaa\x12\x8f\xf4\xa3\x06\x10\x1f\x1a\xc4\x91\tg\xb6\x04<\xba\x82D\xfe\x88\n\xd7\x84\xb0\xa5\xaf"\x96T\\\xc7\xf6\x19\xcb\xca\x08:\xafwdQ\x0c\x88_V\xbc\x89\x12\x9a+\x88\x1cU\x90?',
                "created_at": 1795909941394,
            },
        ],
    ),
    (
        "0001",
        "INSERT INTO organisations (id, organisation_id, status, version, created_at, updated_at, archived_at, slug, name, document) VALUES (:id, :organisation_id, :status, :version, :created_at, :updated_at, :archived_at, :slug, :name, :document)",
        [
            {
                "id": "01a22492-f892-7001-9d66-4f27fef28785",
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "status": "active",
                "version": 1,
                "created_at": 1795909941394,
                "updated_at": 1795909941394,
                "archived_at": None,
                "slug": "acme",
                "name": "Acme",
                "document": '{"created_by":null,"updated_by":null,"defaults":{"metadata":{},"config_id":null,"input_guardrails":[],"output_guardrails":[]},"settings":{},"key_metadata_schema":null,"workspace_metadata_schema":null,"api_key_max_ttl_s":null,"api_key_max_transition_s":null,"denied_export_fields":[],"block_inline_config":false}',
            }
        ],
    ),
    (
        "0001",
        "INSERT INTO secrets (owner_id, field, organisation_id, ciphertext) VALUES (:owner_id, :field, :organisation_id, :ciphertext)",
        [
            {
                "owner_id": "01a22492-f892-7003-80ea-aa834ed16876",
                "field": "key",
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "ciphertext": b"\x01\x83*\xa4\xde\x02\x18r\xa7\xd6\x97\x17\xad\x9b5\xd0b\xf8\xf9\x08?\xaf}c|\xa6\xab\xb7.\x1f\xee\xa4\xcf\xa0*k9-2`|6N-",
            }
        ],
    ),
    (
        "0001",
        "INSERT INTO workspaces (id, organisation_id, status, version, created_at, updated_at, archived_at, slug, name, name_key, is_default, document) VALUES (:id, :organisation_id, :status, :version, :created_at, :updated_at, :archived_at, :slug, :name, :name_key, :is_default, :document)",
        [
            {
                "id": "01a22492-f892-7002-abf4-234af74cc94e",
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "status": "active",
                "version": 1,
                "created_at": 1795909941394,
                "updated_at": 1795909941394,
                "archived_at": None,
                "slug": "ws-alpha",
                "name": "Alpha",
                "name_key": "alpha",
                "is_default": True,
                "document": '{"created_by":null,"updated_by":null,"description":null,"icon":null,"defaults":{"metadata":{},"config_id":null,"user_api_key_config":null,"input_guardrails":[],"output_guardrails":[]},"usage_limits":[],"rate_limits":[],"security_settings":{},"settings":{},"creation_source":"api"}',
            }
        ],
    ),
    (
        "0001",
        "INSERT INTO integrations (id, organisation_id, status, version, created_at, updated_at, archived_at, slug, name, provider, workspace_id, is_hidden, document) VALUES (:id, :organisation_id, :status, :version, :created_at, :updated_at, :archived_at, :slug, :name, :provider, :workspace_id, :is_hidden, :document)",
        [
            {
                "id": "01a22492-f892-7003-80ea-aa834ed16876",
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "status": "active",
                "version": 1,
                "created_at": 1795909941394,
                "updated_at": 1795909941394,
                "archived_at": None,
                "slug": "main",
                "name": "Main",
                "provider": "anthropic",
                "workspace_id": "01a22492-f892-7002-abf4-234af74cc94e",
                "is_hidden": False,
                "document": '{"created_by":null,"updated_by":null,"description":null,"configurations":{},"references":{},"masks":{"key":"kep*****ial"},"secret_mappings":[],"allow_all_models":true,"pricing_adjustments":null,"global_access":{"is_enabled":false,"usage_limits":[],"rate_limits":[]},"usage_limits":[],"rate_limits":[],"tags":[]}',
            }
        ],
    ),
    (
        "0001",
        "INSERT INTO providers (id, organisation_id, status, version, created_at, updated_at, archived_at, workspace_id, integration_id, slug, name, document) VALUES (:id, :organisation_id, :status, :version, :created_at, :updated_at, :archived_at, :workspace_id, :integration_id, :slug, :name, :document)",
        [
            {
                "id": "01a22492-f8e8-7001-878b-bee42937d0eb",
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "status": "active",
                "version": 1,
                "created_at": 1795909941480,
                "updated_at": 1795909941480,
                "archived_at": None,
                "workspace_id": "01a22492-f892-7002-abf4-234af74cc94e",
                "integration_id": "01a22492-f892-7003-80ea-aa834ed16876",
                "slug": "claude",
                "name": "Claude",
                "document": '{"created_by":null,"updated_by":null,"note":"kept","usage_limits":[],"rate_limits":[],"expires_at":null,"settings":{},"is_virtual_key":false,"tags":[],"last_reset_at":null}',
            }
        ],
    ),
    (
        "0003",
        "INSERT INTO configs (id, organisation_id, status, version, created_at, updated_at, archived_at, workspace_id, slug, name, document) VALUES (:id, :organisation_id, :status, :version, :created_at, :updated_at, :archived_at, :workspace_id, :slug, :name, :document)",
        [
            {
                "id": "01a22492-f8e8-7001-878b-bee42937d0ec",
                "organisation_id": "01a22492-f892-7001-9d66-4f27fef28785",
                "status": "active",
                "version": 1,
                "created_at": 1795909941480,
                "updated_at": 1795909941480,
                "archived_at": None,
                "workspace_id": "01a22492-f892-7002-abf4-234af74cc94e",
                "slug": "pc-kept-000001",
                "name": "Kept",
                "document": '{"created_by":null,"updated_by":null,"text":"{\\"provider\\":\\"@other\\"}","secret_field":null,"providers":["other"],"version_id":"01a22492-f8e8-7001-878b-bee42937d0ed"}',
            }
        ],
    ),
    (
        "0003",
        "INSERT INTO config_versions (id, config_id, number, name, text, secret_field, created_at, created_by) VALUES (:id, :config_id, :number, :name, :text, :secret_field, :created_at, :created_by)",
        [
            {
                "id": "01a22492-f8e8-7001-878b-bee42937d0ed",
                "config_id": "01a22492-f8e8-7001-878b-bee42937d0ec",
                "number": 1,
                "name": "Kept",
                "text": '{"provider":"@other"}',
                "secret_field": None,
                "created_at": 1795909941480,
                "created_by": None,
            }
        ],
    ),
]
"""Since which version, how, and what."""

SECRETS = {("01a22492-f892-7003-80ea-aa834ed16876", "key"): "kept-credential"}
