"""Tables of texts in CSV, TSV, JSONL, Parquet and Excel files: read and written row by row, in constant memory.

A row that cannot be read is a row with a `problem`, never an exception; a file that cannot be read is InvalidInput with
the remedy. The format is told by the file's ending, and its first bytes must agree.
"""

from __future__ import annotations

from sentiment.tables.files import (
    ENDINGS,
    WRITTEN_ENDINGS,
    ending_of,
    has_text_format,
    is_table,
    open_table,
    rehearse_table,
    write_table,
)
from sentiment.tables.hidden import is_hidden
from sentiment.tables.json_lines import json_line
from sentiment.tables.table import (
    BOOLEAN,
    INTEGER,
    JSON,
    NUMBER,
    STRING,
    Kind,
    Row,
    Table,
    distinct,
    text_problem,
)
from sentiment.tables.text_format import AUTO, DELIMITERS, QUOTINGS, Quoting, delimiter_of

__all__ = [
    "AUTO",
    "BOOLEAN",
    "DELIMITERS",
    "ENDINGS",
    "INTEGER",
    "JSON",
    "NUMBER",
    "QUOTINGS",
    "STRING",
    "WRITTEN_ENDINGS",
    "Kind",
    "Quoting",
    "Row",
    "Table",
    "delimiter_of",
    "distinct",
    "ending_of",
    "has_text_format",
    "is_hidden",
    "is_table",
    "json_line",
    "open_table",
    "rehearse_table",
    "text_problem",
    "write_table",
]
