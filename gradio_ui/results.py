"""Results as an HTML table that fits a phone. Everything in it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gradio_ui.messages import shown
from sentiment.client.bulk import Verdict, is_supported
from sentiment.language import name_of
from sentiment.tables import Row

_SHOWN_ROWS: Final = 200
_SHOWN_CHARACTERS: Final = 300
_HEAD: Final = (
    '<thead><tr><th class="wide" scope="col">row</th><th scope="col">text</th><th scope="col">label</th>'
    '<th class="wide" scope="col">language</th>'
    '<th class="wide number" scope="col">score</th><th class="number" scope="col">sentiment</th></tr></thead>'
)


def results_table(results: Sequence[tuple[Row, Verdict]], text_column: str) -> str:
    """Draw one line for each of the first results: row, text (cut where long), label, language, score, sentiment."""
    rows = "".join(_line(row.values.get(text_column), verdict) for row, verdict in results[:_SHOWN_ROWS])
    more = f"The first {_SHOWN_ROWS} of {len(results):,}; the download has them all."
    return (
        '<div class="results" tabindex="0" role="region" aria-label="Results"><table>'
        f"{_HEAD}<tbody>{rows}</tbody></table></div>"
        + (f'<p class="small">{more}</p>' if len(results) > _SHOWN_ROWS else "")
    )


def _line(text: Any, verdict: Verdict) -> str:
    return f'<tr><td class="wide number">{verdict.number}</td><td>{shown(_shortened(text))}</td>{_answer(verdict)}</tr>'


def _answer(verdict: Verdict) -> str:
    if verdict.values is None:
        return f'<td colspan="4">not classified: {shown(verdict.reason or "")}</td>'
    label, score, sentiment = (verdict.values[name] for name in ("label", "score", "sentiment"))
    language = verdict.values.get("language")
    unread = "" if is_supported(verdict.values) else '<br><span class="small">not supported</span>'
    return (
        f'<td><span class="dot {shown(label)}"></span>{shown(label)}{unread}</td>'
        f'<td class="wide">{shown(name_of(language)) if language else ""}</td><td class="wide number">{score:.3f}</td>'
        f'<td class="number">{sentiment:+.3f}</td>'
    )


def _shortened(text: Any) -> str:
    plain = "" if text is None else str(text)
    return plain if len(plain) <= _SHOWN_CHARACTERS else plain[: _SHOWN_CHARACTERS - 1] + "…"
