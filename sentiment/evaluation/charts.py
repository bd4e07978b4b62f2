"""The pictures of an evaluation and of a comparison. Figures are made without a window and without global state."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from sentiment.evaluation.metrics import Reliability
from sentiment.evaluation.slices import Slice

_INK: Final = "#1f2937"
_MUTED: Final = "#9ca3af"
_BLUE: Final = "#2563eb"
_AMBER: Final = "#d97706"
_DPI: Final = 160
_DARK: Final = 0.55
_PERCENT: Final = 100.0
_ROW_INCHES: Final = 0.3
#: Texts stay text in SVG, and equal figures make equal files.
_STYLE: Final[Any] = {"svg.fonttype": "none", "svg.hashsalt": "undertone", "font.family": "sans-serif", "font.size": 9}


def confusion_figure(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Figure:
    """Draw the confusion matrix: counts, coloured by the share of their row (the label)."""
    table = np.asarray(counts, dtype=np.float64)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, axes = _blank(3.9, 3.4)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > _DARK else _INK
        cell_text = f"{table[row, column]:,.0f}\n{share:.1%}"
        axes.text(column, row, cell_text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels, rotation=90, va="center")
    axes.set(xlabel="the version said", ylabel="label")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def reliability_figure(reliability: Reliability) -> Figure:
    """Draw accuracy over confidence; on the diagonal a version is as often right as it says. Areas show texts."""
    figure, axes = _blank(3.9, 3.4)
    filled = reliability.texts > 0
    areas = 12 + 260 * reliability.texts[filled] / reliability.texts.max()
    axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=1, linestyle="--")
    axes.plot(reliability.confidences[filled], reliability.accuracies[filled], color=_BLUE, linewidth=1)
    axes.scatter(
        reliability.confidences[filled], reliability.accuracies[filled], s=areas, color=_BLUE, alpha=0.55, linewidth=0
    )
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    return figure


def slices_figure(slices: Sequence[Slice], whole: float) -> Figure:
    """Draw each slice's accuracy with its interval, beside the accuracy on the whole (a share in [0, 1])."""
    figure, axes = _blank(7.6, 0.9 + _ROW_INCHES * len(slices))
    for place, part in enumerate(slices):
        axes.plot(_percent(part.accuracy_interval), [place, place], color=_BLUE, linewidth=2, solid_capstyle="round")
        axes.plot(_PERCENT * part.accuracy, place, "o", color=_BLUE, markersize=5)
    axes.axvline(_PERCENT * whole, color=_MUTED, linewidth=1, linestyle="--")
    names = [f"{part.dimension}: {part.name} ({part.texts:,})" for part in slices]
    axes.set_yticks(range(len(slices)), names)
    axes.set(xlabel="accuracy, percent, with its 95 % interval; dashed: all texts")
    axes.invert_yaxis()
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure


def comparison_figure(models: Sequence[Mapping[str, float | str]]) -> Figure:
    """Draw models (`name`, `test_accuracy` in [0, 1], `texts_per_s`): right and up is better; linear ones in amber.

    A dashed line stands at the best `linear` model's accuracy.
    """
    figure, axes = _blank(7.2, 4.2)
    for model in models:
        rate, right = float(model["texts_per_s"]), _PERCENT * float(model["test_accuracy"])
        axes.plot(rate, right, "o", markersize=9, color=_AMBER if model["linear"] else _BLUE)
        axes.annotate(str(model["name"]), (rate, right), textcoords="offset points", xytext=(8, 5))
    linear = [_PERCENT * float(model["test_accuracy"]) for model in models if model["linear"]]
    if linear:
        axes.axhline(max(linear), color=_AMBER, linewidth=1, linestyle="--")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.2, y=0.15)
    axes.set(xlabel="texts a second, as exported (logarithmic)", ylabel="accuracy on the test data, percent")
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure


def picture(figure: Figure, kind: Literal["svg", "png"]) -> bytes:
    """Return a figure as the content of a file."""
    stream = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {}
    with mpl.rc_context(_STYLE):
        figure.savefig(stream, format=kind, dpi=_DPI, metadata=metadata)
    return stream.getvalue()


def inline(figure: Figure) -> str:
    """Return a figure as an address that holds the picture itself."""
    return f"data:image/svg+xml;base64,{base64.b64encode(picture(figure, 'svg')).decode()}"


def _blank(width_inches: float, height_inches: float) -> tuple[Figure, Axes]:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
        axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _percent(interval: Sequence[float]) -> list[float]:
    return [_PERCENT * bound for bound in interval]
