"""A text of which nothing is visible is refused at every door, with the field that it stands in; nothing is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cli.online.predict import _InputText
from gradio_ui.tabs.batch.analysis import lines_source
from gradio_ui.tabs.try_it import answer_card, explanation
from sentiment.client.bulk import reason_against
from sentiment.datasets import Example, ReadProgress, open_datasets, read_examples
from sentiment.errors import InvalidInput
from sentiment.predictor import Predictor
from sentiment.records import TextQuery
from sentiment.tables import Row
from serve_app.routing.traffic_table import TrafficTable
from tests.tiny_model import build_tiny_version
from tests.tiny_scoring import SCORING
from tests.unit.gateway.fake_parts import ROUTE, TRIAL, FakeParts, client_of, service_of
from train_jobs.score.shards import score_rows

#: Blank to the eye as they come.
BLANK = ["\u2800", "\u3164", "\u200e\u200f", "\xad", "\ufe0f", "\u200d", "\u200b", "\xa0\u3000", "\U000e0020"]
#: And these once they are normalised.
HIDDEN = ["&nbsp;", "<br/>", "&#8203;<br>&shy;", "\x00"]
IS_EMPTY = "is empty: nothing of it is visible once it is normalised"
every_text = pytest.mark.parametrize("text", [*BLANK, *HIDDEN], ids=ascii)


@every_text
@pytest.mark.parametrize("normalizer", ["1", "2"])
async def test_no_route_answers_or_keeps_it(text: str, normalizer: str) -> None:
    parts = FakeParts()
    table = TrafficTable(1, (replace(ROUTE, normalizer=normalizer), replace(TRIAL, normalizer="1")))
    async with client_of(parts, backend_options={"table": table}) as client:
        for path in ("/v1/predict", "/v1/predict?model=4", "/v1/explain", "/v1/texts"):
            answer = await client.post(path, json={"text": text})
            assert (answer.status_code, answer.json()["error"]["field"]) == (422, "text"), path
            assert answer.json()["error"]["message"] == f"text: {IS_EMPTY}"
        batch = (await client.post("/v1/predict/batch", json={"texts": ["I love it", text]})).json()["results"]
        assert (batch[0]["label"], batch[1]["error"]["field"]) == ("positive", "texts.1.text")
        stream = await client.post("/v1/predict/stream", content=json.dumps({"text": text}))
        assert json.loads(stream.text)["error"]["field"] == "lines.0.text"
        tei = await client.post("/predict", json={"inputs": text})
        assert (tei.status_code, tei.json()["error"]) == (422, f"inputs: {IS_EMPTY}")
    assert [record.text for record in parts.store.page(TextQuery(), 10, None).records] == ["I love it"]


@every_text
async def test_it_never_reaches_a_model_and_fails_no_version_on_trial(text: str) -> None:
    parts = FakeParts()
    table = TrafficTable(1, (ROUTE, replace(TRIAL, normalizer="2", weight=0.5)), split={"b": 4})
    with pytest.raises(InvalidInput, match=IS_EMPTY):
        await service_of(parts, table).explain(text)
    assert parts.classified == []


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.load(build_tiny_version(tmp_path_factory.mktemp("version")), threads=1)


def test_scoring_gives_a_reason_instead_of_a_label(predictor: Predictor) -> None:
    rows = [Row(number, {"text": text}) for number, text in enumerate(["I love it", *BLANK, *HIDDEN], 1)]
    scored, *refused = score_rows(predictor, rows, SCORING)
    assert scored.reason is None
    assert all(verdict.values is None and "'text' is empty" in str(verdict.reason) for verdict in refused)


@pytest.mark.parametrize("text", BLANK, ids=ascii)
def test_command_and_page_do_not_even_send_it(text: str) -> None:
    assert reason_against(Row(1, {"text": text}), "text") == "'text' is empty"
    assert _InputText(text, line=1).is_blank
    nobody: object = None  # no call goes out
    assert "Write a text first." in answer_card(nobody, text)  # type: ignore[arg-type]
    assert explanation(nobody, text)["visible"] is False  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="paste some lines first"):
        lines_source(f"{text}\n{text}")


@every_text
def test_a_dataset_leaves_it_out_and_counts_it(text: str, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": each, "label": "positive"}) + "\n" for each in ("so good", text)))
    progress = ReadProgress()
    assert [example.text for example in read_examples(path, progress=progress)] == ["so good"]
    assert (progress.empty, progress.empty_at) == (1, ["Row 2 of texts.jsonl"])
    with pytest.raises(InvalidInput, match="Example 1 has no text"):
        open_datasets(tmp_path / "store").push("blank", [Example(text, "positive")], source="tests")
