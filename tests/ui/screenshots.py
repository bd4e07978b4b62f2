"""Take the pictures of docs/ on a running page: `python -m tests.ui.screenshots http://127.0.0.1:7860`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.ui.conftest import CHROMIUM_ARGUMENTS
from tests.ui.journeys import analyse_file, classify, written_csv

DOCS = Path(__file__).parents[2] / "docs"
SENTENCE = "The camera is wonderful and I love the screen, but the battery is a bad joke."
REVIEWS = [
    "Arrived a day early and works like a charm.",
    "The strap broke after a week. Very disappointed.",
    "It is a kettle. It boils water.",
    "Best headphones I have had in years!",
    "Support kept me waiting for an hour and then hung up.",
    "Delivery is planned for Thursday between 9 and 12.",
    "My kids love it, so do I :)",
    "Not worth the money, returned it the same day.",
    "Looks good, feels cheap.",
    "How do I pair it with a second phone?",
    "Absolutely brilliant, five stars.",
    "The app crashes every time I open it.",
]


def main(url: str) -> None:
    """Write docs/screenshot.png, screenshot-batch.png and screenshot-phone.png."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1100, "height": 640})
        page.goto(url)
        _take(page, "screenshot.png", SENTENCE)
        page.set_viewport_size({"width": 1100, "height": 1000})
        analyse_file(page, written_csv(Path(folder) / "reviews.csv", REVIEWS), "review")
        _save(page, DOCS / "screenshot-batch.png")
        phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
        phone.goto(f"{url}/?__theme=dark")
        _take(phone, "screenshot-phone.png", SENTENCE)
        browser.close()


def _take(page: Page, name: str, text: str) -> None:
    classify(page, text)
    page.locator("#words .highlighted").first.wait_for()
    _save(page, DOCS / name)


def _save(page: Page, path: Path) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(800)  # the card's fade and Gradio's own
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
