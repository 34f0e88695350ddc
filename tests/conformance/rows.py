"""Every row of the conformance matrix, in the order of the page."""

from __future__ import annotations

from tests.conformance import rows_answers, rows_betas, rows_blocks, rows_fields, rows_tools
from tests.conformance.table import SECTIONS, Row

_ALL = (*rows_fields.ROWS, *rows_blocks.ROWS, *rows_tools.ROWS, *rows_answers.ROWS, *rows_betas.ROWS)
ROWS: tuple[Row, ...] = tuple(row for section in SECTIONS for row in _ALL if row.section == section)
