"""The shape of every Anthropic request body, as data.

Derived from the types of the Anthropic Python SDK 2.12.0; a test compares each named shape with the installed SDK.
Fields with betas exist only when the request carries one of those flags.
"""

from __future__ import annotations

from typing import Any

from lockgate.simulator.anthropic import betas
from lockgate.simulator.shapes import (
    Check,
    Field,
    Scope,
    Shape,
    Tagged,
    Variant,
    anything,
    boolean,
    by_type,
    integer,
    list_of,
    mapping_of,
    nullable,
    number,
    one_of,
    opt,
    req,
    string,
    text_or,
)

NEW_VERSION = "2026-10-21"
ID_PATTERN = "^[a-zA-Z0-9_-]+$"

_STR = string()
_MAYBE_STR = nullable(_STR)
_INT = integer(least=0)
_MAYBE_INT = nullable(integer())
_IDENTIFIER = string(pattern=ID_PATTERN)
_ANY_OBJECT = mapping_of()


def _tag(value: str) -> Field:
    return req(one_of(value))


# --- cache control, citations -------------------------------------------------------------------------------------

_EPHEMERAL = Shape(
    "CacheControlEphemeralParam",
    {"type": _tag("ephemeral"), "ttl": opt(one_of("5m", "1h")), "scope": opt(_STR, *betas.CACHE_SCOPE)},
)
CACHE_CONTROL = nullable(Tagged({"ephemeral": _EPHEMERAL}))
_CACHED = {"cache_control": opt(CACHE_CONTROL)}

_CITED = {"cited_text": req(_STR)}
_IN_DOCUMENT = {**_CITED, "document_index": req(_INT), "document_title": req(_MAYBE_STR), "file_id": opt(_MAYBE_STR)}
CITATION = Tagged(
    {
        "char_location": Shape(
            "CitationCharLocationParam",
            {
                "type": _tag("char_location"),
                **_IN_DOCUMENT,
                "start_char_index": req(_INT),
                "end_char_index": req(_INT),
            },
        ),
        "page_location": Shape(
            "CitationPageLocationParam",
            {
                "type": _tag("page_location"),
                **_IN_DOCUMENT,
                "start_page_number": req(_INT),
                "end_page_number": req(_INT),
            },
        ),
        "content_block_location": Shape(
            "CitationContentBlockLocationParam",
            {
                "type": _tag("content_block_location"),
                **_IN_DOCUMENT,
                "start_block_index": req(_INT),
                "end_block_index": req(_INT),
            },
        ),
        "web_search_result_location": Shape(
            "CitationWebSearchResultLocationParam",
            {
                "type": _tag("web_search_result_location"),
                **_CITED,
                "encrypted_index": req(_STR),
                "title": req(_MAYBE_STR),
                "url": req(_STR),
            },
        ),
        "search_result_location": Shape(
            "CitationSearchResultLocationParam",
            {
                "type": _tag("search_result_location"),
                **_CITED,
                "search_result_index": req(_INT),
                "source": req(_STR),
                "title": req(_MAYBE_STR),
                "start_block_index": req(_INT),
                "end_block_index": req(_INT),
            },
        ),
    }
)
_CITATIONS_SWITCH = nullable(Shape("CitationsConfigParam", {"enabled": opt(boolean)}))

# --- content blocks -----------------------------------------------------------------------------------------------

TEXT = Shape(
    "TextBlockParam",
    {"type": _tag("text"), "text": req(_STR), "citations": opt(nullable(list_of(CITATION))), **_CACHED},
)
_FILE_ID = {"type": _tag("file"), "file_id": req(_STR)}
IMAGE = Shape(
    "ImageBlockParam",
    {
        "type": _tag("image"),
        "source": req(
            Tagged(
                {
                    "base64": Shape(
                        "Base64ImageSourceParam",
                        {
                            "type": _tag("base64"),
                            "data": req(_STR),
                            "media_type": req(one_of("image/jpeg", "image/png", "image/gif", "image/webp")),
                        },
                    ),
                    "url": Shape("URLImageSourceParam", {"type": _tag("url"), "url": req(_STR)}),
                    "file": Shape("FileImageSourceParam", _FILE_ID),
                }
            )
        ),
        "transformations": opt(
            nullable(Shape("ImageTransformationsParam", {"oversized_image": opt(one_of("downsize", "error"))}))
        ),
        **_CACHED,
    },
)
DOCUMENT = Shape(
    "DocumentBlockParam",
    {
        "type": _tag("document"),
        "source": req(
            Tagged(
                {
                    "base64": Shape(
                        "Base64PDFSourceParam",
                        {"type": _tag("base64"), "data": req(_STR), "media_type": req(one_of("application/pdf"))},
                    ),
                    "text": Shape(
                        "PlainTextSourceParam",
                        {"type": _tag("text"), "data": req(_STR), "media_type": req(one_of("text/plain"))},
                    ),
                    "content": Shape(
                        "ContentBlockSourceParam",
                        {
                            "type": _tag("content"),
                            "content": req(text_or(list_of(Tagged({"text": TEXT, "image": IMAGE})))),
                        },
                    ),
                    "url": Shape("URLPDFSourceParam", {"type": _tag("url"), "url": req(_STR)}),
                    "file": Shape("FileDocumentSourceParam", _FILE_ID),
                }
            )
        ),
        "citations": opt(_CITATIONS_SWITCH),
        "context": opt(_MAYBE_STR),
        "title": opt(_MAYBE_STR),
        **_CACHED,
    },
)
SEARCH_RESULT = Shape(
    "SearchResultBlockParam",
    {
        "type": _tag("search_result"),
        "content": req(list_of(TEXT, least=1)),
        "source": req(_STR),
        "title": req(_STR),
        "citations": opt(_CITATIONS_SWITCH),
        **_CACHED,
    },
)
_DIRECT = Shape("DirectCallerParam", {"type": _tag("direct")})
_TOOL_ID = {"tool_id": req(_STR)}
_CALLER = nullable(
    Tagged(
        {
            "direct": _DIRECT,
            "code_execution_20250825": Shape(
                "ServerToolCallerParam", {"type": _tag("code_execution_20250825"), **_TOOL_ID}
            ),
            "code_execution_20260120": Shape(
                "ServerToolCaller20260120Param", {"type": _tag("code_execution_20260120"), **_TOOL_ID}
            ),
        }
    )
)
TOOL_USE = Shape(
    "ToolUseBlockParam",
    {
        "type": _tag("tool_use"),
        "id": req(_IDENTIFIER),
        "name": req(string(min_length=1, max_length=200)),
        "input": req(_ANY_OBJECT),
        "caller": opt(_CALLER),
        "toolset_name": opt(_MAYBE_STR),
        **_CACHED,
    },
)
TOOL_REFERENCE = Shape("ToolReferenceBlockParam", {"type": _tag("tool_reference"), "tool_name": req(_STR), **_CACHED})
_TAB = {"tab_id": req(_STR)}
_DOWNLOAD = {"download_id": req(_STR), "url": req(_STR)}
BROWSER_STATE = Shape(
    "BrowserStateBlockParam",
    {
        "type": _tag("browser_state"),
        "tabs": req(
            list_of(
                Shape(
                    "BrowserStateTabEntryParam", {**_TAB, "title": req(_STR), "url": req(_STR), "active": opt(boolean)}
                )
            )
        ),
        "state_changes": opt(
            nullable(
                list_of(
                    Tagged(
                        {
                            "tab_opened": Shape(
                                "BrowserStateChangeTabOpenedParam", {"type": _tag("tab_opened"), **_TAB}
                            ),
                            "download_started": Shape(
                                "BrowserStateChangeDownloadStartedParam",
                                {"type": _tag("download_started"), **_DOWNLOAD},
                            ),
                            "download_completed": Shape(
                                "BrowserStateChangeDownloadCompletedParam",
                                {
                                    "type": _tag("download_completed"),
                                    **_DOWNLOAD,
                                    "path": opt(_MAYBE_STR),
                                    "size_bytes": opt(_MAYBE_INT),
                                },
                            ),
                            "download_failed": Shape(
                                "BrowserStateChangeDownloadFailedParam",
                                {"type": _tag("download_failed"), **_DOWNLOAD, "error": opt(_MAYBE_STR)},
                            ),
                        }
                    )
                )
            )
        ),
        **_CACHED,
    },
)
TOOL_RESULT = Shape(
    "ToolResultBlockParam",
    {
        "type": _tag("tool_result"),
        "tool_use_id": req(_IDENTIFIER),
        "content": opt(
            text_or(
                list_of(
                    Tagged(
                        {
                            "text": TEXT,
                            "image": IMAGE,
                            "search_result": SEARCH_RESULT,
                            "document": DOCUMENT,
                            "tool_reference": TOOL_REFERENCE,
                            "browser_state": BROWSER_STATE,
                        }
                    )
                )
            )
        ),
        "is_error": opt(boolean),
        "toolset_name": opt(_MAYBE_STR),
        **_CACHED,
    },
)
SERVER_TOOL_USE = Shape(
    "ServerToolUseBlockParam",
    {
        "type": _tag("server_tool_use"),
        "id": req(string(pattern="^srvtoolu_[a-zA-Z0-9_]+$")),
        "name": req(
            one_of(
                "web_search",
                "web_fetch",
                "code_execution",
                "bash_code_execution",
                "text_editor_code_execution",
                "tool_search_tool_regex",
                "tool_search_tool_bm25",
                gated={"advisor": betas.ADVISOR},
            )
        ),
        "input": req(_ANY_OBJECT),
        "caller": opt(_CALLER),
        **_CACHED,
    },
)


def _result(source: str, tag: str, content: Check, **more: Field) -> Shape:
    """The block that answers a server tool use."""
    return Shape(source, {"type": _tag(tag), "tool_use_id": req(_STR), "content": req(content), **more, **_CACHED})


def _failure(source: str, tag: str, *codes: str, **more: Field) -> Shape:
    return Shape(source, {"type": _tag(tag), "error_code": req(one_of(*codes)), **more})


_TOOL_FAILURES = ("invalid_tool_input", "unavailable", "too_many_requests")
_RUN_FAILURES = (*_TOOL_FAILURES, "execution_time_exceeded")
_ERROR_MESSAGE = {"error_message": opt(_MAYBE_STR)}
WEB_SEARCH_RESULT = Shape(
    "WebSearchResultBlockParam",
    {
        "type": _tag("web_search_result"),
        "encrypted_content": req(_STR),
        "title": req(_STR),
        "url": req(_STR),
        "page_age": opt(_MAYBE_STR),
    },
)
_RAN = {"return_code": req(integer()), "stderr": req(_STR)}


def _outputs(source: str, tag: str) -> Field:
    return req(list_of(Shape(source, {"type": _tag(tag), "file_id": req(_STR)})))


_LINES = {name: opt(_MAYBE_INT) for name in ("new_lines", "new_start", "old_lines", "old_start")}
SERVER_RESULTS: dict[str, Shape | Variant] = {
    "web_search_tool_result": _result(
        "WebSearchToolResultBlockParam",
        "web_search_tool_result",
        by_type(
            items=list_of(Tagged({"web_search_result": WEB_SEARCH_RESULT}, is_named=False)),
            keys=_failure(
                "WebSearchToolRequestErrorObjectParam",
                "web_search_tool_result_error",
                *_TOOL_FAILURES,
                "max_uses_exceeded",
                "query_too_long",
                "request_too_large",
            ),
        ),
        caller=opt(_CALLER),
    ),
    "web_fetch_tool_result": _result(
        "WebFetchToolResultBlockParam",
        "web_fetch_tool_result",
        Tagged(
            {
                "web_fetch_result": Shape(
                    "WebFetchBlockParam",
                    {
                        "type": _tag("web_fetch_result"),
                        "content": req(DOCUMENT),
                        "url": req(_STR),
                        "retrieved_at": opt(_MAYBE_STR),
                    },
                ),
                "web_fetch_tool_result_error": _failure(
                    "WebFetchToolResultErrorBlockParam",
                    "web_fetch_tool_result_error",
                    *_TOOL_FAILURES,
                    "url_too_long",
                    "url_not_allowed",
                    "url_not_in_prior_context",
                    "url_not_accessible",
                    "unsupported_content_type",
                    "max_uses_exceeded",
                    "content_too_large",
                ),
            }
        ),
        caller=opt(_CALLER),
    ),
    "code_execution_tool_result": _result(
        "CodeExecutionToolResultBlockParam",
        "code_execution_tool_result",
        Tagged(
            {
                "code_execution_result": Shape(
                    "CodeExecutionResultBlockParam",
                    {
                        "type": _tag("code_execution_result"),
                        "content": _outputs("CodeExecutionOutputBlockParam", "code_execution_output"),
                        "stdout": req(_STR),
                        **_RAN,
                    },
                ),
                "encrypted_code_execution_result": Shape(
                    "EncryptedCodeExecutionResultBlockParam",
                    {
                        "type": _tag("encrypted_code_execution_result"),
                        "content": _outputs("CodeExecutionOutputBlockParam", "code_execution_output"),
                        "encrypted_stdout": req(_STR),
                        **_RAN,
                    },
                ),
                "code_execution_tool_result_error": _failure(
                    "CodeExecutionToolResultErrorParam", "code_execution_tool_result_error", *_RUN_FAILURES
                ),
            }
        ),
    ),
    "bash_code_execution_tool_result": _result(
        "BashCodeExecutionToolResultBlockParam",
        "bash_code_execution_tool_result",
        Tagged(
            {
                "bash_code_execution_result": Shape(
                    "BashCodeExecutionResultBlockParam",
                    {
                        "type": _tag("bash_code_execution_result"),
                        "content": _outputs("BashCodeExecutionOutputBlockParam", "bash_code_execution_output"),
                        "stdout": req(_STR),
                        **_RAN,
                    },
                ),
                "bash_code_execution_tool_result_error": _failure(
                    "BashCodeExecutionToolResultErrorParam",
                    "bash_code_execution_tool_result_error",
                    *_RUN_FAILURES,
                    "output_file_too_large",
                ),
            }
        ),
    ),
    "text_editor_code_execution_tool_result": _result(
        "TextEditorCodeExecutionToolResultBlockParam",
        "text_editor_code_execution_tool_result",
        Tagged(
            {
                "text_editor_code_execution_view_result": Shape(
                    "TextEditorCodeExecutionViewResultBlockParam",
                    {
                        "type": _tag("text_editor_code_execution_view_result"),
                        "content": req(_STR),
                        "file_type": req(one_of("text", "image", "pdf")),
                        **{name: opt(_MAYBE_INT) for name in ("num_lines", "start_line", "total_lines")},
                    },
                ),
                "text_editor_code_execution_create_result": Shape(
                    "TextEditorCodeExecutionCreateResultBlockParam",
                    {"type": _tag("text_editor_code_execution_create_result"), "is_file_update": req(boolean)},
                ),
                "text_editor_code_execution_str_replace_result": Shape(
                    "TextEditorCodeExecutionStrReplaceResultBlockParam",
                    {
                        "type": _tag("text_editor_code_execution_str_replace_result"),
                        "lines": opt(nullable(list_of(_STR))),
                        **_LINES,
                    },
                ),
                "text_editor_code_execution_tool_result_error": _failure(
                    "TextEditorCodeExecutionToolResultErrorParam",
                    "text_editor_code_execution_tool_result_error",
                    *_RUN_FAILURES,
                    "file_not_found",
                    **_ERROR_MESSAGE,
                ),
            }
        ),
    ),
    "tool_search_tool_result": _result(
        "ToolSearchToolResultBlockParam",
        "tool_search_tool_result",
        Tagged(
            {
                "tool_search_tool_search_result": Shape(
                    "ToolSearchToolSearchResultBlockParam",
                    {"type": _tag("tool_search_tool_search_result"), "tool_references": req(list_of(TOOL_REFERENCE))},
                ),
                "tool_search_tool_result_error": _failure(
                    "ToolSearchToolResultErrorParam",
                    "tool_search_tool_result_error",
                    *_RUN_FAILURES,
                    **_ERROR_MESSAGE,
                ),
            }
        ),
    ),
    "advisor_tool_result": Variant(
        _result(
            "AdvisorToolResultBlockParam",
            "advisor_tool_result",
            Tagged(
                {
                    "advisor_result": Shape(
                        "AdvisorResultBlockParam",
                        {"type": _tag("advisor_result"), "text": req(_STR), "stop_reason": opt(_MAYBE_STR)},
                    ),
                    "advisor_redacted_result": Shape(
                        "AdvisorRedactedResultBlockParam",
                        {
                            "type": _tag("advisor_redacted_result"),
                            "encrypted_content": req(_STR),
                            "stop_reason": opt(_MAYBE_STR),
                        },
                    ),
                    "advisor_tool_result_error": Shape(
                        "AdvisorToolResultErrorParam",
                        {"type": _tag("advisor_tool_result_error"), "error_code": req(_STR)},
                    ),
                }
            ),
        ),
        betas.ADVISOR,
    ),
    "mcp_tool_result": Variant(
        Shape(
            "RequestMCPToolResultBlockParam",
            {
                "type": _tag("mcp_tool_result"),
                "tool_use_id": req(_IDENTIFIER),
                "content": opt(text_or(list_of(TEXT))),
                "is_error": opt(boolean),
                **_CACHED,
            },
        ),
        betas.MCP,
    ),
}
THINKING_BLOCK = Shape("ThinkingBlockParam", {"type": _tag("thinking"), "thinking": req(_STR), "signature": req(_STR)})
REDACTED_THINKING = Shape("RedactedThinkingBlockParam", {"type": _tag("redacted_thinking"), "data": req(_STR)})
_MCP_TOOL = Shape(
    "MCPToolParamParam", {"name": req(_STR), "input_schema": req(_ANY_OBJECT), "description": opt(_MAYBE_STR)}
)
_NAME = {"name": req(_STR)}
_SERVER_NAME = {"server_name": req(_STR)}
_TOOL_REFERENCES: dict[str, Shape | Variant] = {
    "tool_reference": Shape("ToolChangeToolReferenceParam", {"type": _tag("tool_reference"), **_NAME}),
    "mcp_tool_reference": Shape(
        "ToolChangeMCPToolReferenceParam", {"type": _tag("mcp_tool_reference"), **_NAME, **_SERVER_NAME}
    ),
    "mcp_toolset_reference": Shape(
        "ToolChangeMCPToolsetReferenceParam", {"type": _tag("mcp_toolset_reference"), **_SERVER_NAME}
    ),
}


def _any_tool(value: Any, scope: Scope) -> None:
    """A tool definition; the table of tools comes further down."""
    TOOL(value, scope)


_TOOL_DEFINITION = Shape(
    "ToolChangeToolDefinitionParam", {"type": _tag("tool_definition"), "definition": req(_any_tool)}
)
TOOL_ADDITION = Shape(
    "RequestToolAdditionBlockParam",
    {
        "type": _tag("tool_addition"),
        "tool": req(Tagged({**_TOOL_REFERENCES, "tool_definition": Variant(_TOOL_DEFINITION, betas.INLINE_TOOLS)})),
        **_CACHED,
    },
)
TOOL_REMOVAL = Shape(
    "RequestToolRemovalBlockParam", {"type": _tag("tool_removal"), "tool": req(Tagged(_TOOL_REFERENCES)), **_CACHED}
)
COMPACTION_BLOCK = Shape(
    "CompactionBlockParam",
    {
        "type": _tag("compaction"),
        "content": opt(_MAYBE_STR),
        "encrypted_content": opt(_MAYBE_STR),
        "signature": opt(_MAYBE_STR),
        "tool_changes": opt(nullable(list_of(Tagged({"tool_addition": TOOL_ADDITION, "tool_removal": TOOL_REMOVAL})))),
        **_CACHED,
    },
)
_FALLBACK_INFO = Shape("FallbackInfoParam", {"model": req(_STR)})
BLOCK = Tagged(
    {
        "text": TEXT,
        "image": IMAGE,
        "document": DOCUMENT,
        "search_result": SEARCH_RESULT,
        "thinking": THINKING_BLOCK,
        "redacted_thinking": REDACTED_THINKING,
        "tool_use": TOOL_USE,
        "tool_result": TOOL_RESULT,
        "server_tool_use": SERVER_TOOL_USE,
        **SERVER_RESULTS,
        "container_upload": Shape(
            "ContainerUploadBlockParam", {"type": _tag("container_upload"), "file_id": req(_STR), **_CACHED}
        ),
        "mcp_tool_use": Variant(
            Shape(
                "MCPToolUseBlockParam",
                {
                    "type": _tag("mcp_tool_use"),
                    "id": req(_IDENTIFIER),
                    "name": req(_STR),
                    "server_name": req(_STR),
                    "input": req(_ANY_OBJECT),
                    **_CACHED,
                },
            ),
            betas.MCP,
        ),
        "compaction": Variant(COMPACTION_BLOCK, betas.COMPACT),
        "tool_addition": Variant(TOOL_ADDITION, betas.TOOL_CHANGES),
        "tool_removal": Variant(TOOL_REMOVAL, betas.TOOL_CHANGES),
        "mcp_tool_listing": Variant(
            Shape(
                "MCPToolListingBlockParam",
                {"type": _tag("mcp_tool_listing"), "mcp_server_name": req(_STR), "tools": req(list_of(_MCP_TOOL))},
            ),
            betas.MCP_PINNED,
        ),
        "fallback": Variant(
            Shape(
                "FallbackBlockParam",
                {
                    "type": _tag("fallback"),
                    "from": req(_FALLBACK_INFO),
                    "to": req(_FALLBACK_INFO),
                    "trigger": opt(anything),
                },
            ),
            betas.FALLBACK,
        ),
    }
)

# --- messages -----------------------------------------------------------------------------------------------------

_CONTENT = {"content": req(text_or(list_of(BLOCK)))}
_EFFORT = nullable(one_of("low", "medium", "high", "xhigh", "max"))
SYSTEM_MESSAGE = Shape(
    "SystemMessageParam",
    {
        "role": _tag("system"),
        "content": opt(
            text_or(
                list_of(
                    Tagged(
                        {
                            "text": TEXT,
                            "tool_addition": Variant(TOOL_ADDITION, betas.TOOL_CHANGES),
                            "tool_removal": Variant(TOOL_REMOVAL, betas.TOOL_CHANGES),
                        }
                    )
                )
            )
        ),
        "clear_at": opt(nullable(one_of("next_user_message", "never")), *betas.CLEAR_AT),
        "output_config": opt(
            nullable(Shape("SystemMessageOutputConfigParam", {"effort": opt(_EFFORT)})), *betas.OUTPUT_CONFIG
        ),
    },
)
MESSAGE = Tagged(
    {
        "user": Shape("UserMessageParam", {"role": _tag("user"), **_CONTENT}),
        "assistant": Shape("AssistantMessageParam", {"role": _tag("assistant"), **_CONTENT}),
        "system": SYSTEM_MESSAGE,
    },
    key="role",
    is_named=False,
)

# --- tools --------------------------------------------------------------------------------------------------------

_CALLERS = list_of(one_of("direct", "code_execution_20250825", "code_execution_20260120", "code_execution_20260521"))
_TOOL_COMMON = {
    "allowed_callers": opt(_CALLERS),
    "defer_loading": opt(boolean),
    "strict": opt(boolean),
    **_CACHED,
}
_EXAMPLES = {"input_examples": opt(list_of(_ANY_OBJECT))}
CUSTOM_TOOL = Shape(
    "ToolParam",
    {
        "type": opt(nullable(one_of("custom"))),
        "name": req(string(pattern="^[a-zA-Z0-9_-]{1,128}$")),
        "description": opt(_STR),
        "input_schema": req(_ANY_OBJECT),
        "eager_input_streaming": opt(nullable(boolean)),
        **_EXAMPLES,
        **_TOOL_COMMON,
    },
)


def _tool(source: str, tag: str, name: str, **more: Field) -> Shape:
    """A tool whose name and schema Anthropic defines."""
    return Shape(source, {"type": _tag(tag), "name": _tag(name), **more, **_TOOL_COMMON})


def _computer(source: str, tag: str, **more: Field) -> Shape:
    size = integer(least=1)
    return _tool(
        source,
        tag,
        "computer",
        display_width_px=req(size),
        display_height_px=req(size),
        display_number=opt(_MAYBE_INT),
        **more,
        **_EXAMPLES,
    )


_DOMAINS = nullable(list_of(_STR))
_LOCATION = nullable(
    Shape(
        "UserLocationParam",
        {
            "type": _tag("approximate"),
            **{name: opt(_MAYBE_STR) for name in ("city", "country", "region", "timezone")},
        },
    )
)
_USES = {
    "allowed_domains": opt(_DOMAINS),
    "blocked_domains": opt(_DOMAINS),
    "max_uses": opt(nullable(integer(least=1))),
}
_SEARCH = {**_USES, "user_location": opt(_LOCATION)}
_INCLUSION = {"response_inclusion": opt(one_of("full", "excluded"))}
_REFERENCED = {
    "tools": req(
        list_of(Shape("WebFetchURLSourceToolReferenceParam", {"type": _tag("tool_reference"), "name": req(_STR)}))
    )
}
_URL_ALL: dict[str, Shape | Variant] = {
    "all": Shape("WebFetchURLSourceAllParam", {"type": _tag("all")}),
    "none": Shape("WebFetchURLSourceNoneParam", {"type": _tag("none")}),
}
_URL_ANY = Tagged(
    {
        **_URL_ALL,
        "only": Shape("WebFetchURLSourceOnlyParam", {"type": _tag("only"), **_REFERENCED}),
        "except": Shape("WebFetchURLSourceExceptParam", {"type": _tag("except"), **_REFERENCED}),
    }
)
_FETCH = {
    **_USES,
    "citations": opt(_CITATIONS_SWITCH),
    "max_content_tokens": opt(nullable(integer(least=1))),
    "url_sources": opt(
        nullable(
            Shape(
                "WebFetchURLSourcesParam",
                {
                    "client_tool_results": opt(_URL_ANY),
                    "server_tool_results": opt(_URL_ANY),
                    "user_input": opt(Tagged(_URL_ALL)),
                },
            )
        )
    ),
}
_USE_CACHE = {"use_cache": opt(boolean)}
_MEMBER = nullable(Shape("", {"defer_loading": opt(nullable(boolean)), "enabled": opt(nullable(boolean))}))
COMPUTER_ACTIONS = tuple(
    """cursor_position double_click hold_key key left_click left_click_drag left_mouse_down left_mouse_up middle_click
    mouse_move right_click screenshot scroll triple_click type wait zoom""".split()
)
BROWSER_ACTIONS = tuple(
    """close_tab double_click file_upload find form_input get_page_text hold_key hover javascript_exec key left_click
    left_click_drag left_mouse_down left_mouse_up list_tabs middle_click mouse_move navigate new_tab read_console
    read_network read_page right_click screenshot scroll scroll_to switch_tab triple_click type wait zoom""".split()
)


def _toolset(source: str, tag: str, configs: str, actions: tuple[str, ...]) -> Shape:
    shape = Shape(configs, {action: opt(_MEMBER) for action in actions})
    return Shape(source, {"type": _tag(tag), "configs": opt(nullable(shape)), **_CACHED})


_MCP_CONFIG = {"defer_loading": opt(boolean), "enabled": opt(boolean)}
TOOL: Tagged = Tagged(
    {
        "custom": CUSTOM_TOOL,
        "bash_20250124": _tool("ToolBash20250124Param", "bash_20250124", "bash", **_EXAMPLES),
        "bash_20241022": Variant(
            _tool("ToolBash20241022Param", "bash_20241022", "bash", **_EXAMPLES), betas.COMPUTER_2024
        ),
        "text_editor_20241022": Variant(
            _tool("ToolTextEditor20241022Param", "text_editor_20241022", "str_replace_editor", **_EXAMPLES),
            betas.COMPUTER_2024,
        ),
        "text_editor_20250124": _tool(
            "ToolTextEditor20250124Param", "text_editor_20250124", "str_replace_editor", **_EXAMPLES
        ),
        "text_editor_20250429": _tool(
            "ToolTextEditor20250429Param", "text_editor_20250429", "str_replace_based_edit_tool", **_EXAMPLES
        ),
        "text_editor_20250728": _tool(
            "ToolTextEditor20250728Param",
            "text_editor_20250728",
            "str_replace_based_edit_tool",
            max_characters=opt(nullable(integer(least=1))),
            **_EXAMPLES,
        ),
        "memory_20250818": _tool("MemoryTool20250818Param", "memory_20250818", "memory", **_EXAMPLES),
        **{
            f"code_execution_{date}": _tool(f"CodeExecutionTool{date}Param", f"code_execution_{date}", "code_execution")
            for date in ("20250522", "20250825", "20260120", "20260521")
        },
        "web_search_20250305": _tool("WebSearchTool20250305Param", "web_search_20250305", "web_search", **_SEARCH),
        "web_search_20260209": _tool("WebSearchTool20260209Param", "web_search_20260209", "web_search", **_SEARCH),
        "web_search_20260318": _tool(
            "WebSearchTool20260318Param", "web_search_20260318", "web_search", **_SEARCH, **_INCLUSION
        ),
        "web_fetch_20250910": _tool("WebFetchTool20250910Param", "web_fetch_20250910", "web_fetch", **_FETCH),
        "web_fetch_20260209": _tool("WebFetchTool20260209Param", "web_fetch_20260209", "web_fetch", **_FETCH),
        "web_fetch_20260309": _tool(
            "WebFetchTool20260309Param", "web_fetch_20260309", "web_fetch", **_FETCH, **_USE_CACHE
        ),
        "web_fetch_20260318": _tool(
            "WebFetchTool20260318Param", "web_fetch_20260318", "web_fetch", **_FETCH, **_USE_CACHE, **_INCLUSION
        ),
        **{
            tag: Shape(
                f"ToolSearchTool{suffix}Param",
                {"type": _tag(tag), "name": _tag(tag.removesuffix("_20251119")), **_TOOL_COMMON},
            )
            for tag, suffix in (
                ("tool_search_tool_bm25_20251119", "Bm25_20251119"),
                ("tool_search_tool_bm25", "Bm25_20251119"),
                ("tool_search_tool_regex_20251119", "Regex20251119"),
                ("tool_search_tool_regex", "Regex20251119"),
            )
        },
        "computer_toolset_20260801": _toolset(
            "ComputerToolset20260801Param",
            "computer_toolset_20260801",
            "ComputerToolsetConfigsParam",
            COMPUTER_ACTIONS,
        ),
        "browser_toolset_20260801": _toolset(
            "BrowserToolset20260801Param", "browser_toolset_20260801", "BrowserToolsetConfigsParam", BROWSER_ACTIONS
        ),
        "computer_20241022": Variant(
            _computer("ToolComputerUse20241022Param", "computer_20241022"), betas.COMPUTER_2024
        ),
        "computer_20250124": Variant(
            _computer("ToolComputerUse20250124Param", "computer_20250124"), betas.COMPUTER_2025_01
        ),
        "computer_20251124": Variant(
            _computer("ToolComputerUse20251124Param", "computer_20251124", enable_zoom=opt(boolean)),
            betas.COMPUTER_2025_11,
        ),
        "advisor_20260301": Variant(
            _tool(
                "AdvisorTool20260301Param",
                "advisor_20260301",
                "advisor",
                model=req(_STR),
                caching=opt(CACHE_CONTROL),
                max_tokens=opt(nullable(integer(least=1))),
                max_uses=opt(nullable(integer(least=1))),
            ),
            betas.ADVISOR,
        ),
        "mcp_toolset": Variant(
            Shape(
                "MCPToolsetParam",
                {
                    "type": _tag("mcp_toolset"),
                    "mcp_server_name": req(_STR),
                    "configs": opt(nullable(mapping_of(Shape("MCPToolConfigParam", _MCP_CONFIG)))),
                    "default_config": opt(Shape("MCPToolDefaultConfigParam", _MCP_CONFIG)),
                    "tools": opt(nullable(list_of(_MCP_TOOL)), *betas.MCP_PINNED),
                    **_CACHED,
                },
            ),
            betas.MCP_TOOLSET,
        ),
    },
    default="custom",
)
_ONE_CALL = {"disable_parallel_tool_use": opt(boolean)}
TOOL_CHOICE = Tagged(
    {
        "auto": Shape("ToolChoiceAutoParam", {"type": _tag("auto"), **_ONE_CALL}),
        "any": Shape("ToolChoiceAnyParam", {"type": _tag("any"), **_ONE_CALL}),
        "tool": Shape("ToolChoiceToolParam", {"type": _tag("tool"), "name": req(_STR), **_ONE_CALL}),
        "none": Shape("ToolChoiceNoneParam", {"type": _tag("none")}),
    }
)

# --- the request --------------------------------------------------------------------------------------------------

_BINDING = nullable(
    Shape("ThinkingBlockBindingParam", {"prefix_mismatch_behavior": opt(nullable(one_of("error", "drop_block")))})
)
_SHOWN = {
    "display": opt(nullable(one_of("summarized", "omitted", gated={"updates": betas.THINKING_UPDATES}))),
    "block_binding": opt(_BINDING, *betas.THINKING_BINDING),
}
THINKING = Tagged(
    {
        "enabled": Shape(
            "ThinkingConfigEnabledParam",
            {"type": _tag("enabled"), "budget_tokens": req(integer(least=1024)), **_SHOWN},
        ),
        "adaptive": Shape("ThinkingConfigAdaptiveParam", {"type": _tag("adaptive"), **_SHOWN}),
        "disabled": Shape("ThinkingConfigDisabledParam", {"type": _tag("disabled")}),
        "between_tools": Shape("ThinkingConfigBetweenToolsParam", {"type": _tag("between_tools")}),
    }
)
JSON_FORMAT = Shape("JSONOutputFormatParam", {"type": _tag("json_schema"), "schema": req(_ANY_OBJECT)})
OUTPUT_CONFIG = Shape(
    "OutputConfigParam",
    {
        "effort": opt(_EFFORT),
        "format": opt(nullable(Tagged({"json_schema": JSON_FORMAT}, is_named=False))),
        "task_budget": opt(
            nullable(
                Shape(
                    "TokenTaskBudgetParam",
                    {
                        "type": _tag("tokens"),
                        "total": req(integer(least=1)),
                        "remaining": opt(nullable(integer(least=0))),
                    },
                )
            ),
            *betas.TASK_BUDGET,
        ),
    },
)


def _value(source: str, tag: str) -> Shape:
    return Shape(source, {"type": _tag(tag), "value": req(integer(least=0))})


_INPUT_TRIGGER = _value("InputTokensTriggerParam", "input_tokens")
_EDIT = Tagged(
    {
        "clear_tool_uses_20250919": Shape(
            "ClearToolUses20250919EditParam",
            {
                "type": _tag("clear_tool_uses_20250919"),
                "clear_at_least": opt(nullable(_value("InputTokensClearAtLeastParam", "input_tokens"))),
                "clear_tool_inputs": opt(anything),
                "exclude_tools": opt(nullable(list_of(_STR))),
                "keep": opt(_value("ToolUsesKeepParam", "tool_uses")),
                "trigger": opt(
                    Tagged({"input_tokens": _INPUT_TRIGGER, "tool_uses": _value("ToolUsesTriggerParam", "tool_uses")})
                ),
            },
        ),
        "clear_thinking_20251015": Shape(
            "ClearThinking20251015EditParam",
            {
                "type": _tag("clear_thinking_20251015"),
                "keep": opt(
                    by_type(
                        text=one_of("all"),
                        keys=Tagged(
                            {
                                "thinking_turns": _value("ThinkingTurnsParam", "thinking_turns"),
                                "all": Shape("AllThinkingTurnsParam", {"type": _tag("all")}),
                            }
                        ),
                    )
                ),
            },
        ),
        "compact_20260112": Variant(
            Shape(
                "Compact20260112EditParam",
                {
                    "type": _tag("compact_20260112"),
                    "instructions": opt(_MAYBE_STR),
                    "pause_after_compaction": opt(boolean),
                    "trigger": opt(nullable(_INPUT_TRIGGER)),
                },
            ),
            ("compact-2026-01-12",),
        ),
    }
)
_SPEED = nullable(one_of("standard", "fast"))
_FALLBACK = Shape(
    "FallbackParam",
    {
        "model": req(_STR),
        "max_tokens": opt(nullable(integer(least=1))),
        "output_config": opt(nullable(OUTPUT_CONFIG)),
        "speed": opt(_SPEED),
        "thinking": opt(nullable(THINKING)),
    },
)
_MCP_SERVER = Shape(
    "RequestMCPServerURLDefinitionParam",
    {
        "type": _tag("url"),
        "name": req(_STR),
        "url": req(_STR),
        "authorization_token": opt(_MAYBE_STR),
        "tool_configuration": opt(
            nullable(
                Shape(
                    "RequestMCPServerToolConfigurationParam",
                    {"allowed_tools": opt(nullable(list_of(_STR))), "enabled": opt(nullable(boolean))},
                )
            ),
            "mcp-client-2025-04-04",
        ),
    },
)
_SHARED = {
    "model": req(string(min_length=1, max_length=256)),
    "messages": req(list_of(MESSAGE, most=100_000)),
    "system": opt(text_or(list_of(Tagged({"text": TEXT}, is_named=False)))),
    "cache_control": opt(CACHE_CONTROL),
    "output_config": opt(OUTPUT_CONFIG),
    "speed": opt(_SPEED),
    "thinking": opt(THINKING),
    "tool_choice": opt(TOOL_CHOICE),
    "tools": opt(list_of(TOOL)),
    "context_management": opt(
        nullable(Shape("ContextManagementConfigParam", {"edits": opt(list_of(_EDIT))})), *betas.CONTEXT_MANAGEMENT
    ),
    "mcp_servers": opt(list_of(_MCP_SERVER, most=20), *betas.MCP),
    "output_format": opt(nullable(JSON_FORMAT), *betas.STRUCTURED),
    "billing_policy": opt(
        nullable(
            Shape(
                "BillingPolicyParam",
                {"type": _tag("billing_policy"), "bill_to": opt(one_of("self", "user_profile"))},
            )
        ),
        *betas.BILLING,
    ),
    "compaction": opt(
        nullable(Shape("CompactionConfigParam", {"type": _tag("summarize"), "instructions": opt(_MAYBE_STR)})),
        *betas.COMPACTION,
    ),
}
CREATE = Shape(
    "MessageCreateParamsBase",
    {
        "max_tokens": req(integer(least=0)),
        **_SHARED,
        "container": opt(
            nullable(
                by_type(
                    text=_STR,
                    keys=Shape(
                        "ContainerParams",
                        {
                            "id": opt(_MAYBE_STR),
                            "skills": opt(
                                nullable(
                                    list_of(
                                        Shape(
                                            "SkillParams",
                                            {
                                                "type": req(one_of("anthropic", "custom")),
                                                "skill_id": req(string(min_length=1, max_length=64)),
                                                "version": opt(_STR),
                                            },
                                        ),
                                        most=8,
                                    )
                                )
                            ),
                        },
                    ),
                )
            )
        ),
        "diagnostics": opt(nullable(Shape("DiagnosticsParam", {"previous_message_id": opt(_MAYBE_STR)}))),
        "inference_geo": opt(_MAYBE_STR),
        "metadata": opt(Shape("MetadataParam", {"user_id": opt(nullable(string(max_length=256)))})),
        "service_tier": opt(one_of("auto", "standard_only")),
        "stop_sequences": opt(list_of(_STR, most=8191)),
        "stream": opt(boolean),
        "temperature": opt(number(least=0, most=1), until=NEW_VERSION),
        "top_p": opt(number(least=0, most=1), until=NEW_VERSION),
        "top_k": opt(integer(least=0), until=NEW_VERSION),
        "fallbacks": opt(nullable(by_type(text=one_of("default"), items=list_of(_FALLBACK))), *betas.FALLBACK),
        "fallback_credit_token": opt(
            nullable(
                by_type(
                    text=_STR,
                    keys=Shape(
                        "FallbackCreditTokenParam",
                        {"token": req(_STR), "mode": opt(one_of("strict", "best_effort"))},
                    ),
                )
            ),
            *betas.FALLBACK_CREDIT,
        ),
        "thread": opt(
            nullable(
                Tagged(
                    {
                        "create": Shape("ThreadCreateParams", {"type": _tag("create")}),
                        "continue": Shape(
                            "ThreadContinueParams", {"type": _tag("continue"), "previous_message_id": req(_STR)}
                        ),
                    }
                )
            ),
            *betas.THREADS,
        ),
    },
)
COUNT = Shape("MessageCountTokensParams", _SHARED)
