"""The page as a whole: its header, its tabs, its looks, and how it is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gradio as gr

from gradio_ui.messages import platform_state
from gradio_ui.tabs.batch.analysis import LARGEST_FILE_MB
from gradio_ui.tabs.batch.tab import build_batch
from gradio_ui.tabs.explore.tab import build_explore
from gradio_ui.tabs.live.tab import build_live
from gradio_ui.tabs.models.tab import build_models
from gradio_ui.tabs.try_it import build_try_it
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidSettings
from sentiment.settings import LOOPBACK

_SHORTEST_PASSWORD: Final = 12
_KEPT_UPLOADS_S: Final = 3600
_QUEUE_POLL_S: Final = 0.02
#: Texts for screen readers that Gradio has no translation of.
_GRADIO_FORGOT: Final = {"common.complete": "Complete"}
_HEADER: Final = '<header class="head"><h1>Undertone</h1><p>How people feel, in their own words.</p></header>'
_FOOTER: Final = (
    '<p class="small">The platform stores the texts that you classify here, with names and links masked.</p>'
)


def build_page(client: UndertoneClient, host: str = "127.0.0.1", files: Path = Path("files")) -> gr.Blocks:
    """Return the page; all of its data come through `client`.

    Files to be streamed are put into `files`, where the platform looks for them. On a `host` beyond loopback, moving
    traffic from the page needs the user's own admin key.
    """
    with gr.Blocks(title="Undertone", analytics_enabled=False, delete_cache=(_KEPT_UPLOADS_S, _KEPT_UPLOADS_S)) as page:
        with gr.Row(elem_id="top", equal_height=True):
            gr.HTML(_HEADER)
            state = gr.HTML("", elem_id="platform")
        with gr.Tabs() as tabs:
            with gr.Tab("Try it", id="try") as try_it:
                build_try_it(client, state)
            with gr.Tab("Batch", id="batch") as batch:
                build_batch(client, state)
            with gr.Tab("Live", id="live") as live:
                watching = build_live(client, live, files)
            with gr.Tab("Explore", id="explore") as explore:
                build_explore(client, page, tabs, explore, files)
            with gr.Tab("Models", id="models") as models:
                timer = build_models(client, models, state, asks_for_key=host not in LOOPBACK)
        every = (try_it, batch, live, explore, models)
        for tab, its_timer in ((models, timer), (live, watching)):  # nobody looks: the API is left alone
            for other in every:
                if other is not tab:
                    other.select(lambda: gr.Timer(active=False), None, its_timer, api_visibility="private")
        gr.HTML(_FOOTER)
        page.load(lambda: platform_state(client), None, state, show_progress="hidden", api_visibility="private")
    return page


def launch(page: gr.Blocks, host: str, port: int, login: tuple[str, str] | None = None) -> str:
    """Serve the page from threads of this process and return its address; `page.close()` ends it.

    Raises:
        InvalidSettings: it would be open beyond this machine.
    """
    page.queue(max_size=64, default_concurrency_limit=8, api_open=False)
    page._queue.sleep_when_free = _QUEUE_POLL_S  # Gradio's own millisecond burns a twentieth of a core on an idle page
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        auth=_checked_login(host, login),
        prevent_thread_lock=True,
        quiet=True,
        inbrowser=False,
        share=False,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        max_file_size=f"{LARGEST_FILE_MB}mb",
        ssr_mode=False,
        mcp_server=False,
        i18n=gr.I18n(en=_GRADIO_FORGOT),
        **_looks(),
    )
    return str(address)


def _checked_login(host: str, login: tuple[str, str] | None) -> tuple[str, str] | None:
    """Return the login. Raises InvalidSettings for one that is weak, or missing where others reach the page."""
    if login is None and host not in LOOPBACK:
        raise InvalidSettings(
            f"UNDERTONE_UI_HOST={host} opens the page to others: set UNDERTONE_UI_LOGIN=user:password too, or keep "
            "127.0.0.1.",
            "UNDERTONE_UI_LOGIN",
        )
    if login is not None and (not login[0] or len(login[1]) < _SHORTEST_PASSWORD):
        raise InvalidSettings(
            f"UNDERTONE_UI_LOGIN must be user:password with a password of {_SHORTEST_PASSWORD} or more characters.",
            "UNDERTONE_UI_LOGIN",
        )
    return login


def _looks() -> dict[str, Any]:
    theme = gr.themes.Default(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )
    return {"theme": theme, "css_paths": Path(__file__).with_name("style.css")}
