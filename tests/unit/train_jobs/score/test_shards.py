"""Bulk scoring without Ray: files cut into shards, shards scored and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sentiment.client.bulk import ADDED_COLUMNS
from sentiment.errors import InvalidInput, Unavailable
from sentiment.predictor import Predictor
from sentiment.tables import open_table
from tests.tiny_model import build_tiny_version
from tests.tiny_scoring import ONE, SCORING, table
from train_jobs.runtime.locations import Location
from train_jobs.score.job import done_shards
from train_jobs.score.shards import cut_file, score_rows, write_shard


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.load(build_tiny_version(tmp_path_factory.mktemp("version"), crash_word="crash"), threads=1)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_file_is_cut_into_the_same_shards_each_time_and_no_row_is_lost(ending: str, tmp_path: Path) -> None:
    path = table(tmp_path / f"texts{ending}")
    shards = list(cut_file(path, "texts", 3, 3, "text", "utf-8"))
    assert [shard.name for shard in shards] == ["part-00003-000000", "part-00003-000001", "part-00003-000002"]
    assert [row.number for shard in shards for row in shard.rows] == [1, 2, 3, 4, 5, 6, 7]
    assert list(cut_file(path, "texts", 3, 3, "text", "utf-8")) == shards


def test_a_table_without_the_column_is_refused_with_those_that_it_has(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'id', 'text'"):
        list(cut_file(table(tmp_path / "texts.csv"), "texts", 0, 3, "body", "utf-8"))


def test_every_row_gets_a_score_or_a_reason(predictor: Predictor, tmp_path: Path) -> None:
    (shard,) = cut_file(table(tmp_path / "texts.jsonl"), "texts", 0, 10, "text", "utf-8")
    verdicts = score_rows(predictor, shard.rows, SCORING)
    assert [verdict.values and verdict.values["label"] for verdict in verdicts] == [
        *("positive", "negative", None, None, None, "positive", None)
    ]
    reasons = [verdict.reason or "" for verdict in verdicts]
    assert "is empty" in reasons[2]
    assert "the model failed" in reasons[3]
    assert "200 characters; at most 100" in reasons[4]
    assert "is empty" in reasons[6]
    values = verdicts[0].values or {}
    assert set(values) == set(ADDED_COLUMNS)
    assert values["model_version"] == 8
    assert values["sentiment"] == pytest.approx(values["p_positive"] - values["p_negative"])
    assert sum(values[name] for name in ("p_negative", "p_neutral", "p_positive")) == pytest.approx(1)


def test_texts_are_normalised_as_the_version_asks(predictor: Predictor) -> None:
    from sentiment.tables import Row

    raw, plain = "LOVE&nbsp;this<br>phone http://a.b/c", "LOVE this phone http"
    one, other = score_rows(predictor, [Row(1, {"text": raw}), Row(2, {"text": plain})], SCORING)
    assert one.values == other.values


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_shard_keeps_its_columns_and_its_bad_rows_go_elsewhere(
    ending: str, predictor: Predictor, tmp_path: Path
) -> None:
    (shard,) = cut_file(table(tmp_path / "texts.jsonl"), "texts.jsonl", 0, 10, "text", "utf-8")
    out = Location(str(tmp_path / "out"))
    result = write_shard(shard, score_rows(predictor, shard.rows, SCORING), out, ending)
    assert (result.rows, result.rejected, result.labels) == (7, 4, {"positive": 2, "negative": 1})
    written = list(open_table(tmp_path / "out" / result.output))
    assert [int(row.values["id"]) for row in written] == [1, 2, 6]
    assert set(written[0].values) == {"id", "text", *ADDED_COLUMNS}
    bad = [json.loads(line) for line in (tmp_path / "out/rejected/part-00000-000000.jsonl").read_text().splitlines()]
    assert [row["row"] for row in bad] == [3, 4, 5, 7]
    assert bad[0]["values"]["id"] == 3
    assert done_shards(out, ONE) == {shard.name: result}


def test_a_column_of_the_table_is_not_overwritten(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "good", "label": "mine"}\n')
    (shard,) = cut_file(path, "texts", 0, 10, "text", "utf-8")
    result = write_shard(shard, score_rows(predictor, shard.rows, SCORING), Location(str(tmp_path / "out")), ".jsonl")
    (row,) = open_table(tmp_path / "out" / result.output)
    assert (row.values["label"], row.values["predicted_label"]) == ("mine", "positive")
    assert result.renamed == {"predicted_label": "label"}


def test_a_result_that_is_scored_again_keeps_both_earlier_columns(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "good", "label": "mine", "predicted_label": "earlier"}\n')
    (shard,) = cut_file(path, "texts", 0, 10, "text", "utf-8")
    result = write_shard(shard, score_rows(predictor, shard.rows, SCORING), Location(str(tmp_path / "out")), ".jsonl")
    (row,) = open_table(tmp_path / "out" / result.output)
    found = [row.values[name] for name in ("label", "predicted_label", "predicted_predicted_label")]
    assert found == ["mine", "earlier", "positive"]
    assert result.renamed == {"predicted_predicted_label": "label"}


def test_a_shard_cut_off_before_its_record_is_not_done_and_is_written_over(
    predictor: Predictor, tmp_path: Path
) -> None:
    class Full(Location):
        def write(self, name: str, content: bytes) -> None:
            raise Unavailable("the disk is full")

    (shard,) = cut_file(table(tmp_path / "texts.csv"), "texts", 0, 10, "text", "utf-8")
    verdicts, place = score_rows(predictor, shard.rows, SCORING), str(tmp_path / "out")
    with pytest.raises(Unavailable):
        write_shard(shard, verdicts, Full(place), ".csv")
    assert done_shards(Location(place), ONE) == {}
    write_shard(shard, verdicts, Location(place), ".csv")
    assert list(done_shards(Location(place), ONE)) == [shard.name]
    assert len(list((tmp_path / "out/scored").iterdir())) == 1


def test_delimiter_and_quoting_reach_the_files_that_have_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,x;text\n1;"so" good\n')
    (shard,) = cut_file(tmp_path / "a.csv", "a.csv", 0, 10, "text", "utf-8", ";", "none")
    assert shard.rows[0].values["text"] == '"so" good'
    (shard,) = cut_file(table(tmp_path / "b.jsonl"), "b.jsonl", 0, 10, "text", "utf-8", ";", "none")
    assert len(shard.rows) == 7
