"""The page's texts: errors, notes and the state of the platform, as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from sentiment.client.http import UndertoneClient
from sentiment.errors import UndertoneError

_SURROGATE = re.compile(r"[\ud800-\udfff]")


def shown(text: object) -> str:
    """Return `text` as HTML: escaped, lone surrogates as U+FFFD, since Gradio cannot send them to a browser."""
    return escape(sendable(str(text)))


def sendable(text: str) -> str:
    """Return `text` with U+FFFD for each lone surrogate."""
    return _SURROGATE.sub("\ufffd", text)


def problem(message: object) -> str:
    """Return an error as a box; `message` is escaped."""
    return f'<div class="notice problem" role="alert">{shown(message)}</div>'


def note(message: object) -> str:
    """Return a remark as a box; `message` is escaped."""
    return f'<div class="notice" role="status">{shown(message)}</div>'


def platform_state(client: UndertoneClient) -> str:
    """Return in one line whether the platform answers, and with which version."""
    try:
        return serving_line(client.models())
    except UndertoneError as exc:
        return away_line(exc)


def serving_line(models: Iterable[Mapping[str, Any]]) -> str:
    """Return in one line which of the versions serve."""
    serving = (f"{model['name']} version {model['version']}" for model in models if model["state"] == "serving")
    return f'<div class="state" role="status">{shown(" and ".join(serving) or "no version serves yet")}</div>'


def away_line(error: Exception) -> str:
    """Return in one line why the platform does not answer."""
    return f'<div class="state away" role="status">{shown(error)}</div>'
