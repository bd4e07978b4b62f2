"""A browser, and the page in a process of its own on the fake platform."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.fake_api import FakeApi, serving
from tests.free_ports import free_port

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
_START_S = 90
_PATIENCE_MS = 30_000


@dataclass
class Visit:
    """A browser's page, with all that went wrong on it."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> Page:
        """Load the page and wait until it can be used."""
        own = urlsplit(self.url).netloc
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "request",
            lambda r: self.strangers.append(r.url) if urlsplit(r.url).netloc not in (own, "") else None,
        )
        self.page.goto(f"{self.url}/{query}")
        self.page.get_by_role("button", name="Classify").wait_for()
        return self.page


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("Chromium is not installed")
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def served_api() -> Iterator[tuple[FakeApi, str]]:
    api = FakeApi()
    with serving(api) as url:
        yield api, url


@pytest.fixture
def api(served_api: tuple[FakeApi, str]) -> Iterator[FakeApi]:
    api = served_api[0]
    yield api
    api.failures, api.delay_s, api.rollout, api.serves = [], 0.0, None, 7


@pytest.fixture(scope="package")
def page_url(served_api: tuple[FakeApi, str]) -> Iterator[str]:
    with serving_page(served_api[1]) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, page_url: str) -> Iterator[Visit]:
    page = browser.new_page(viewport={"width": 1100, "height": 860}, accept_downloads=True)
    page.set_default_timeout(_PATIENCE_MS)
    yield Visit(page, page_url)
    page.close()


@pytest.fixture
def phone(browser: Browser, page_url: str) -> Iterator[Visit]:
    page = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    page.set_default_timeout(_PATIENCE_MS)
    yield Visit(page, page_url)
    page.close()


class serving_page:  # noqa: N801 - used as a context manager only
    """Runs `python -m gradio_ui` on a free port; leaving it ends the process and checks that it went well."""

    def __init__(self, api_url: str, **environment: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        own = {"UNDERTONE_URL": api_url, "UNDERTONE_UI_PORT": str(port)}
        self.process = subprocess.Popen([sys.executable, "-m", "gradio_ui"], env={**os.environ, **own, **environment})

    def __enter__(self) -> str:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                httpx.get(self.url, trust_env=False).raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.2)
            else:
                return self.url
        self.process.kill()
        pytest.fail(f"the page did not start: exit status {self.process.wait()}")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(15) == 0
