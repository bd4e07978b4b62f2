"""Pictures of sentiment as HTML and SVG: drawn here, so that the page loads no chart library and follows its theme.

Every function escapes what it is given; each picture has a label that a screen reader can say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Final

from sentiment.labels import THREE_CLASSES

_RADIUS: Final = 80.0
_HOLE: Final = 0.5
_PULL: Final = 0.2
_SMALLEST_LABELLED_SHARE: Final = 0.05


def bars(probabilities: Mapping[str, float]) -> str:
    """Draw a bar for each label's probability, which is in [0, 1]."""
    return f'<div class="bars">{"".join(_bar(label, share) for label, share in probabilities.items())}</div>'


def _bar(label: str, share: float) -> str:
    return (
        f'<div class="bar"><span class="bar-name">{escape(label)}</span>'
        f'<span class="bar-track" role="img" aria-label="{escape(label)} {share:.1%}">'
        f'<span class="bar-fill {escape(label)}" style="width:{share:.1%}"></span></span>'
        f'<span class="bar-share">{share:.1%}</span></div>'
    )


def gauge(sentiment: float) -> str:
    """Draw where a sentiment in [−1, 1] stands between negative and positive."""
    place = f"{(1 + sentiment) / 2:.1%}"
    return (
        f'<div class="gauge" role="img" aria-label="sentiment {sentiment:+.2f} between -1 and +1">'
        f'<div class="gauge-track"><span class="gauge-middle"></span>'
        f'<span class="gauge-mark" style="left:{place}"></span></div>'
        f'<div class="gauge-scale"><span>−1</span><span class="gauge-value">sentiment {sentiment:+.2f}</span>'
        f"<span>+1</span></div></div>"
    )


def tiles(counts: Mapping[str, int], rows: int, delta: int, since: str = "on the last analysis") -> str:
    """Draw the total, by how much it grew `since` another moment, and the count of each label."""
    total = _tile("Total", rows, f"{delta:+,} {since}", "total")
    return f'<div class="tiles">{total}{"".join(_label_tile(label, counts) for label in reversed(THREE_CLASSES))}</div>'


def _label_tile(label: str, counts: Mapping[str, int]) -> str:
    share = counts.get(label, 0) / max(1, sum(counts.values()))
    return _tile(label.capitalize(), counts.get(label, 0), f"{share:.1%}", label)


def _tile(title: str, count: int, note: str, kind: str) -> str:
    return (
        f'<div class="tile {kind}" data-count="{count}"><div class="tile-title">{title}</div>'
        f'<div class="tile-count">{count:,}</div><div class="tile-note">{note}</div></div>'
    )


def progress(finished: int, total: int, note: str) -> str:
    """Draw how many of `total` are finished; `note` says it in words."""
    share = finished / total if total else 0.0
    return (
        f'<div class="progress"><div class="bar-track" role="progressbar" aria-valuemin="0" aria-valuemax="{total}" '
        f'aria-valuenow="{finished}" aria-label="texts analysed">'
        f'<span class="bar-fill total" style="width:{share:.1%}"></span></div>'
        f'<div class="progress-note">{escape(note)}</div></div>'
    )


def donut(counts: Mapping[str, int]) -> str:
    """Draw the labels' shares as a ring, the largest slice pulled out. Empty counts give an empty string."""
    total = sum(counts.values())
    if not total:
        return ""
    shares = {label: counts.get(label, 0) / total for label in THREE_CLASSES if counts.get(label)}
    largest = max(shares, key=lambda label: shares[label])
    slices, start = [], 0.0
    for label, share in shares.items():
        slices.append(_slice(label, start, share, pulled=label == largest and len(shares) > 1))
        start += share
    spoken = ", ".join(f"{label} {share:.1%}" for label, share in shares.items())
    return f'<svg class="donut" viewBox="-100 -100 200 200" role="img" aria-label="{spoken}">{"".join(slices)}</svg>'


def _slice(label: str, start: float, share: float, pulled: bool) -> str:
    """Draw a label's slice from the turn `start` on, with its share if there is room; `pulled` moves it outward."""
    middle = start + share / 2
    shift = _PULL * _RADIUS if pulled else 0.0
    x, y = _point(middle, shift)
    ring = _full_ring() if share > 1 - 1e-9 else _ring_piece(start, start + share)
    text = _slice_text(label, middle, share) if share >= _SMALLEST_LABELLED_SHARE else ""
    return (
        f'<g transform="translate({x:.2f} {y:.2f})"><path class="slice {label}" fill-rule="evenodd" d="{ring}">'
        f"<title>{label} {share:.1%}</title></path>{text}</g>"
    )


def _slice_text(label: str, middle: float, share: float) -> str:
    x, y = _point(middle, _RADIUS * (1 + _HOLE) / 2)
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle"><tspan class="slice-share">{share:.0%}</tspan>'
        f'<tspan class="slice-name" x="{x:.1f}" dy="1.15em">{label}</tspan></text>'
    )


def _ring_piece(start: float, end: float) -> str:
    """Return the SVG path of a ring's piece between two turns."""
    wide = int(end - start > 0.5)
    inner = _RADIUS * _HOLE
    (ax, ay), (bx, by) = _point(start, _RADIUS), _point(end, _RADIUS)
    (cx, cy), (dx, dy) = _point(end, inner), _point(start, inner)
    return (
        f"M{ax:.2f} {ay:.2f}A{_RADIUS} {_RADIUS} 0 {wide} 1 {bx:.2f} {by:.2f}"
        f"L{cx:.2f} {cy:.2f}A{inner} {inner} 0 {wide} 0 {dx:.2f} {dy:.2f}Z"
    )


def _full_ring() -> str:
    """Return the SVG path of a whole ring: an arc that ends where it starts would not be drawn."""
    circles = (f"M0 {-radius}A{radius} {radius} 0 1 1 -0.01 {-radius}Z" for radius in (_RADIUS, _RADIUS * _HOLE))
    return "".join(circles)


def _point(turn: float, radius: float) -> tuple[float, float]:
    """Return the point at a turn in [0, 1], clockwise from the top."""
    angle = 2 * math.pi * turn - math.pi / 2
    return radius * math.cos(angle), radius * math.sin(angle)
