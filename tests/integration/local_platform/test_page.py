"""The journeys of tests/ui on a real platform's page: the one here, or that at PLATFORM_UI_URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

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
