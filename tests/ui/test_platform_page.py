"""The same journeys on a real platform, of its own or at PLATFORM_UI_URL."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.running_platform import running
from tests.ui.conftest import Visit
from tests.ui.journeys import SENTENCES, analyse_file, classify, count_of, downloaded, read_csv, written_csv

pytestmark = [pytest.mark.ui, pytest.mark.integration]


@pytest.fixture
def platform(browser: Browser, platform_ui_url: str) -> Visit:
    return Visit(browser.new_page(viewport={"width": 1100, "height": 860}, accept_downloads=True), platform_ui_url)


@pytest.fixture(scope="module")
def platform_ui_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page at PLATFORM_UI_URL, or that of a platform of this module's own."""
    if url := os.environ.get("PLATFORM_UI_URL"):
        yield url.rstrip("/")
        return
    with running(tmp_path_factory.mktemp("home")) as started:
        yield f"http://127.0.0.1:{started.environment['UNDERTONE_UI_PORT']}"


def test_the_demonstration_is_explored_from_an_empty_platform_to_a_comparison(platform: Visit, tmp_path: Path) -> None:
    page = platform.open()
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

    page.get_by_label("Search", exact=True).fill("source:demo")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(tiles.first).to_contain_text("source:demo")
    page.get_by_role("button", name="Why did it move?").click()
    page.get_by_label("First span").fill("2026-03-02/2026-03-20")
    page.get_by_label("Second span").fill("2026-03-20/2026-03-26")
    page.get_by_role("button", name="Compare spans").click()
    expect(page.locator("#explore-why-answer")).to_contain_text("most of all flood")
    expect(page.locator("#explore-why-drivers tbody tr").first).to_contain_text("flood")
    page.get_by_label("Second span").fill("2026-03-20")
    page.get_by_role("button", name="Compare spans").click()
    expect(page.locator("#explore-why-answer .problem")).to_contain_text("FROM/TO")

    assert platform.errors == platform.strangers == []
    page.goto(f"{platform.url}/?tab=explore&q=topic%3Aflood&q2=topic%3Atram&bucket=week&from=2026-03-16")
    expect(tiles).to_have_count(2)
    expect(page.get_by_label("From", exact=True)).to_have_value("2026-03-16")


def test_the_shipped_model_knows_how_a_sentence_feels(platform: Visit) -> None:
    page = platform.open()
    assert classify(page, "I love this product!") == "positive"
    assert classify_again(platform, "This is terrible, I want my money back.") == "negative"
    assert platform.errors == []


def test_an_uploaded_file_comes_back_with_all_its_rows(platform: Visit, tmp_path: Path) -> None:
    page = platform.open()
    analyse_file(page, written_csv(tmp_path / "in.csv", SENTENCES * 10), "review")
    assert count_of(page, "total") == 40
    rows = read_csv(downloaded(page, "Download CSV", tmp_path))
    assert len(rows) == 40
    assert (rows[0]["label"], rows[1]["label"]) == ("positive", "negative")


def classify_again(platform: Visit, text: str) -> str:
    platform.page.get_by_role("button", name="Clear").first.click()
    platform.page.locator(".card").wait_for(state="detached")
    return classify(platform.page, text)
