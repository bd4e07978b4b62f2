"""How much of what names people is masked, and how much else: over `masking.tsv`, texts written for this project.

python -m tests.behaviour.masking
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS

MASKS: Final = {"phone": "[phone]", "user": "@user", "link": "http", "email": "[email]"}
_LIST: Final = Path(__file__).with_name("masking.tsv")
_PIECE: Final = re.compile("⟦[^⟧]*⟧")
_ESCAPE: Final = re.compile(r"\\u([0-9a-f]{4})")
_MADE: Final = {
    "phone": re.compile(r"\[phone\]"),
    "user": re.compile(r"@user(?!\w)"),
    "link": re.compile(r"\bhttp(?![\w:])"),
    "email": re.compile(r"\[email\]"),
}


class Row(NamedTuple):
    """A text, the kind of what is to be masked in it (`none`: nothing), and what is left then."""

    kind: str
    text: str
    masked: str


@dataclass
class Figures:
    """`wanted` masks, those `made`, and those of them that are right."""

    texts: int = 0
    wanted: int = 0
    made: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        """Share of what had to be masked that was."""
        return self.right / self.wanted if self.wanted else 1.0

    @property
    def precision(self) -> float:
        """Share of the masks that had to be made."""
        return self.right / self.made if self.made else 1.0


def rows() -> Iterator[Row]:
    """Yield the list's rows."""
    for line in _LIST.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            kind, marked = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), line).split("\t")
            plain = html.unescape(_PIECE.sub(MASKS.get(kind, ""), marked))
            yield Row(kind, re.sub("[⟦⟧]", "", marked), " ".join(plain.split()))


def is_right(row: Row, normalized: str) -> bool:
    """Whether a text came out as it should, white space around a mask aside."""
    return normalized.replace(" ", "") == row.masked.replace(" ", "")


def measure(normalize: Callable[[str], str], some: Iterable[Row], kinds: Iterable[str] = MASKS) -> Figures:
    """Count the masks of some kinds in rows; a piece that is masked in part, or with more than itself, is not."""
    figures, masks = Figures(), [_MADE[kind] for kind in kinds]
    for row in some:
        normalized = normalize(row.text)
        wanted = sum(len(mask.findall(row.masked)) for mask in masks) if row.kind in MASKS else 0
        figures.texts += 1
        figures.wanted += wanted
        figures.right += wanted if is_right(row, normalized) else 0
        figures.made += sum(max(len(mask.findall(normalized)) - len(mask.findall(row.text)), 0) for mask in masks)
    return figures


def table() -> list[str]:
    """Return the lines of the table in docs/results.md."""
    lines = []
    every = list(rows())
    for version, normalize in NORMALIZERS.items():
        for kind in (*MASKS, "all"):
            some = [row for row in every if kind == "all" or row.kind in (kind, "none")]
            found = measure(normalize, some, MASKS if kind == "all" else [kind])
            lines.append(f"| {version} | {kind} | {found.wanted} | {found.recall:.1%} | {found.precision:.1%} |")
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
    for wrong in (row for row in rows() if not is_right(row, NORMALIZERS[CURRENT_NORMALIZER](row.text))):
        sys.stdout.write(f"{wrong.kind}: {wrong.text!r} becomes {NORMALIZERS[CURRENT_NORMALIZER](wrong.text)!r}\n")
