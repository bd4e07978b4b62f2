"""A scoring as a job: claimed, taken up, its files looked at again, its records summed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sentiment.errors import InvalidInput
from sentiment.predictor import Predictor
from sentiment.tables import open_table
from tests.tiny_model import build_tiny_version
from tests.tiny_scoring import ONE, ROWS, SCORING, job_in, table
from train_jobs.runtime.locations import Location
from train_jobs.score.job import OpenedJob, ScoreJob, Totals, clear, done_shards, finish, open_job
from train_jobs.score.shards import cut_file, score_rows, write_shard


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.load(build_tiny_version(tmp_path_factory.mktemp("version"), crash_word="crash"), threads=1)


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


def run_all(job: ScoreJob, predictor: Predictor, *, but: str = "") -> OpenedJob:
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
    class Killed(Location):
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
    with pytest.raises(InvalidInput, match=r"a\.csv was scored and is now missing.*--out, or --overwrite"):
        open_job(job, job.source.inputs(), overwrite=False)
    assert scored_ids(job) == [1, 2]


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


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    out = Location(str(tmp_path))
    out.write("done/part-00000-000000.json", b'{"name": ')
    with pytest.raises(InvalidInput, match="part-00000-000000"):
        done_shards(out, ONE)


def test_litter_beside_the_tables_is_no_input(tmp_path: Path) -> None:
    names = ("._a.csv", "__MACOSX/a.csv", "~$a.csv", "_temporary/a.csv", ".ipynb_checkpoints/a.csv", "Thumbs.db")
    for name in (*names, "a.csv", "sub/b.csv"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text("text\nso good\n")
    assert [file.name for file in Location(str(tmp_path / "in")).inputs()] == ["a.csv", "sub/b.csv"]


def test_another_delimiter_or_quoting_is_another_job_and_one_from_before_they_existed_is_continued(
    predictor: Predictor, tmp_path: Path
) -> None:
    job = job_in(tmp_path)
    table(tmp_path / "in" / "a.csv", rows(1, 2))
    run_all(job, predictor)
    for options, name in (({"delimiter": "semicolon"}, "--delimiter"), ({"quoting": "none"}, "--quoting")):
        with pytest.raises(InvalidInput, match=f"differs in {name}"):
            open_job(job_in(tmp_path, **options), job.source.inputs(), overwrite=False)
    path = tmp_path / "out" / "job.json"
    known = json.loads(path.read_text())
    path.write_text(json.dumps({name: known[name] for name in known if name not in ("delimiter", "quoting")}))
    assert list(open_job(job, job.source.inputs(), overwrite=False).done) == ["part-00000-000000"]
