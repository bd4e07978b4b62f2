"""The same journeys on a real platform, of its own or at PLATFORM_UI_URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

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
