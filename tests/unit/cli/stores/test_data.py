"""`undertone data`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

ROWS = "text,label\nso good @bob,positive\nso bad,negative\n,negative\nSO BAD!,negative\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNDERTONE_DATASETS", str(tmp_path / "sets"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tweets.csv").write_text(ROWS)
    return tmp_path / "tweets.csv"


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


def json_of(*arguments: Any) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    return json.loads(line)


def test_a_push_tells_the_version_and_what_was_left_out(source: Path) -> None:
    result = run("push", source, "--name", "tweets", "--unique")
    assert result.exit_code == 0, result.output
    assert "tweets@1" in result.stdout
    assert "1 empty texts were left out: Row 3 of tweets.csv" in result.stdout
    assert "1 texts were left out: repeated ones" in result.stdout
    pushed = json_of("push", source, "--name", "tweets", "--unique")
    assert (pushed["versions"][0]["ref"], pushed["read"], pushed["empty"], pushed["left_out"]) == ("tweets@1", 4, 1, 1)


def test_list_show_pull_and_diff_agree_with_what_was_pushed(source: Path, tmp_path: Path) -> None:
    run("push", source, "--name", "tweets")
    run("push", source, "--name", "tweets", "--unique", "--parent", "tweets@1")
    listed = json_of("list")
    assert [(each["ref"], each["rows"]) for each in listed["versions"]] == [("tweets@1", 3), ("tweets@2", 2)]
    shown = json_of("show", "tweets", "--check")
    assert (shown["ref"], shown["parent"], shown["checked"]) == ("tweets@2", "tweets@1", True)
    assert json_of("pull", "tweets")["out"] == "tweets-2"
    assert sorted(path.name for path in (tmp_path / "tweets-2").iterdir()) == ["00000.parquet", "manifest.json"]
    assert json_of("diff", "tweets@1", "tweets@2")["removed"] == {"negative": 1}
    assert "1 removed: negative 1" in run("diff", "tweets@1", "tweets@2").stdout
    assert "All 2 rows were read" in run("show", "tweets", "--check").stdout


def test_a_pull_says_where_to_before_and_after_and_overwrites_nothing(source: Path, tmp_path: Path) -> None:
    run("push", str(source), "--name", "tweets")
    pulled = run("pull", "tweets@latest")
    assert pulled.stderr.startswith("Copying tweets@1 (")
    assert pulled.stderr.strip().endswith("to ./tweets-1 …")
    assert "is in ./tweets-1; every file had its digest" in pulled.stdout
    Path("tweets.csv").write_text("my own")
    refused = run("pull", "tweets", "--out", "tweets.csv")
    assert (refused.exit_code, Path("tweets.csv").read_text()) == (1, "my own")
    assert "tweets.csv exists: choose another place with --out" in refused.stderr


def test_a_pull_to_a_mistyped_ending_is_refused_and_a_dot_in_a_folder_s_name_is_not(
    source: Path, tmp_path: Path
) -> None:
    run("push", source, "--name", "big.tweets")
    refused = run("pull", "big.tweets", "--out", "out.xyz")
    assert refused.exit_code == 1
    assert "ends in .xyz" in refused.stderr
    assert ".csv, .tsv, .jsonl, .ndjson, .parquet" in refused.stderr
    assert not (tmp_path / "out.xyz").exists()
    assert json_of("pull", "big.tweets")["out"] == "big.tweets-1"
    assert json_of("pull", "big.tweets", "--out", "v1.2")["out"] == "v1.2"


def test_leaks_are_counted_by_kind_and_can_be_left_out(source: Path, tmp_path: Path) -> None:
    run("push", source, "--name", "train")
    (tmp_path / "test.csv").write_text("text,label\nso bad!,negative\nfine by me,positive\n")
    run("push", "test.csv", "--name", "test")
    found = json_of("leaks", "train", "test", "--out", tmp_path / "leaks.csv")
    assert (found["rows"], found["exact"], found["same_words"], found["near"]) == (1, 0, 1, 0)
    assert (tmp_path / "leaks.csv").read_text().splitlines()[1] == "same words,1,2,1.0,so bad!,so bad,negative,negative"
    shown = run("leaks", "train", "test").stdout
    assert "1 of the 2 rows of test@1" in shown
    assert "Push train again with --without test@1 (its source was" in shown
    assert found["advice"][0].startswith("Push train again with --without test@1")
    assert json_of("push", "test.csv", "--name", "only", "--without", "train", "--unlabelled")["left_out"] == 1
    assert "No text of only@1 stands in train@1" in run("leaks", "train", "only").stdout


def test_a_push_of_which_without_leaves_nothing_says_so(source: Path) -> None:
    run("push", source, "--name", "train")
    result = run("push", source, "--name", "again", "--without", "train")
    assert result.exit_code == 1
    assert "every text in it is empty or stands in a version that --without names" in result.stderr


def test_leaks_that_were_not_looked_for_are_not_counted_and_the_file_is_named(source: Path, tmp_path: Path) -> None:
    run("push", source, "--name", "train")
    (tmp_path / "test.csv").write_text("text,label\nso bad!,negative\nfine by me,positive\n")
    run("push", "test.csv", "--name", "test")
    (tmp_path / "other.csv").write_text("text,label\nbeyond me,negative\nfine by me,positive\n")
    run("push", "other.csv", "--name", "other")
    told = run("leaks", "train", "test", "--no-near", "--out", "leaks.csv").stdout
    assert "nearly the same: not looked for" in told
    assert "0  nearly" not in told
    assert "All 1 pairs are in leaks.csv." in told
    assert json_of("leaks", "train", "test", "--no-near")["near"] is None
    assert "0  nearly the same" in run("leaks", "train", "test").stdout
    assert "nearly the same ones were not looked for." in run("leaks", "train", "other", "--no-near").stdout


def test_a_split_is_pushed_in_parts(source: Path) -> None:
    rows = [f"text {number},{('negative', 'positive')[number % 2]}\n" for number in range(100)]
    source.write_text("text,label\n" + "".join(rows))
    pushed = json_of("push", source, "--name", "tweets", "--split", "0.6,0.2,0.2", "--seed", "3")
    assert [each["ref"] for each in pushed["versions"]] == ["tweets-train@1", "tweets-validation@1", "tweets-test@1"]
    assert sum(each["rows"] for each in pushed["versions"]) == 100


def test_a_damaged_version_is_named_and_not_listed(source: Path, tmp_path: Path) -> None:
    run("push", source, "--name", "tweets")
    (shard,) = (tmp_path / "sets" / "tweets" / "shards").iterdir()
    shard.unlink()
    listed = run("list")
    assert "tweets@1 is damaged: shard 1 is missing" in listed.stdout
    assert json_of("list")["versions"] == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["push", "tweets.csv", "--name", "tweets", "--label-column", "mood"], "no column 'mood' for the label"),
        (["push", "none.csv", "--name", "tweets"], "There is no file none.csv"),
        (["push", "tweets.csv", "--name", "Tweets"], "cannot name a dataset"),
        (["push", "tweets.csv", "--name", "tweets", "--encoding", "ascii-9"], "is not an encoding"),
        (["show", "tweets@4"], "There is no dataset tweets"),
        (["list", "--store", "gs://x"], "cannot hold datasets"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_the_remedy(source: Path, arguments: list[str], problem: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert problem in result.stderr
    assert "Traceback" not in result.output
