"""The tab *Models* in a real browser: what it shows of versions and of a rollout, and what its buttons do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from gradio_ui.tabs.models.rollout_actions import BUTTONS
from tests.fake_api import ROLLOUT, FakeApi
from tests.ui.conftest import Visit, serving_page
from tests.ui.journeys import classify, fits

pytestmark = pytest.mark.ui

FULL = {**ROLLOUT, "state": "full", "phase": "full", "waits": None}


def opened(visit: Visit) -> Page:
    page = visit.open()
    page.get_by_role("tab", name="Models").click()
    expect(page.locator("#versions")).to_contain_text("sentiment version 7")
    return page


def enabled(page: Page) -> set[str]:
    """Return the commands whose buttons can be pressed."""
    return {name for name in BUTTONS if page.locator(f"#{name}").is_enabled()}


def test_versions_are_listed_with_what_they_do(visit: Visit, api: FakeApi) -> None:
    page = opened(visit)
    row = page.locator(".versions tbody tr")
    for shown in ("champion", "serving", "100%", "macro recall 0.698"):
        expect(row).to_contain_text(shown)
    expect(page.locator("#rollout")).to_contain_text("No version has been rolled out yet")
    assert visit.errors == []


def test_a_rollout_is_shown_with_shares_counts_and_disagreements(visit: Visit, api: FakeApi) -> None:
    api.rollout = ROLLOUT
    page = opened(visit)
    card = page.locator("#rollout .card")
    for shown in (
        "Version 7 → 8: canary",
        "step 10 of shadow,1,10,100",
        "step 10 begins",
        "step 10 waits for promote",
        "agree on 95.0% of 200 texts; on 2 one says positive",
        "Confidence90.0%85.0%-5.0 points",
        "Label shiftpositive 100%neutral 10%, positive 90%10.0%",
        "Of 12 texts with feedback, only version 7 is right on 2 and only version 8 on 1",
    ):
        expect(card).to_contain_text(shown)
    expect(page.get_by_role("img", name="version 8 10%, shadow of 25%")).to_be_visible()
    disputed = page.locator(".disagreements tbody tr")
    for shown in ("so <so>, @user", "neutral 60%", "negative 70%"):
        expect(disputed).to_contain_text(shown)
    assert visit.errors == []


def test_a_rollout_is_followed_while_the_tab_is_open(visit: Visit, api: FakeApi) -> None:
    api.rollout = ROLLOUT
    page = opened(visit)
    expect(page.locator("#rollout")).to_contain_text("canary")
    api.rollout = {**ROLLOUT, "state": "aborted", "reason": "it disagrees too often"}
    expect(page.locator("#rollout")).to_contain_text("it disagrees too often")


def test_a_rollout_is_started_and_aborted_by_buttons(visit: Visit, api: FakeApi) -> None:
    page = opened(visit)
    page.get_by_label("Version to roll out").fill("9")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#said")).to_contain_text("The rollout of version 9 begins")
    expect(page.locator("#rollout")).to_contain_text("Version 7 → 9")
    page.get_by_role("button", name="Abort").click()
    expect(page.locator("#said")).to_contain_text("gets all the traffic again")
    expect(page.locator("#rollout")).to_contain_text("abort asked for")
    assert visit.errors == []


def test_only_what_can_be_done_now_can_be_pressed_and_the_tab_says_why(visit: Visit, api: FakeApi) -> None:
    page = opened(visit)
    expect(page.locator("#why")).to_contain_text("No rollout is under way")
    expect(page.locator("#start")).to_be_enabled()
    assert enabled(page) == {"start"}
    api.rollout = ROLLOUT
    expect(page.locator("#promote")).to_be_enabled()
    assert enabled(page) == {"promote", "pause", "abort"}
    page.get_by_role("button", name="What the buttons do").click()
    expect(page.locator("#help dd").nth(1)).to_contain_text("next step of the plan now")
    assert page.locator("#help dt").all_inner_texts() == [button.label for button in BUTTONS.values()]


def test_what_cannot_be_done_is_said(visit: Visit, api: FakeApi) -> None:
    page = opened(visit)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#said [role=alert]")).to_contain_text("Version to roll out: write the number")
    api.rollout = ROLLOUT
    expect(page.locator("#pause")).to_be_enabled()
    api.failures = [(409, {})]
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#said [role=alert]")).to_contain_text("busy 409")


def test_a_rollout_is_started_with_all_its_settings(visit: Visit, api: FakeApi) -> None:
    page = opened(visit)
    page.get_by_label("Version to roll out").fill("9")
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Hold (seconds)").fill("soon")
    page.get_by_role("radio", name="each author").check()
    page.get_by_label("In place").check()
    page.get_by_role("button", name="More settings").click()
    expect(page.get_by_label("Hold (seconds)")).to_be_hidden()
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#said [role=alert]")).to_have_text("Hold (seconds) 'soon' is not a time: give 60s, 5m or 1h")
    page.get_by_label("Hold (seconds)").fill("30s")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#rollout")).to_contain_text("each step is held for 30 s")
    assert api.rollout is not None
    asked = ("challenger", "hold_s", "sticky", "in_place", "auto")
    assert [api.rollout[name] for name in asked] == [9, 30.0, "author", True, False]


def test_going_back_from_all_the_traffic_is_asked_for_and_the_keyboard_stands_on_staying(
    visit: Visit, api: FakeApi
) -> None:
    api.rollout = FULL
    page = opened(visit)
    page.get_by_role("button", name="Abort").click()
    expect(page.locator("#question [role=alert]")).to_contain_text("Going back gives it, and the alias champion, to")
    expect(page.get_by_role("button", name="Stay")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#question")).to_be_hidden()
    expect(page.get_by_role("button", name="Abort")).to_be_focused()
    assert api.rollout["asked"] is None
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Go back").click()
    expect(page.locator("#said")).to_contain_text("gets all the traffic again")
    expect(page.locator("#why")).to_contain_text("being aborted")
    assert enabled(page) == set()
    assert visit.errors == []


def test_the_header_follows_a_takeover(visit: Visit, api: FakeApi) -> None:
    page = opened(visit)
    expect(page.locator("#platform")).to_have_text("sentiment version 7")
    api.serves = 8
    expect(page.locator("#platform")).to_have_text("sentiment version 8")
    page.get_by_role("tab", name="Try it").click()
    api.serves = 9
    classify(page, "good")
    expect(page.locator("#platform")).to_have_text("sentiment version 9")


def test_the_tab_fits_a_phone(phone: Visit, api: FakeApi) -> None:
    api.rollout = FULL
    page = opened(phone)
    for name in ("More settings", "What the buttons do", "Abort"):
        page.get_by_role("button", name=name).click()
    expect(page.get_by_role("button", name="Stay")).to_be_visible()
    assert fits(page)


@pytest.fixture
def guarded(browser: Browser, served_api: tuple[FakeApi, str]) -> Iterator[Page]:
    login = {"UNDERTONE_UI_HOST": "0.0.0.0", "UNDERTONE_UI_LOGIN": "ann:a long password"}
    with serving_page(served_api[1], **login) as url:
        page = browser.new_page()
        page.goto(url)
        page.get_by_label("username").fill("ann")
        page.get_by_label("password").fill("a long password")
        page.get_by_role("button", name="Login").click()
        yield page
        page.close()


def test_beyond_this_machine_moving_traffic_asks_for_an_admin_key(guarded: Page, api: FakeApi) -> None:
    guarded.get_by_role("tab", name="Models").click()
    guarded.get_by_label("Version to roll out").fill("9")
    expect(guarded.locator("#why")).to_contain_text("Paste an admin key")
    assert enabled(guarded) == set()
    guarded.get_by_label("Admin key").fill("ut_0123456789abcdef_" + "a" * 43)
    guarded.get_by_role("button", name="Start").click()
    expect(guarded.locator("#said")).to_contain_text("The rollout of version 9 begins")
