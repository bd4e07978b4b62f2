"""Excel workbooks made for tests."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any


def workbook(rows: Sequence[Sequence[Any]], **others: Sequence[Sequence[Any]]) -> bytes:
    """Return a workbook whose sheet `First` has `rows`, beside `others` by their names."""
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, cells in {"First": rows, **others}.items():
        sheet = book.create_sheet(name)
        for row in cells:
            sheet.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
