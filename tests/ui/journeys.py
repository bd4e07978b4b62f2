"""What a visitor does on the page, step by step: the same on the fake platform and on a real one."""

from __future__ import annotations

import csv
from pathlib import Path

from playwright.sync_api import Page, expect

SENTENCES = ["I love this, great work", "This is awful and broken", "The table is made of wood", "Good, thanks a lot"]


def classify(page: Page, text: str) -> str:
    """Type a text, press the button and return the label that appears."""
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Classify").click()
    card = page.locator(".card[data-label]")
    card.wait_for()
    return str(card.get_attribute("data-label"))


def analyse_file(page: Page, path: Path, column: str, number: str = "") -> None:
    """Upload a file, choose its column, start the analysis and wait for its end."""
    page.get_by_role("tab", name="Batch").click()
    page.locator("input[type=file]").set_input_files(path)
    expect(page.locator("#column input")).to_have_value(column)
    page.get_by_label("Number of texts to be analysed").fill(number)
    page.get_by_role("button", name="Start analysis").click()
    page.get_by_role("button", name="Download CSV").wait_for()


def downloaded(page: Page, button: str, folder: Path) -> Path:
    """Press a download button and return the file that arrives."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    target = folder / download.value.suggested_filename
    download.value.save_as(target)
    return target


def count_of(page: Page, kind: str) -> int:
    """Return the number that a tile shows."""
    return int(str(page.locator(f".tile.{kind}").get_attribute("data-count")))


def written_csv(path: Path, texts: list[str]) -> Path:
    """Write texts under the column `review`, beside a number."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["no", "review"], *enumerate(texts, 1)])
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def fits(page: Page) -> bool:
    """Return whether nothing has to be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
