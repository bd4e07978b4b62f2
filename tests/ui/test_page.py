from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from pyarrow import parquet as pq

from tests.fake_api import FakeApi
from tests.free_ports import free_port
from tests.ui.conftest import Visit, serving_page
from tests.ui.journeys import (
    SENTENCES,
    analyse_file,
    classify,
    count_of,
    downloaded,
    fits,
    read_csv,
    written_csv,
)

pytestmark = pytest.mark.ui


def test_a_typed_sentence_shows_its_label_verdict_shares_and_version(visit: Visit) -> None:
    page = visit.open()
    assert classify(page, "I love this product!") == "positive"
    card = page.locator(".card")
    for shown in (
        "Positive",
        "93.0% sure. Positive against negative: Extremely Positive",
        "sentiment +0.91",
        "sentiment version 7",
        "7.0 ms",
    ):
        expect(card).to_contain_text(shown)
    expect(page.get_by_role("img", name="positive 93.0%")).to_be_visible()
    assert visit.errors == []


def test_the_words_that_moved_the_answer_are_highlighted(visit: Visit) -> None:
    page = visit.open()
    classify(page, "I love the camera but hate the battery")
    words = page.locator("#words")
    expect(words).to_be_visible()
    moved = words.locator(".highlighted").all_inner_texts()
    assert [word.strip() for word in moved] == ["love", "hate"]


def test_a_neutral_text_is_called_by_its_label_first(visit: Visit) -> None:
    page = visit.open()
    assert classify(page, "The table is made of wood") == "neutral"
    expect(page.locator(".card .verdict")).to_have_text("Neutral")
    expect(page.locator(".card .label")).to_contain_text("Positive against negative: Somewhat")


def test_a_text_in_another_language_is_said_to_be_that_and_no_word_moved_it(visit: Visit) -> None:
    page = visit.open()
    assert classify(page, "Das ist mir alles fremd und neu") == "neutral"
    expect(page.locator(".card .verdict")).to_have_text("Not supported")
    expect(page.locator(".card .label")).to_contain_text("It seems to be in German. It counts as neutral")
    page.wait_for_timeout(500)
    expect(page.locator("#words")).to_have_count(0)
    page.get_by_role("tab", name="Batch").click()
    page.get_by_label("Or paste lines, one text each").fill("so good\nDas ist mir fremd")
    page.get_by_role("button", name="Start analysis").click()
    expect(page.locator("#state")).to_contain_text("1 count as neutral because the model cannot read them")
    expect(page.locator("#results tbody tr").nth(1)).to_contain_text("not supported")
    expect(page.locator("#results tbody tr").nth(1)).to_contain_text("German")
    expect(page.locator("#results tbody tr").nth(0)).to_contain_text("English")
    assert visit.errors == []


def test_a_text_that_is_too_long_is_told_so_once(visit: Visit) -> None:
    page = visit.open()
    page.get_by_label("Text", exact=True).fill("good " * 10_001)
    page.get_by_role("button", name="Classify").click()
    expect(page.locator("#answer [role=alert]")).to_contain_text("longer than")
    page.wait_for_timeout(1_500)
    expect(page.locator("#words")).to_have_count(0)


def test_screen_readers_are_told_words_and_no_keys(visit: Visit) -> None:
    page = visit.open()
    classify(page, "good")
    expect(page.get_by_text("Complete", exact=True).first).to_be_attached()
    expect(page.locator("body")).not_to_contain_text("common.")


def test_an_example_is_classified_by_a_click_and_clear_takes_all_away(visit: Visit) -> None:
    page = visit.open()
    page.get_by_role("button", name="I love this product!").click()
    expect(page.locator(".card[data-label=positive]")).to_be_visible()
    page.get_by_role("button", name="Clear").first.click()
    expect(page.get_by_label("Text", exact=True)).to_have_value("")
    expect(page.locator(".card")).to_have_count(0)


def test_an_error_of_the_platform_is_a_message_on_the_page(visit: Visit, api: FakeApi) -> None:
    page = visit.open()
    api.failures = [(422, {})]
    page.get_by_label("Text", exact=True).fill("anything")
    page.get_by_role("button", name="Classify").click()
    expect(page.locator("#answer [role=alert]")).to_contain_text("busy 422")
    expect(page.locator("body")).not_to_contain_text("Traceback")


def test_an_empty_text_is_answered_without_asking_the_platform(visit: Visit, api: FakeApi) -> None:
    page = visit.open()
    expect(page.locator("#platform")).to_contain_text("version 7")
    before = len(api.requests)
    page.get_by_role("button", name="Classify").click()
    expect(page.locator("#answer [role=alert]")).to_contain_text("Write a text first")
    assert len(api.requests) == before


def test_an_uploaded_csv_is_analysed_and_comes_back_with_its_rows_as_csv_and_parquet(
    visit: Visit, tmp_path: Path
) -> None:
    page = visit.open()
    analyse_file(page, written_csv(tmp_path / "in.csv", [*SENTENCES * 30, ""]), "review")
    counts = {kind: count_of(page, kind) for kind in ("total", "positive", "neutral", "negative")}
    assert counts == {"total": 121, "positive": 60, "neutral": 30, "negative": 30}
    expect(page.locator("#state")).to_contain_text("1 could not be classified. Row 121: 'review' is empty.")
    expect(page.get_by_role("img", name="negative 25.0%, neutral 25.0%, positive 50.0%")).to_be_visible()
    expect(page.locator("#results tbody tr").nth(1)).to_contain_text("awful")
    rows = read_csv(downloaded(page, "Download CSV", tmp_path))
    assert [row["no"] for row in rows] == [str(number) for number in range(1, 122)]
    assert [row["label"] for row in rows[:4]] == ["positive", "negative", "neutral", "positive"]
    assert rows[-1]["problem"] == "'review' is empty"
    table = pq.read_table(downloaded(page, "Download Parquet", tmp_path))
    assert (table.num_rows, table["model_version"][0].as_py()) == (121, 7)
    assert visit.errors == []


def test_as_many_texts_as_asked_for_are_drawn_and_the_total_says_what_changed(visit: Visit, tmp_path: Path) -> None:
    page = visit.open()
    path = written_csv(tmp_path / "in.csv", SENTENCES * 30)
    analyse_file(page, path, "review", number="100")
    assert count_of(page, "total") == 100
    expect(page.locator(".tile.total")).to_contain_text("+100")
    expect(page.locator("#state")).to_contain_text("A sample: 100 of the 120 rows, drawn at random.")
    page.get_by_label("Number of texts to be analysed").fill("80")
    page.get_by_role("button", name="Start analysis").click()
    expect(page.locator(".tile.total")).to_contain_text("-20")


def test_pasted_lines_are_analysed_and_shown_as_they_are(visit: Visit) -> None:
    page = visit.open()
    page.get_by_role("tab", name="Batch").click()
    page.get_by_label("Or paste lines, one text each").fill("good <img src=x onerror=alert(1)>\n\n${1+1} {{x}} bad\n")
    page.get_by_role("button", name="Start analysis").click()
    page.get_by_role("button", name="Download CSV").wait_for()
    expect(page.locator("#results tbody tr").nth(0)).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#results tbody tr").nth(1)).to_contain_text("${1+1} {{x}} bad")
    assert visit.errors == []


def test_a_stopped_analysis_asks_the_platform_no_more(visit: Visit, api: FakeApi, tmp_path: Path) -> None:
    page = visit.open()
    page.get_by_role("tab", name="Batch").click()
    page.locator("input[type=file]").set_input_files(written_csv(tmp_path / "in.csv", ["good"] * 10_000))
    expect(page.locator("#column input")).to_have_value("review")
    api.delay_s = 0.3
    page.get_by_role("button", name="Start analysis").click()
    expect(page.locator(".tile.positive")).not_to_have_attribute("data-count", "0")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#state")).to_contain_text("Stopped")
    page.wait_for_timeout(2_000)
    asked = len(api.requests)
    page.wait_for_timeout(2_000)
    assert len(api.requests) == asked


@pytest.mark.parametrize(
    ("number", "message"), [("ten", "not a number of texts"), ("0", "from 1 up"), ("", "Upload a file or paste")]
)
def test_wrong_input_of_an_analysis_is_told_on_the_page(visit: Visit, number: str, message: str) -> None:
    page = visit.open()
    page.get_by_role("tab", name="Batch").click()
    if number:
        page.get_by_label("Or paste lines, one text each").fill("good")
    page.get_by_label("Number of texts to be analysed").fill(number)
    page.get_by_role("button", name="Start analysis").click()
    expect(page.locator("#state [role=alert]")).to_contain_text(message)


def test_a_file_that_cannot_be_read_says_why(visit: Visit, tmp_path: Path) -> None:
    page = visit.open()
    page.get_by_role("tab", name="Batch").click()
    (tmp_path / "in.csv").write_bytes(b"text\ncaf\xe9\n")
    page.locator("input[type=file]").set_input_files(tmp_path / "in.csv")
    expect(page.locator("#state [role=alert]")).to_contain_text("It may be cp1252: save it as UTF-8.")


def test_half_a_surrogate_pair_in_an_uploaded_file_is_shown_as_one_replaced_character(
    visit: Visit, tmp_path: Path
) -> None:
    page = visit.open()
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "good"}\n{"text": "bad\\ud800", "half \\ud800": 1}\n', encoding="ascii")
    analyse_file(page, path, "text")
    expect(page.locator("#results tbody tr").nth(1)).to_contain_text("bad\ufffd")
    assert visit.errors == []


def test_an_analysis_that_fails_in_the_page_itself_ends_in_a_message(visit: Visit, api: FakeApi) -> None:
    page = visit.open()
    page.get_by_role("tab", name="Batch").click()
    page.get_by_label("Or paste lines, one text each").fill("good")
    api.failures = [(200, {})]
    page.get_by_role("button", name="Start analysis").click()
    expect(page.locator("#state [role=alert]")).to_contain_text("its log has the cause")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(phone: Visit, tmp_path: Path, theme: str) -> None:
    page = phone.open(f"?__theme={theme}")
    classify(page, "I love this product, " + "what a wonderful thing it is " * 5)
    expect(page.locator("#words")).to_be_visible()
    assert fits(page)
    analyse_file(page, written_csv(tmp_path / "in.csv", [*SENTENCES, "a" * 400]), "review")
    assert fits(page)
    assert phone.errors == []


def test_the_page_loads_nothing_from_anywhere_else(visit: Visit) -> None:
    page = visit.open()
    classify(page, "good")
    assert visit.strangers == []


def test_everything_that_can_be_filled_in_has_a_name(visit: Visit) -> None:
    page = visit.open()
    page.get_by_role("tab", name="Batch").click()
    nameless = "e => e.filter(i => i.offsetParent && !i.labels?.length && !i.ariaLabel && !i.innerText).length"
    assert page.locator("input, textarea, button, select").evaluate_all(nameless) == 0


def test_a_page_beyond_this_machine_without_a_login_does_not_start() -> None:
    own = {"UNDERTONE_UI_HOST": "0.0.0.0", "UNDERTONE_UI_PORT": str(free_port())}
    ended = subprocess.run(
        [sys.executable, "-m", "gradio_ui"], env={**os.environ, **own}, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert "UNDERTONE_UI_LOGIN" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_page_with_a_login_shows_nothing_before_it(served_api: tuple[FakeApi, str]) -> None:
    login = "ann:correct horse battery"
    with serving_page(served_api[1], UNDERTONE_UI_LOGIN=login) as url, httpx.Client(base_url=url) as client:
        for path in ("/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=x"):
            assert client.get(path).status_code == 401, path
        wrong = client.post("/login", data={"username": "ann", "password": "guess"})
        right = client.post("/login", data={"username": "ann", "password": "correct horse battery"})
        assert (wrong.status_code, right.status_code) == (400, 200)
        assert client.get("/config").status_code == 200
