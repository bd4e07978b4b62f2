"""Pictures of a validation: the confusion matrix and the reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure


def confusion_picture(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Figure:
    """Draw counts [labels, labels]: a row is a label, a column a prediction, the colour a cell's share of its row."""
    table = np.array(counts)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(1.6 * len(labels) + 1.5, 1.4 * len(labels) + 1), layout="constrained")
    axes: Any = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{table[row, column]}\n{share:.1%}", ha="center", va="center", color=colour)
    axes.set(xlabel="predicted", ylabel="label", title="Validation")
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    return figure


def reliability_picture(bins: Sequence[Sequence[float]], ece: float) -> Figure:
    """Draw accuracy against confidence; `bins` has one row [texts, mean confidence, accuracy] for each bin."""
    texts, confidence, right = np.array(bins).T
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes: Any = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", label="honest")
    axes.plot(confidence, right, color="tab:blue")
    axes.scatter(confidence, right, s=10 + 190 * texts / texts.max(), color="tab:blue", label="bins, by texts")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy", title=f"Validation: ECE {ece:.3f}")
    axes.legend(loc="upper left")
    return figure
