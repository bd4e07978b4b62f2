"""Tables of texts in CSV, JSONL and Parquet files: read and written row by row, in constant memory.

A row that cannot be read is a row with a `problem`, never an exception; a file that cannot be read is InvalidInput with
the remedy. The format is told by the file's ending.
"""

from __future__ import annotations

from sentiment.tables.files import ENDINGS, ending_of, is_table, open_table, write_table
from sentiment.tables.hidden import is_hidden
from sentiment.tables.json_lines import json_line
from sentiment.tables.table import INTEGER, JSON, NUMBER, STRING, Kind, Row, Table

__all__ = [
    "ENDINGS",
    "INTEGER",
    "JSON",
    "NUMBER",
    "STRING",
    "Kind",
    "Row",
    "Table",
    "ending_of",
    "is_hidden",
    "is_table",
    "json_line",
    "open_table",
    "write_table",
]
