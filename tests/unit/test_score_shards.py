"""Bulk scoring without Ray: files cut into shards, shards scored and written, a job claimed and taken up."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sentiment.bulk import ADDED_COLUMNS
from sentiment.errors import InvalidInput, Unavailable
from sentiment.predictor import Predictor
from sentiment.registry import ResolvedModel
from sentiment.settings import Settings
from sentiment.tables import open_table, write_table
from tests.tiny_model import build_tiny_version
from train_jobs import score as score_job
from train_jobs.score import Fleet, job_of, model_at_hand
from train_jobs.scoring.job import Opened, ScoreJob, Totals, clear, done_shards, finish, open_job
from train_jobs.scoring.places import InputFile, Place, draft_folder, place_at
from train_jobs.scoring.shards import Scoring, cut_file, score_rows, write_shard

ROWS = [
    {"id": 1, "text": "I love this phone"},
    {"id": 2, "text": "the worst day"},
    {"id": 3, "text": "   "},
    {"id": 4, "text": "the crash is at 10"},
    {"id": 5, "text": "good " * 40},
    {"id": 6, "text": 'nice "best",\n love'},
    {"id": 7, "text": None},
]
ONE = [InputFile("texts", 1, 1)]
SCORING = Scoring("text", 100, 8)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.load(build_tiny_version(tmp_path_factory.mktemp("version"), crash_word="crash"), threads=1)


def table(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, {"id": "integer", "text": "string"}, rows)
    return path


def job_in(tmp_path: Path, **options: Any) -> ScoreJob:
    model = ResolvedModel(tmp_path / "model", "sentiment", "d" * 64, 8)
    return job_of(Settings(home=tmp_path), model, str(tmp_path / "in"), str(tmp_path / "out"), **options)


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
    assert "200 characters, at most 100" in reasons[4]
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
    out = Place(str(tmp_path / "out"))
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
    result = write_shard(shard, score_rows(predictor, shard.rows, SCORING), Place(str(tmp_path / "out")), ".jsonl")
    (row,) = open_table(tmp_path / "out" / result.output)
    assert (row.values["label"], row.values["predicted_label"]) == ("mine", "positive")


def test_a_shard_cut_off_before_its_record_is_not_done_and_is_written_over(
    predictor: Predictor, tmp_path: Path
) -> None:
    class Full(Place):
        def write(self, name: str, content: bytes) -> None:
            raise Unavailable("the disk is full")

    (shard,) = cut_file(table(tmp_path / "texts.csv"), "texts", 0, 10, "text", "utf-8")
    verdicts, place = score_rows(predictor, shard.rows, SCORING), str(tmp_path / "out")
    with pytest.raises(Unavailable):
        write_shard(shard, verdicts, Full(place), ".csv")
    assert done_shards(Place(place), ONE) == {}
    write_shard(shard, verdicts, Place(place), ".csv")
    assert list(done_shards(Place(place), ONE)) == [shard.name]
    assert len(list((tmp_path / "out/scored").iterdir())) == 1


def test_a_job_is_taken_up_only_by_the_same_job(predictor: Predictor, tmp_path: Path) -> None:
    table(tmp_path / "in" / "a.csv")
    job = job_in(tmp_path, format="jsonl")
    inputs = job.source.inputs()
    assert open_job(job, inputs, overwrite=False).done == {}
    (shard,) = cut_file(tmp_path / "in" / "a.csv", "a.csv", 0, 10, "text", "utf-8")
    write_shard(shard, score_rows(predictor, shard.rows, SCORING), job.out, ".jsonl")
    assert list(open_job(job, inputs, overwrite=False).done) == [shard.name]
    with pytest.raises(InvalidInput, match=r"differs in --format\."):
        open_job(job_in(tmp_path, format="csv"), inputs, overwrite=False)
    finish(job, "8", inputs)
    table(tmp_path / "in" / "b.csv", ROWS[:2])
    with pytest.raises(InvalidInput, match="differs in the input's files"):
        open_job(job, job.source.inputs(), overwrite=False)
    assert open_job(job, job.source.inputs(), overwrite=True).done == {}
    assert not (tmp_path / "out/scored").exists()


def run_all(job: ScoreJob, predictor: Predictor, *, but: str = "") -> Opened:
    """Score what has no record yet, as the tasks do, except the files called `but`."""
    opened = open_job(job, job.source.inputs(), overwrite=False)
    for file in opened.inputs:
        with job.source.local(file.name) as path:
            shards = cut_file(path, file.name, file.number, job.shard_rows, job.text_column, job.encoding)
            for shard in shards if file.name != but else ():
                if shard.name not in opened.done:
                    write_shard(shard, score_rows(predictor, shard.rows, SCORING), job.out, job.ending)
    return opened


def scored_ids(job: ScoreJob) -> list[int]:
    folder = Path(job.out.uri) / "scored"
    return sorted(int(row.values["id"]) for path in folder.iterdir() for row in open_table(path))


def rows(*ids: int) -> list[dict[str, Any]]:
    return [{"id": each, "text": "I love it"} for each in ids]


def test_a_file_that_was_mended_is_scored_anew_and_the_others_keep_their_shards(
    predictor: Predictor, tmp_path: Path
) -> None:
    folder, job = tmp_path / "in", job_in(tmp_path, shard_rows=2)
    for name, ids in {"a.csv": (1, 2, 3), "b.csv": (4, 5, 6), "c.csv": (7, 8)}.items():
        table(folder / name, rows(*ids))
    run_all(job, predictor, but="c.csv")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out/scored").iterdir()}
    table(folder / "b.csv", rows(4, 50, 60, 61))
    table(folder / "aa.csv", rows(9))
    opened = run_all(job, predictor)
    assert opened.changed == ("b.csv",)
    assert sorted(opened.done) == ["part-00000-000000", "part-00000-000001"]
    finish(job, "8", opened.inputs)
    assert scored_ids(job) == [1, 2, 3, 4, 7, 8, 9, 50, 60, 61]
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out/scored").iterdir()}
    assert after.items() & before.items() == {(name, before[name]) for name in before if name.startswith("part-00000")}
    assert not any(name.startswith("part-00001") for name in after), "what stood there of the old file is gone"


def test_a_kill_while_old_shards_are_swept_away_leaves_none_that_counts(predictor: Predictor, tmp_path: Path) -> None:
    class Killed(Place):
        def remove(self, name: str) -> None:
            raise KeyboardInterrupt

    job = job_in(tmp_path)
    for name, ids in {"a.csv": (1, 2), "b.csv": (3, 4)}.items():
        table(tmp_path / "in" / name, rows(*ids))
    run_all(job, predictor)
    table(tmp_path / "in" / "b.csv", rows(5, 6, 7))
    with pytest.raises(KeyboardInterrupt):
        open_job(replace(job, out=Killed(job.out.uri)), job.source.inputs(), overwrite=False)
    opened = run_all(job, predictor)
    assert list(opened.done) == ["part-00000-000000"]
    assert finish(job, "8", opened.inputs).rows == 5
    assert scored_ids(job) == [1, 2, 5, 6, 7]


def test_scores_of_a_file_that_is_gone_are_not_thrown_away_unasked(predictor: Predictor, tmp_path: Path) -> None:
    job = job_in(tmp_path)
    for name, ids in {"a.csv": (1, 2), "b.csv": (3, 4)}.items():
        table(tmp_path / "in" / name, rows(*ids))
    run_all(job, predictor, but="b.csv")
    (tmp_path / "in" / "b.csv").unlink()
    assert list(run_all(job, predictor).done) == ["part-00000-000000"]
    table(tmp_path / "in" / "c.csv", rows(5))
    (tmp_path / "in" / "a.csv").unlink()
    with pytest.raises(InvalidInput, match=r"a\.csv is gone.*--out, or --overwrite"):
        open_job(job, job.source.inputs(), overwrite=False)
    assert scored_ids(job) == [1, 2]


def test_a_full_disk_says_where_room_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fails(*_: Any, **__: Any) -> None:
        raise full

    monkeypatch.setattr(Place, "_rename_into", fails)
    with pytest.raises(Unavailable, match=rf"The disk of {tmp_path} is full: make room there.*same command continues"):
        Place(str(tmp_path)).write("done/x.json", b"{}")
    with pytest.raises(Unavailable, match=r"is full: make room there, or set TMPDIR"), draft_folder():
        raise full
    job = job_in(tmp_path)
    monkeypatch.setattr(score_job, "cut_file", fails)
    with pytest.raises(Unavailable, match="The disk is full"):
        list(score_job._cutter(job, frozenset())({"name": "a.csv", "number": 0}))
    actor = object.__new__(score_job.ShardScorer)
    monkeypatch.setattr(score_job.ShardScorer, "_score", fails)
    with pytest.raises(Unavailable, match="The disk is full"):
        actor({"shard": [None]})


def test_a_job_that_failed_before_its_first_score_does_not_bar_its_correction(
    predictor: Predictor, tmp_path: Path
) -> None:
    path = table(tmp_path / "in" / "a.csv")
    wrong, right = job_in(tmp_path, text_column="txt"), job_in(tmp_path, format="csv")
    inputs = right.source.inputs()
    open_job(wrong, inputs, overwrite=False)
    assert open_job(right, inputs, overwrite=False).done == {}
    (shard,) = cut_file(path, "a.csv", 0, 10, "text", "utf-8")
    write_shard(shard, score_rows(predictor, shard.rows, SCORING), right.out, ".csv")
    assert list(open_job(right, inputs, overwrite=False).done) == [shard.name]
    with pytest.raises(InvalidInput, match=r"differs in --text-column, --format\."):
        open_job(wrong, inputs, overwrite=False)


def test_totals_are_those_of_the_records(predictor: Predictor, tmp_path: Path) -> None:
    table(tmp_path / "in" / "a.csv")
    job = job_in(tmp_path, shard_rows=3)
    open_job(job, job.source.inputs(), overwrite=False)
    totals = Totals()
    for shard in cut_file(tmp_path / "in" / "a.csv", "a.csv", 0, 3, "text", "utf-8"):
        totals.add(write_shard(shard, score_rows(predictor, shard.rows, SCORING), job.out, ".parquet"))
    draft = tmp_path / "out/scored/.part-00000-000009.parquet.0a1b2c3d.draft"
    draft.write_bytes(b"cut off")
    assert finish(job, "models:/sentiment/8", job.source.inputs()) == totals
    assert not draft.exists(), "what a kill left is swept away"
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert (manifest["model"], manifest["rows"], manifest["rejected"]) == ("models:/sentiment/8", 7, 4)
    assert [shard["rows"] for shard in manifest["shards"]] == [3, 3, 1]
    clear(job.out)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_not_scores_is_never_written_into(tmp_path: Path) -> None:
    table(tmp_path / "in" / "a.csv")
    table(tmp_path / "out" / "precious.csv")
    with pytest.raises(InvalidInput, match=r"precious\.csv"):
        open_job(job_in(tmp_path), job_in(tmp_path).source.inputs(), overwrite=False)
    assert (tmp_path / "out" / "precious.csv").exists()


def test_inputs_are_the_tables_in_a_folder_and_below_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b.csv", "a.jsonl", "deep/c.parquet", ".hidden.csv", "_temporary/d.csv"):
        table(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no table")
    place = place_at(str(tmp_path / "in"), None)
    assert [file.name for file in place.inputs()] == ["a.jsonl", "b.csv", "deep/c.parquet"]
    alone = place_at(str(tmp_path / "in" / "b.csv"), None)
    (file,) = alone.inputs()
    assert file.name == ""
    with alone.local(file.name) as path:
        assert path == tmp_path / "in" / "b.csv"


def test_an_input_that_is_not_there_or_has_no_table_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"There is no file .*/nothing\.csv\.$"):
        place_at(str(tmp_path / "nothing.csv"), None).inputs()
    with pytest.raises(InvalidInput, match="no table"):
        place_at(str(tmp_path), None).inputs()
    with pytest.raises(InvalidInput, match="ftp"):
        place_at("ftp://host/texts", None)
    with pytest.raises(InvalidInput, match="lies in the input"):
        job_of(Settings(home=tmp_path), ResolvedModel(tmp_path, "sentiment", "d"), str(tmp_path), f"{tmp_path}/out")
    with pytest.raises(InvalidInput, match="format"):
        job_in(tmp_path, format="xml")


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    out = Place(str(tmp_path))
    out.write("done/part-00000-000000.json", b'{"name": ')
    with pytest.raises(InvalidInput, match="part-00000-000000"):
        done_shards(out, ONE)


def test_fewer_actors_at_most_than_at_least_are_refused() -> None:
    with pytest.raises(InvalidInput, match="--least 3 is more than --most 2"):
        Fleet(least=3, most=2)


def test_a_scoring_that_is_finished_needs_no_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_job, "ray_started", lambda _: pytest.fail("Ray was started"))
    table(tmp_path / "in" / "texts.csv")
    job = job_in(tmp_path)
    open_job(job, job.source.inputs(), overwrite=False)
    finish(job, "8", job.source.inputs())
    model = ResolvedModel(tmp_path / "model", "sentiment", "d" * 64, 8)
    assert score_job.score(job, model, Settings(home=tmp_path)).was_finished


def test_a_reference_into_the_registry_starts_the_server_that_it_needs_and_a_folder_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    @contextmanager
    def server(settings: Settings) -> Iterator[str]:
        started.append("http://127.0.0.1:1")
        yield started[-1]

    def resolve(settings: Settings, ref: str) -> ResolvedModel:
        return ResolvedModel(tmp_path, settings.registry_uri, "d" * 64)

    monkeypatch.setattr("train_jobs.tracking_server.tracking_server", server)
    monkeypatch.setattr(score_job, "resolve_model", resolve)
    with model_at_hand(Settings(home=tmp_path), str(tmp_path)):
        assert started == []
    with model_at_hand(Settings(home=tmp_path), "champion") as (model, known):
        assert started == [model.name] == [known.registry_uri]
