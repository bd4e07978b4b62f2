"""The demo's texts: the file is what its script writes, and its story is in it."""

import csv
from collections import Counter
from statistics import mean

from tests.demo_texts import PLACE, POSTS, as_csv

_TONE = {"positive": 1, "neutral": 0, "negative": -1}


def test_the_demos_file_is_what_its_script_writes() -> None:
    assert PLACE.read_text(encoding="utf-8") == as_csv()


def test_the_demos_texts_differ_and_tell_of_a_flood_and_of_what_came_after() -> None:
    with PLACE.open(encoding="utf-8", newline="") as file:
        posts = list(csv.DictReader(file))
    assert len({post["text"] for post in posts}) == len({post["id"] for post in posts}) == POSTS
    assert min(Counter(post["topic"] for post in posts).values()) > 150
    flood = {
        week: mean(
            _TONE[post["label"]] for post in posts if post["topic"] == "flood" and begin <= post["created_at"] < end
        )
        for week, (begin, end) in {
            "during": ("2026-03-20", "2026-03-26"),
            "after": ("2026-03-26", "2026-04-06"),
        }.items()
    }
    assert flood["during"] < -0.3
    assert flood["after"] > 0.3
