"""Lists texts in order, page by page."""

from __future__ import annotations

from tantivy import Occur, Query, Searcher

from sentiment.insight.embedded.compiler import below, compile_query
from sentiment.insight.ordering import cursor_after, place_of
from sentiment.insight.query.conditions import Condition
from sentiment.insight.values import Order, TimeRange

_HIGHEST = 2**63 - 1


def page_of(
    searcher: Searcher, condition: Condition, order: Order, limit: int, within: TimeRange, after: str | None
) -> tuple[tuple[str, ...], str | None]:
    """Return up to `limit` ids in order, and the cursor after them, None where nothing follows.

    Raises:
        InvalidInput: the cursor is none (`after`).
    """
    place = place_of(after)
    ordered = below(order, place[0] if place else _HIGHEST)  # leaves out what has no place in this order
    query = Query.boolean_query([(Occur.Must, compile_query(condition, within)), (Occur.Must, ordered)])
    rows: list[tuple[int, str]] = []
    size = limit + 1
    while len(rows) <= limit:
        rows, is_last = _first(searcher, query, order, size)
        rows = [row for row in rows if place is None or row < place]
        if is_last:
            break
        size *= 2
    page = rows[:limit]
    return tuple(text_id for _, text_id in page), cursor_after(*page[-1]) if len(rows) > limit else None


def _first(searcher: Searcher, query: Query, order: Order, size: int) -> tuple[list[tuple[int, str]], bool]:
    """Return the first (number, id), the greatest first, and whether these are all.

    tantivy gives equal numbers in the order of its files. So the last ones, which may have equals that were not
    fetched, are left out.
    """
    hits = searcher.search(query, size, count=False, order_by_field=order).hits
    is_last = len(hits) < size
    rows = [(int(number), address) for number, address in hits if is_last or number != hits[-1][0]]
    return sorted(((number, str(searcher.doc(at).get_first("id"))) for number, at in rows), reverse=True), is_last
