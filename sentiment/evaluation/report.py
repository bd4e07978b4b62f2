"""An evaluation as one HTML file that needs nothing else: pictures are inside, no script, nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from itertools import groupby
from typing import Final

from matplotlib.figure import Figure

from sentiment.evaluation import charts
from sentiment.evaluation.bootstrap import Interval, PairedDifference
from sentiment.evaluation.checklist import CheckOutcome, Failure
from sentiment.evaluation.evaluation import Evaluation, VersionComparison
from sentiment.evaluation.performance import Performance
from sentiment.evaluation.slices import DIMENSIONS

_MIB: Final = 1 << 20
_SURE: Final = 0.05
_ALARM: Final = 0.2
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2937; --muted: #5b6472; --line: #d9dee5; --paper: #fff; --tile: #f4f6f9;
        --bad: #b42318; --good: #17663a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --muted: #a3abb8; --line: #3a424f; --paper: #14181f;
        --tile: #1e242d; --bad: #ff9a90; --good: #7fd8a4; } }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
       font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { max-width: 46rem; } .muted, caption, figcaption { color: var(--muted); font-size: .9rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem; margin: 1.5rem 0; }
.tile { background: var(--tile); border-radius: .5rem; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } th.t, td.t { text-align: left; overflow-wrap: break-word; }
.wide { overflow-x: auto; } .pair { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; }
img { max-width: 100%; background: #fff; border-radius: .5rem; } code { font-size: .85em; overflow-wrap: anywhere; }
.bad { color: var(--bad); } .good { color: var(--good); }
details { margin: .3rem 0; } summary { cursor: pointer; } li { margin: .3rem 0; }
"""
_READING: Final = """Intervals of accuracy and of failure rates are Wilson's, those of macro-recall and of differences
come from 2,000 bootstrap resamples. The calibration error is the mean gap between confidence and accuracy; a best
temperature above 1 says that the version is too sure of itself on these texts. MFT: the label must be right. INV: a
change without feeling must not change the label. DIR: the sentiment must not move the wrong way by more than 0.1."""
_NO_TEXT: Final = "no text in this slice"
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def render_report(evaluation: Evaluation, made_at: datetime) -> str:
    """Return the report of an evaluation as one HTML document."""
    title = f"Evaluation of {evaluation.subject.ref} on {evaluation.data.ref}"
    parts = [
        _head(evaluation, title, made_at),
        _tiles(evaluation),
        _against(evaluation.against) if evaluation.against else "",
        _classes(evaluation),
        _slices(evaluation) if evaluation.slices or evaluation.empty_slices else "",
        _behaviour(evaluation.behaviour) if evaluation.behaviour else "",
        _mistakes(evaluation),
        _performance(evaluation.performance) if evaluation.performance else "",
        _reading(),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _head(evaluation: Evaluation, title: str, made_at: datetime) -> str:
    subject, data = evaluation.subject, evaluation.data
    left_out = f", {data.unlabelled:,} rows without a label left out" if data.unlabelled else ""
    neutral = ""
    if evaluation.called_neutral is not None:
        neutral = (
            f"<p>The data know no neutral: negative and positive share what the version gave to neutral, which it "
            f"held likeliest for {evaluation.called_neutral:.1%} of the texts.</p>"
        )
    return (
        f"<h1>{escape(title)}</h1>"
        f'<p class="muted">{made_at:%Y-%m-%d %H:%M} UTC · {escape(subject.name)}, digest '
        f"<code>{escape(subject.digest[:12])}</code>, engine {escape(subject.engine)} · data digest "
        f"<code>{escape(data.digest[:12])}</code>, {data.texts:,} texts{left_out}</p>{neutral}"
    )


def _tiles(evaluation: Evaluation) -> str:
    figures = evaluation.figures
    entries = [
        ("Macro-recall", _share(figures.macro_recall), _interval(figures.macro_recall_interval)),
        ("Accuracy", _share(figures.accuracy), _interval(figures.accuracy_interval)),
        ("Macro-F1", _share(figures.macro_f1), ""),
        ("Calibration error", _share(figures.ece), f"best temperature here {figures.temperature:.2f}"),
    ]
    if evaluation.performance:
        entries.append(
            (
                "Texts a second",
                f"{evaluation.performance.texts_per_s:,.0f}",
                f"{evaluation.performance.threads} threads",
            )
        )
    tiles = "".join(
        f'<div class="tile">{name}<b>{value}</b><span class="muted">{note}</span></div>'
        for name, value, note in entries
    )
    return f'<div class="tiles">{tiles}</div>'


def _against(other: VersionComparison) -> str:
    rows = [
        (
            _measure_name(each),
            _share(each.first),
            _share(each.second),
            f"{100 * each.difference:+.2f}",
            _interval(each.interval, "+"),
            f"{each.p_value:.4f}",
            _verdict(each),
        )
        for each in other.differences
    ]
    heads = ("", "this version", "the other", "difference", "95 % interval", "p", "")
    note = f"Against {other.subject.ref} ({other.subject.digest[:12]}), on the same texts, in percent: paired bootstrap"
    return f"<h2>Against another version</h2>{_table(note, heads, rows, text_columns=(0, 6))}"


def _measure_name(difference: PairedDifference) -> str:
    return difference.measure.replace("_", "-")


def _verdict(each: PairedDifference) -> str:
    if each.p_value > _SURE:
        return "may be chance"
    return '<span class="good">better</span>' if each.difference > 0 else '<span class="bad">worse</span>'


def _classes(evaluation: Evaluation) -> str:
    rows = [
        (escape(each.label), f"{each.texts:,}", _share(each.precision), _share(each.recall), _share(each.f1))
        for each in evaluation.figures.classes
    ]
    table = _table("In percent", ("label", "texts", "precision", "recall", "F1"), rows)
    labels = evaluation.data.labels
    pictures = _figure(charts.confusion_figure(evaluation.figures.confusion, labels), "Confusion: rows add up to 100 %")
    pictures += _figure(charts.reliability_figure(evaluation.reliability), "Reliability, in 15 bins: areas show texts")
    return f'<h2>By label</h2>{table}<div class="pair">{pictures}</div>'


def _slices(evaluation: Evaluation) -> str:
    rows = [
        (
            escape(part.dimension),
            escape(part.name),
            f"{part.texts:,}",
            _share(part.accuracy),
            _interval(part.accuracy_interval),
            _share(part.macro_recall),
            _interval(part.macro_recall_interval),
        )
        for part in evaluation.slices
    ]
    rows += [(part.dimension, escape(part.name), "0", _NO_TEXT, "", "", "") for part in evaluation.empty_slices]
    heads = ("cut by", "slice", "texts", "accuracy", "95 % interval", "macro-recall", "95 % interval")
    table = _table("In percent; macro-recall over the labels that occur in the slice", heads, rows, text_columns=(0, 1))
    alike = [name for name in DIMENSIONS if name not in {part.dimension for part in evaluation.slices}]
    note = f"<p>All texts are alike in {' and '.join(alike)}.</p>" if alike else ""
    figure = charts.slices_figure(evaluation.slices, evaluation.figures.accuracy) if evaluation.slices else None
    return f"<h2>Slices</h2>{_figure(figure, '') if figure else ''}{table}{note}"


def _behaviour(outcomes: Sequence[CheckOutcome]) -> str:
    rows = [
        (
            escape(each.capability),
            escape(each.name),
            each.kind,
            f"{each.cases}",
            f"{each.failures}",
            f'<span class="{"bad" if each.failure_rate > _ALARM else ""}">{_share(each.failure_rate)}</span>',
            _interval(each.interval),
        )
        for each in outcomes
    ]
    heads = ("capability", "test", "kind", "cases", "failed", "failure rate, %", "95 % interval")
    table = _table("", heads, rows, text_columns=(0, 1, 2))
    return f"<h2>Behaviour</h2>{table}{_groups(outcomes)}<h3>What failed</h3>{''.join(_failures(outcomes))}"


def _groups(outcomes: Sequence[CheckOutcome]) -> str:
    rows = [
        (
            escape(each.name),
            ", ".join(f"{escape(group)} {mean:+.3f}" for group, mean in each.groups.items()),
            f"{max(each.groups.values()) - min(each.groups.values()):.3f}",
        )
        for each in outcomes
        if each.groups
    ]
    note = "Mean sentiment, from −1 to 1, of the same sentences about different people"
    return _table(note, ("people", "mean sentiment", "largest gap"), rows, text_columns=(0, 1)) if rows else ""


def _failures(outcomes: Sequence[CheckOutcome]) -> Iterator[str]:
    for capability, members in groupby(outcomes, key=lambda each: each.capability):
        failed = [each for each in members if each.examples]
        for each in failed:
            items = "".join(f"<li>{_failure(example)}</li>" for example in each.examples)
            summary = f"{escape(capability)}: {escape(each.name)} ({each.failures} of {each.cases})"
            yield f"<details><summary>{summary}</summary><ul>{items}</ul></details>"


def _failure(failure: Failure) -> str:
    answers = zip(failure.texts, failure.said, failure.sentiments, strict=True)
    texts = "<br>".join(f"“{escape(text)}” → {escape(label)} ({value:+.2f})" for text, label, value in answers)
    return f'{texts}<br><span class="muted">wanted: {escape(failure.wanted)}</span>'


def _mistakes(evaluation: Evaluation) -> str:
    if not evaluation.mistakes:
        return ""
    rows = [
        (escape(each.text), escape(each.label), escape(each.said), _share(each.confidence))
        for each in evaluation.mistakes
    ]
    heads = ("text", "label", "said", "confidence, %")
    return f"<h2>Surest mistakes</h2>{_table('', heads, rows, text_columns=(0, 1, 2))}"


def _performance(performance: Performance) -> str:
    rows = [
        (
            escape(performance.engine),
            f"{performance.threads}",
            f"{performance.texts:,}",
            f"{performance.tokens_per_text:.1f}",
            f"{performance.texts_per_s:,.0f}",
            f"{performance.load_s:.1f}",
            f"{performance.peak_memory_bytes / _MIB:,.0f}",
        )
    ]
    heads = ("engine", "threads", "texts", "tokens a text", "texts/s", "load, s", "peak memory, MiB")
    note = "Measured in a process of its own, on the machine that made this report"
    return f"<h2>Speed and memory</h2>{_table(note, heads, rows)}"


def _reading() -> str:
    return f"<h2>How to read this</h2><p>{_READING}</p>"


def _figure(figure: Figure, caption: str) -> str:
    caption_html = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img alt="{escape(caption or "chart")}" src="{charts.inline(figure)}">{caption_html}</figure>'


def _table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], text_columns: Sequence[int] = (0,)
) -> str:
    """Return a table of cells that are HTML already; `text_columns` hold words."""

    def line(tag: str, cells: Sequence[str]) -> str:
        marked = (
            f"<{tag}{' class=t' if place in text_columns else ''}>{cell}</{tag}>" for place, cell in enumerate(cells)
        )
        return f"<tr>{''.join(marked)}</tr>"

    body = "".join(line("td", row) for row in rows)
    caption_html = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{caption_html}<thead>{line("th", heads)}</thead><tbody>{body}</tbody></table></div>'
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _interval(interval: Interval, sign: str = "") -> str:
    return f"{100 * interval.low:{sign}.1f} to {100 * interval.high:{sign}.1f}"
