"""Topics of an article: what it speaks of most, in words that a reader would use."""

from __future__ import annotations

import pytest

from sentiment.sources.gdelt.gkg import GKG
from sentiment.sources.gdelt.topics import theme_name, topics_of_article
from tests.gdelt_rows import gkg_row


@pytest.mark.parametrize(
    ("theme", "name"),
    [
        ("WB_2670_JOBS", "jobs"),
        ("TAX_DISEASE_CORONAVIRUS", "coronavirus"),
        ("NATURAL_DISASTER_FLOOD", "natural disaster flood"),
        ("ENV_CLIMATECHANGE", "climatechange"),
        ("EPU_CATS_HEALTHCARE", "healthcare"),
        ("USPEC_POLITICS_GENERAL1", "politics general"),
        ("SOC_POINTSOFINTEREST_SCHOOL", "school"),
        ("PROTEST", "protest"),
        ("SOC_POINTSOFINTEREST", ""),
        ("TAX_FNCACT_MINISTER", ""),
        ("TAX_WORLDLANGUAGES_RUSSIA", ""),
        ("CRISISLEX_CRISISLEXREC", ""),
        ("TAX_DISEASE", ""),
    ],
)
def test_a_theme_is_named_without_the_list_that_it_is_in(theme, name):
    assert theme_name(theme) == name


def test_what_comes_most_comes_first_in_each_kind():
    assert topics_of_article(GKG.read(gkg_row())) == (
        "natural disaster flood",
        "water",
        "tom hale",
        "rosa quint",
        "river board",
        "germany",
        "paris",
        "france",
    )


def test_there_are_never_more_topics_than_a_text_may_have():
    cells = gkg_row().split("\t")
    cells[8] = ";".join(f"THEME_{'X' * 100}{number},1" for number in range(1000))
    cells[12] = ";".join(f"Person {number},1" for number in range(1000))
    topics = topics_of_article(GKG.read("\t".join(cells)))
    assert len(topics) <= 20
    assert max(map(len, topics)) <= 64
