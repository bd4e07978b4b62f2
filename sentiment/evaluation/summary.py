"""An evaluation in a screenful of Markdown: what a terminal and a log show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sentiment.evaluation.bootstrap import Interval
from sentiment.evaluation.evaluation import Evaluation
from sentiment.evaluation.slices import DIMENSIONS

_MIB: Final = 1 << 20


def summarise(evaluation: Evaluation, *, slices: bool = False) -> str:
    """Return the figures, and of slices, behaviour, speed and comparison what was asked for; shares in percent.

    If `slices` were asked for and there are none, that is told.
    """
    blocks = [
        _figures(evaluation),
        *_comparison(evaluation),
        *_slices(evaluation, slices),
        *_behaviour(evaluation),
        *_speed(evaluation),
    ]
    return "\n\n".join(blocks)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a Markdown table whose first `words` columns are words and all others numbers."""
    rules = ["---" if place < words else "---:" for place in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rules, *rows))


def percent(share: float | None) -> str:
    """Return a share in [0, 1] in percent, with two digits; a dash for None."""
    return "–" if share is None else f"{100 * share:.2f}"


def _figures(evaluation: Evaluation) -> str:
    figures = evaluation.figures
    rows = [
        ("macro-recall", percent(figures.macro_recall), _interval(figures.macro_recall_interval)),
        ("accuracy", percent(figures.accuracy), _interval(figures.accuracy_interval)),
        ("macro-F1", percent(figures.macro_f1), ""),
        ("calibration error", percent(figures.ece), f"best temperature here {figures.temperature:.2f}"),
    ]
    rows += [(f"recall, {each.label}", percent(each.recall), f"{each.texts:,} texts") for each in figures.classes]
    return f"{evaluation.subject.ref} on {evaluation.data.ref}, {figures.texts:,} texts\n\n" + table(
        ("figure", "%", "95 % interval"), rows
    )


def _comparison(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.against:
        rows = [
            (
                each.measure.replace("_", "-"),
                percent(each.first),
                percent(each.second),
                f"{100 * each.difference:+.2f}",
                _interval(each.interval),
                f"{each.p_value:.4f}",
            )
            for each in evaluation.against.differences
        ]
        heads = (f"against {evaluation.against.subject.ref}", "this", "other", "difference", "95 % interval", "p")
        yield table(heads, rows)


def _slices(evaluation: Evaluation, requested: bool) -> Iterator[str]:
    if evaluation.slices:
        rows = [
            (
                f"{part.dimension}: {part.name}",
                f"{part.texts:,}",
                percent(part.accuracy),
                _interval(part.accuracy_interval),
                percent(part.macro_recall),
                _interval(part.macro_recall_interval),
            )
            for part in evaluation.slices
        ]
        yield table(("slice", "texts", "accuracy", "95 % interval", "macro-recall", "95 % interval"), rows)
    elif requested:
        yield f"No slices: all texts are alike in {', '.join(DIMENSIONS[:-1])} and {DIMENSIONS[-1]}."
    if evaluation.slices and evaluation.empty_slices:
        yield f"No text in: {'; '.join(f'{part.dimension}: {part.name}' for part in evaluation.empty_slices)}."


def _behaviour(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.behaviour:
        rows = [
            (f"{each.capability}: {each.name}", each.kind, f"{each.cases}", f"{100 * each.failure_rate:.1f}")
            for each in evaluation.behaviour
        ]
        yield table(("behaviour", "kind", "cases", "failed, %"), rows, words=2)


def _speed(evaluation: Evaluation) -> Iterator[str]:
    if speed := evaluation.performance:
        yield (
            f"{speed.engine}, {speed.threads} threads: {speed.texts_per_s:,.0f} texts/s of "
            f"{speed.tokens_per_text:.0f} tokens, peak memory {speed.peak_memory_bytes / _MIB:,.0f} MiB"
        )


def _interval(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
