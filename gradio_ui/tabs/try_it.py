"""The tab *Try it*: a text, how its writer feels, and which words say so."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import gradio as gr

from gradio_ui.charts import bars, gauge
from gradio_ui.messages import note, platform_state, problem
from sentiment.client.answers import Answer
from sentiment.client.bulk import is_supported
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput, UndertoneError
from sentiment.language import unsupported_words
from sentiment.text import has_visible_text

EXAMPLES: Final = (
    "I love this product!",
    "The food was great, but the service was awful.",
    "The train leaves at 9:40 from platform 3.",
    "Not bad at all, honestly 🙂",
    "Two hours on hold and nobody could help me :(",
    "Great, my flight is cancelled again. Just what I needed.",
)
_HINT: Final = note("The answer appears here.")
_WORDS: Final = "Words that moved the answer"
_NO_WORDS: Final = gr.update(value=None, visible=False)
#: Shares of the strongest word's weight from which on a word counts as strong, and as moving anything.
_STRONG, _ANY = 0.5, 0.15
_COLOURS: Final = {
    "strongly positive": "#0f9d80",
    "positive": "#8fd8c8",
    "negative": "#f0b09f",
    "strongly negative": "#d9482b",
}


def build_try_it(client: UndertoneClient, header: gr.HTML) -> None:
    """Add the tab's contents to the Blocks under construction; `header`, of the page, is renewed with each answer."""
    with gr.Row(equal_height=False, elem_id="try"):
        with gr.Column(elem_id="typed"):
            text = gr.Textbox(label="Text", placeholder="Write or paste a text", lines=4, max_lines=12, elem_id="text")
            with gr.Row():
                clear = gr.Button("Clear", elem_id="clear", min_width=100)
                classify = gr.Button("Classify", variant="primary", elem_id="classify", min_width=160)
        with gr.Column(elem_id="answered"):
            card = gr.HTML(_HINT, elem_id="answer")
            words = gr.HighlightedText(
                label=_WORDS,
                color_map=_COLOURS,
                show_legend=True,
                show_inline_category=False,
                elem_id="words",
                visible=False,
            )
        with gr.Column(elem_id="suggested"):
            examples = gr.Examples([[example] for example in EXAMPLES], text, label="Examples", elem_id="examples")

    def answer(typed: str) -> str:
        """Show the answer for the text."""
        return answer_card(client, typed)

    def explain(typed: str) -> Any:
        """Highlight the words that moved the answer."""
        return explanation(client, typed)

    def renew(typed: str) -> Any:
        """Renew the page's header after an answer."""
        return platform_state(client) if has_visible_text(typed) else gr.skip()

    for start in (classify.click, text.submit, examples.load_input_event.then):
        answered = start(answer, text, card, show_progress="minimal", api_visibility="private")
        answered.then(explain, text, words, show_progress="minimal", api_visibility="private")
        answered.then(renew, text, header, show_progress="hidden", api_visibility="private")
    clear.click(lambda: ("", _HINT, _NO_WORDS), None, [text, card, words], queue=False)


def answer_card(client: UndertoneClient, text: str) -> str:
    """Return the answer for a text as HTML, or the error."""
    if not has_visible_text(text):
        return problem("Write a text first.")
    try:
        return _card(client.predict(text))
    except UndertoneError as exc:
        return problem(exc)


def explanation(client: UndertoneClient, text: str) -> Any:
    """Return the update that shows which words moved the answer, or hides the part if there is none."""
    if not has_visible_text(text):
        return _NO_WORDS
    try:
        explained = client.explain(text)
    except InvalidInput:  # the card says it
        return _NO_WORDS
    except UndertoneError as exc:
        return gr.update(value=[], label=f"{_WORDS}: not available ({exc})", show_legend=False, visible=True)
    if not is_supported(explained):  # the card says it
        return _NO_WORDS
    moved = highlighted(explained["words"], explained["weights"])
    return gr.update(value=moved, label=_WORDS, show_legend=True, visible=True)


def highlighted(words: Sequence[str], weights: Sequence[float]) -> list[tuple[str, str | None]]:
    """Return each word with the name of what it did to the sentiment, relative to the strongest word."""
    strongest = max(map(abs, weights), default=0.0) or 1.0
    shown = [(word, _effect(weight / strongest)) for word, weight in zip(words, weights, strict=False)]
    return [piece for word in shown for piece in (word, (" ", None))]


def _effect(share: float) -> str | None:
    """Return the name of an effect whose strength is a share of the strongest; None if it is too weak to show."""
    if abs(share) < _ANY:
        return None
    side = "positive" if share > 0 else "negative"
    return f"strongly {side}" if abs(share) >= _STRONG else side


def _card(answer: Answer) -> str:
    model = answer["model"]
    answered = (
        f'<p class="small">{escape(model["name"])} version {model["version"]}, answered in '
        f"{answer['timing_ms']['total']:.1f} ms</p></div>"
    )
    if not is_supported(answer):
        return (
            f'<div class="card {escape(answer["label"])}" data-label="{escape(answer["label"])}" role="status">'
            f'<div class="verdict">Not supported</div><div class="label">'
            f"{escape(unsupported_words(answer.get('language')))} "
            f"It counts as {escape(answer['label'])}, which says nothing about how its writer feels.</div>{answered}"
        )
    cut = "<p class='small'>The text was longer than the model reads; parts of it were left out.</p>"
    return (
        f'<div class="card {escape(answer["label"])}" data-label="{escape(answer["label"])}" role="status">'
        f'<div class="verdict">{escape(answer["label"].capitalize())}</div>'
        f'<div class="label">{answer["score"]:.1%} sure. Positive against negative: '
        f"<strong>{escape(answer['verdict'])}</strong></div>"
        f"{gauge(answer['sentiment'])}{bars(answer['probabilities'])}{cut if answer['truncated'] else ''}{answered}"
    )
