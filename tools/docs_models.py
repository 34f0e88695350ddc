"""docs/reference/models.md, from the table of lockgate.catalog."""

from __future__ import annotations

from lockgate.catalog import FactRow, ModelFacts, packaged_facts, packaged_rows
from tools.docstrings import cell

HEAD = """\
# Models

What Lockgate knows about models: which limits and features the translator counts on. Dates, versions, platform prefixes
and folders in front of an id do not matter; a `*` stands for the rest of an id. An id of Claude's that no row covers is
treated as `newest-claude`, any other as `generic`. Nothing here decides what may be called: on the native routes the
provider judges a request by itself.

An operator can change a row or add one: a table `[models.NAME]` in the
[configuration](configuration.md#modelsname) says what differs, for example for a model that came out yesterday:

```toml
[models."claude-opus-6"]
like = "claude-opus-5-5"
max_output = 256_000
```

| row | ids | most output tokens | thinking | effort | sampling | features |
|---|---|---|---|---|---|---|
"""

SOURCES = """
## Sources

Where the facts of each row were read, and when. A row takes over what the row that it is like says, and differs in some
of it.

| row | like | source | read on |
|---|---|---|---|
"""

SAMPLING = {"any": "any", "one": "temperature or top_p", "none": "refused"}
FEATURES = {
    "has_prefill": "prefill",
    "has_forced_tools": "forced tools",
    "has_output_format": "structured output",
    "is_fast_capable": "fast mode",
    "has_system_turns": "system turns",
    "binds_thinking": "own thinking only",
}


def models_page() -> str:
    """Return the page: the facts of every row, then where they come from."""
    families = packaged_facts().families
    rows = packaged_rows()
    facts = "".join(fact_row(row, families[row.family]) for row in rows)
    return HEAD + facts + SOURCES + "".join(map(source_row, rows))


def fact_row(row: FactRow, facts: ModelFacts) -> str:
    """Return what one row says in the end, with what it takes over."""
    features = [name for field, name in FEATURES.items() if getattr(facts, field)]
    features += [f"`{flag}` for {feature}" for feature, flag in facts.betas.items()]
    cells = (
        f"`{row.family}`",
        codes(row.names),
        f"{facts.max_output:_}",
        codes(facts.thinking),
        codes(facts.effort),
        SAMPLING[facts.sampling],
        ", ".join(features) or "-",
    )
    return f"| {' | '.join(map(cell, cells))} |\n"


def source_row(row: FactRow) -> str:
    """Return where one row comes from. A row without source or date is a mistake."""
    if not row.source or row.read_on is None:
        raise ValueError(f"row {row.family} of the model table lacks its source or its date")
    like = f"`{row.like}`" if row.like else "-"
    return f"| `{row.family}` | {like} | {cell(row.source)} | {row.read_on.isoformat()} |\n"


def codes(words: tuple[str, ...]) -> str:
    """Return words as code, a dash for none."""
    return ", ".join(f"`{word}`" for word in words) or "-"
