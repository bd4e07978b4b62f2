"""The journeys of tests/ui on a real platform's page: the one here, or that at PLATFORM_UI_URL."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.ui.conftest import Visit
from tests.ui.journeys import SENTENCES, analyse_file, classify, count_of, downloaded, read_csv, written_csv

pytestmark = [pytest.mark.ui, pytest.mark.integration]


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A visit of the platform's page, or of that at PLATFORM_UI_URL."""
    url = os.environ.get("PLATFORM_UI_URL") or request.getfixturevalue("platform").ui_url
    opened = browser.new_page(viewport={"width": 1100, "height": 860}, accept_downloads=True)
    yield Visit(opened, url.rstrip("/"))
    opened.close()


def test_the_demonstration_is_explored_from_an_empty_platform_to_a_comparison(visit: Visit, tmp_path: Path) -> None:
    page = visit.open()
    page.get_by_role("tab", name="Explore").click()
    page.get_by_role("button", name="Load the demonstration").click()
    tiles = page.locator("#explore-tiles .tile")
    expect(tiles.first).to_have_attribute("data-count", "2000", timeout=120_000)

    page.get_by_label("Search", exact=True).fill("flood and (")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#explore-message .problem")).to_contain_text("cannot be read at character 12")

    page.get_by_label("Search", exact=True).fill("topic:flood")
    page.get_by_label("Compare with").fill("topic:tram")
    page.get_by_label("Compare with").press("Enter")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(tiles).to_have_count(2)
    expect(page.locator("#explore-plot .js-plotly-plot")).to_be_visible()
    expect(page).to_have_url(re.compile("q=topic%3Aflood&q2=topic%3Atram"))
    page.locator("#explore-terms [data-add]").first.click()
    expect(page).to_have_url(re.compile(r"q=topic%3Aflood\+"))
    with downloaded(page, "Download CSV", tmp_path).open(encoding="utf-8") as table:
        assert table.readline().startswith("query,from,to,count,sentiment")

    page.get_by_label("Search", exact=True).fill("source:harwick-bay")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(tiles.first).to_contain_text("source:harwick-bay")
    page.get_by_role("button", name="Why did it move?").click()
    page.get_by_label("First span").fill("2026-03-02/2026-03-20")
    page.get_by_label("Second span").fill("2026-03-20/2026-03-26")
    page.get_by_role("button", name="Compare spans").click()
    expect(page.locator("#explore-why-answer")).to_contain_text("most of all flood")
    expect(page.locator("#explore-why-drivers tbody tr").first).to_contain_text("flood")
    page.get_by_label("Second span").fill("2026-03-20")
    page.get_by_role("button", name="Compare spans").click()
    expect(page.locator("#explore-why-answer .problem")).to_contain_text("FROM/TO")

    assert visit.errors == visit.strangers == []
    page.goto(f"{visit.url}/?tab=explore&q=topic%3Aflood&q2=topic%3Atram&bucket=week&from=2026-03-16")
    expect(tiles).to_have_count(2)
    expect(page.get_by_label("From", exact=True)).to_have_value("2026-03-16")


def test_an_uploaded_file_is_streamed_and_watched(visit: Visit, tmp_path: Path) -> None:
    labels = ("positive", "negative", "neutral")
    rows = [[SENTENCES[n % 3] + f" {n}", f"2026-03-0{1 + n % 7}T10:00", labels[n % 3]] for n in range(60)]
    with (tmp_path / "my tweets.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["body", "created_at", "label"], *rows])
    page = visit.open()
    page.get_by_role("tab", name="Live").click()
    expect(page.locator("#live-message")).to_contain_text("harwick-bay is finished: 2,000 read")
    page.get_by_text("A file of mine").click()
    page.get_by_role("button", name="Start stream").click()
    expect(page.locator("#live-message .problem")).to_contain_text("Choose a file first")
    page.locator("#live-file input[type=file]").set_input_files(tmp_path / "my tweets.csv")
    expect(page.locator("#live-text-column input")).to_have_value("body")
    expect(page.locator("#live-label-column input")).to_have_value("label")
    page.get_by_label("Number of texts").fill("50")
    page.get_by_role("button", name="Start stream").click()
    expect(page.locator("#live-message")).to_contain_text("my-tweets is finished: 50 read", timeout=90_000)
    expect(page.locator("#live-tiles .tile.total")).to_have_attribute("data-count", "50")
    expect(page.locator("#live-plot .js-plotly-plot")).to_be_visible()
    expect(page.locator("#live-latest li")).to_have_count(10)
    expect(page.locator("#live-confusion")).to_contain_text("The newest 50 texts with a true label")
    assert visit.errors == visit.strangers == []


def test_the_shipped_model_knows_how_a_sentence_feels(visit: Visit) -> None:
    page = visit.open()
    assert classify(page, "I love this product!") == "positive"
    assert classify_again(visit, "This is terrible, I want my money back.") == "negative"
    assert visit.errors == []


def test_an_uploaded_file_comes_back_with_all_its_rows(visit: Visit, tmp_path: Path) -> None:
    page = visit.open()
    analyse_file(page, written_csv(tmp_path / "in.csv", SENTENCES * 10), "review")
    assert count_of(page, "total") == 40
    rows = read_csv(downloaded(page, "Download CSV", tmp_path))
    assert len(rows) == 40
    assert (rows[0]["label"], rows[1]["label"]) == ("positive", "negative")


def classify_again(visit: Visit, text: str) -> str:
    visit.page.get_by_role("button", name="Clear").first.click()
    visit.page.locator(".card").wait_for(state="detached")
    return classify(visit.page, text)
