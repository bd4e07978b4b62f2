"""Files of all kinds on the tab *Batch*: how they were read is seen before the analysis, and can be changed."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sentiment.tables import open_table
from tests.tiny_workbook import workbook
from tests.ui.conftest import Visit
from tests.ui.journeys import count_of, downloaded, fits

pytestmark = pytest.mark.ui


def upload(page: Page, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    page.get_by_role("tab", name="Batch").click()
    page.locator("input[type=file]").set_input_files(path)


def choose(page: Page, label: str, choice: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=choice, exact=True).click()


def analyse(page: Page) -> None:
    page.get_by_role("button", name="Start analysis").click()
    page.get_by_role("button", name="Download CSV").wait_for()


def test_a_files_first_rows_are_seen_as_they_were_read_and_its_delimiter_can_be_changed(
    visit: Visit, tmp_path: Path
) -> None:
    page = visit.open()
    upload(page, tmp_path / "in.csv", b'id;"text, raw"\n1;"so good, really"\n2;bad\n')
    rows = page.locator("#preview tbody tr")
    expect(rows.nth(0)).to_contain_text("so good, really")
    expect(page.locator("#preview")).to_contain_text("cells are parted by semicolons, quotes enclose cells")
    expect(page.locator("#column input")).to_have_value("id")
    choose(page, "Delimiter", "none: a line is one cell")
    expect(page.locator("#preview")).to_contain_text("a line is one cell")
    expect(page.locator("#preview th")).to_have_count(1)
    choose(page, "Delimiter", "semicolon")
    choose(page, "Quotes", "plain characters")
    expect(rows.nth(0)).to_contain_text('"so good, really"')
    choose(page, "Column with the texts", '"text, raw"')
    analyse(page)
    expect(page.locator("#results tbody tr").nth(0)).to_contain_text('"so good, really"')
    assert count_of(page, "total") == 2
    assert visit.errors == []


def test_another_file_is_read_as_it_tells_itself(visit: Visit, tmp_path: Path) -> None:
    page = visit.open()
    upload(page, tmp_path / "in.csv", b"id;text\n1;good\n")
    expect(page.locator("#preview")).to_contain_text("semicolons")
    choose(page, "Delimiter", "tab")
    expect(page.locator("#preview")).to_contain_text("tabs")
    page.get_by_label("Remove this file").or_(page.get_by_label("Clear")).first.click()
    expect(page.locator("#preview table")).to_have_count(0)
    upload(page, tmp_path / "b.csv", b"id,text\n1,good\n")
    expect(page.locator("#preview")).to_contain_text("commas")
    expect(page.get_by_label("Delimiter", exact=True)).to_have_value("automatic")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv.gz", gzip.compress(b"id,text\n1,good\n2,awful\n")),
        ("in.tsv", b'id\ttext\n1\t"good\n2\tawful"\n'),
        ("in.xlsx", workbook([["id", "text"], [1, "good"], [2, "awful"]])),
        ("in.jsonl", b'{"id": 9007199254740993, "text": "good"}\n{"id": 0.5, "text": "awful"}\n'),
    ],
)
def test_packed_files_workbooks_and_large_numbers_are_analysed(
    visit: Visit, tmp_path: Path, name: str, content: bytes
) -> None:
    page = visit.open()
    upload(page, tmp_path / name, content)
    expect(page.locator("#column input")).to_have_value("text")
    expect(page.locator("#preview tbody tr")).to_have_count(2)
    expect(page.locator("#delimiter")).to_be_visible(visible=name.startswith(("in.csv", "in.tsv")))
    analyse(page)
    assert [count_of(page, kind) for kind in ("positive", "negative")] == [1, 1]
    assert visit.errors == []


def test_a_download_opens_as_text_in_a_spreadsheet(visit: Visit, tmp_path: Path) -> None:
    page = visit.open()
    upload(page, tmp_path / "in.tsv", b"text\n=cmd()\n@bob good\n-1\n")
    expect(page.locator("#column input")).to_have_value("text")
    analyse(page)
    csv = downloaded(page, "Download CSV", tmp_path)
    assert [line.split(",")[0] for line in csv.read_text().splitlines()] == ["text", "'=cmd()", "'@bob good", "'-1"]
    assert [row.values["text"] for row in open_table(csv)] == ["=cmd()", "@bob good", "-1"]


def test_a_file_that_is_no_table_is_said_to_be_what_it_is(visit: Visit, tmp_path: Path) -> None:
    page = visit.open()
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
        archive.writestr("tweets.csv", "text\na\n")
    upload(page, tmp_path / "in.zip", (tmp_path / "made.zip").read_bytes())
    expect(page.locator("#state [role=alert]")).to_contain_text("is a zip archive by its first bytes: unpack it")
    expect(page.locator("#state [role=alert]")).to_contain_text("tweets.csv")


def test_a_phone_shows_the_first_rows_without_scrolling_sideways(phone: Visit, tmp_path: Path) -> None:
    page = phone.open()
    wide = ",".join(f"a long name {n}" for n in range(8))
    upload(page, tmp_path / "in.csv", f"{wide}\n{','.join(['word ' * 20] * 8)}\n".encode())
    expect(page.locator("#preview tbody tr")).to_have_count(1)
    assert fits(page)
    assert phone.errors == []
