"""Write the demo's texts: eight weeks in Harwick Bay, a town that does not exist, as 2,000 posts with dates and topics.

`python -m tests.demo_texts` writes `gradio_ui/demo/harwick-bay.csv`, the same each time. There is a story in it: a tram
line opens and soon is late, a river floods the old town and people help each other, a phone's battery fails until an
update comes, a football club goes a long way. Each subject has phases, and each phase its share of glad, plain and
unhappy posts.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.demo_story import ENDINGS, OPENINGS, SUBJECTS, WHEN, WHERE, WHO, Phase, Subject

PLACE: Final = Path(__file__).resolve().parents[1] / "gradio_ui" / "demo" / "harwick-bay.csv"
COLUMNS: Final = ("id", "created_at", "author", "topic", "label", "text")
POSTS: Final = 2000
_BEGIN: Final = datetime(2026, 3, 2, tzinfo=UTC)
_SEED: Final = 20260302
_AUTHORS: Final = 160
_HOURS: Final = (7, 8, 8, 9, 11, 12, 12, 13, 15, 16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21, 22, 23)
_LABELS: Final = ("positive", "neutral", "negative")
_FIRST: Final = (
    "ada", "ben", "cleo", "dora", "emil", "finn", "greta", "hugo", "iris", "jon",
    "kira", "leo", "mona", "nils", "olga", "pia", "quin", "rosa", "sam", "tess",
)  # fmt: skip
_SECOND: Final = ("reads", "on_foot", "cooks", "bakes", "runs", "at_sea", "draws", "gardens")


def posts() -> list[dict[str, str]]:
    """Return the posts, the earliest first; always the same."""
    draw = random.Random(_SEED)
    authors = [f"{draw.choice(_FIRST)}_{draw.choice(_SECOND)}_{number}" for number in range(_AUTHORS)]
    drawn = {post["text"]: post for post in _drawn(draw, authors)}
    chosen = draw.sample(sorted(drawn), POSTS)
    rows = sorted((drawn[text] for text in chosen), key=lambda post: (post["created_at"], post["text"]))
    return [{"id": f"harwick-{number:04}", **row} for number, row in enumerate(rows, 1)]


def as_csv() -> str:
    """Return the posts as the file holds them."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(posts())
    return file.getvalue()


def _drawn(draw: random.Random, authors: Sequence[str]) -> Iterator[dict[str, str]]:
    for subject in SUBJECTS:
        for phase in subject.phases:
            for day in range(phase.first, phase.last + 1):
                for _ in range(round(draw.gauss(phase.daily * 1.9, phase.daily * 0.3))):
                    yield _post(draw, subject, phase, day, authors)


def _post(draw: random.Random, subject: Subject, phase: Phase, day: int, authors: Sequence[str]) -> dict[str, str]:
    label = draw.choices(_LABELS, phase.shares)[0]
    at = _BEGIN + timedelta(days=day, hours=draw.choice(_HOURS), minutes=draw.randrange(60), seconds=draw.randrange(60))
    author = draw.choices(authors, [1 / (rank + 4) for rank in range(_AUTHORS)])[0]
    return {
        "created_at": at.isoformat().replace("+00:00", "Z"),
        "author": author,
        "topic": subject.topic,
        "label": label,
        "text": _text(draw, subject, phase.said[label], label),
    }


def _text(draw: random.Random, subject: Subject, sentences: Sequence[str], label: str) -> str:
    opening, ending = draw.choice(OPENINGS[label]), draw.choice(ENDINGS[label])
    body = draw.choice(sentences).format(where=draw.choice(WHERE), when=draw.choice(WHEN), who=draw.choice(WHO))
    if not opening or opening.endswith(("! ", "? ", ". ")):
        body = body[0].upper() + body[1:]
    stop = "" if body.endswith(("!", "?")) else "."
    return " ".join(f"{opening}{body}{stop}{ending} {draw.choice(subject.tags)}".split())


def main() -> None:
    """Write the file."""
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    PLACE.write_text(as_csv(), encoding="utf-8")


if __name__ == "__main__":
    main()
