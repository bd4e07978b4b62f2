"""Folders and S3 prefixes as sources: what in them is data, what is left out, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from sentiment.datasets import Example, ReadProgress, read_examples
from sentiment.errors import InvalidInput
from sentiment.tables import is_hidden

GOOD, BAD = Example("so good", "positive"), Example("so bad", "negative")
TABLE = "text,label\nso good,positive\nso bad,negative\n"
#: What macOS, Windows, Office, Jupyter, Hadoop and network disks leave in folders.
LITTER = (
    ".DS_Store",
    "._tweets.csv",
    "__MACOSX/tweets.csv",
    "__MACOSX/._tweets.csv",
    "Thumbs.db",
    "THUMBS.DB",
    "Desktop.ini",
    "~$tweets.csv",
    ".~lock.tweets.csv",
    ".ipynb_checkpoints/tweets-checkpoint.csv",
    "_SUCCESS",
    ".part-00000.csv.crc",
    "_temporary/0/part-00000.csv",
    "$RECYCLE.BIN/tweets.csv",
    "@eaDir/tweets.csv",
    ".git/tweets.csv",
)
#: The Large Movie Review Dataset's train folder, as its archive has it.
ACL_IMDB = {
    "neg/0_3.txt": "so bad",
    "pos/0_9.txt": "so<br />good",
    "unsup/0_0.txt": "a film",
    "unsup/1_0.txt": "another film",
    "labeledBow.feat": "9 0:9",
    "unsupBow.feat": "0 0:8",
    "urls_neg.txt": "http://www.example.com/neg",
    "urls_pos.txt": "http://www.example.com/pos",
    "urls_unsup.txt": "http://www.example.com/unsup",
}


def files_in(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read(path: Path, **options: Any) -> tuple[list[Example], ReadProgress]:
    progress = ReadProgress()
    return list(read_examples(path, progress=progress, **options)), progress


@pytest.mark.parametrize("name", LITTER)
def test_what_systems_and_programs_leave_beside_data_is_hidden(name: str) -> None:
    assert is_hidden(name)


@pytest.mark.parametrize(
    "name", ["tweets.csv", "a/b.csv", "_date=2026-01-01/part-0.parquet", "a_b.csv", "thumbs.csv", "a~$.csv"]
)
def test_what_people_and_spark_call_data_is_not_hidden(name: str) -> None:
    assert not is_hidden(name)


def test_litter_beside_tables_is_no_data(tmp_path: Path) -> None:
    files_in(tmp_path, {"tweets.csv": TABLE, **dict.fromkeys(LITTER, "\0\x05\x16\x07")})
    examples, progress = read(tmp_path)
    assert (examples, progress.not_read) == ([GOOD, BAD], [])


def test_litter_beside_and_in_folders_named_by_label_is_no_data(tmp_path: Path) -> None:
    inside = {f"{folder}/{name}": "\0" for folder in ("pos", "neg") for name in (*LITTER, "._0_9.txt")}
    files_in(tmp_path, {"neg/0_3.txt": "so bad", "pos/0_9.txt": "so good", **dict.fromkeys(LITTER, "\0"), **inside})
    examples, progress = read(tmp_path)
    assert (examples, progress.total, progress.not_read) == ([BAD, GOOD], 2, [])


def test_a_folder_with_litter_only_has_nothing_to_read(tmp_path: Path) -> None:
    files_in(tmp_path, dict.fromkeys(LITTER, TABLE))
    with pytest.raises(InvalidInput, match="there is nothing to read"):
        read(tmp_path)


def test_a_hidden_file_that_is_named_itself_and_one_in_a_hidden_folder_are_read(tmp_path: Path) -> None:
    files_in(tmp_path / ".cache" / "set", {".tweets.csv": TABLE, "b.csv": TABLE})
    assert read(tmp_path / ".cache" / "set" / ".tweets.csv")[0] == [GOOD, BAD]
    assert read(tmp_path / ".cache" / "set")[0] == [GOOD, BAD]


def test_a_table_marked_with_an_underscore_is_left_out_by_name(tmp_path: Path) -> None:
    _, progress = read(files_in(tmp_path, {"a.csv": TABLE, "_old.csv": TABLE, "notes.md": "x", "old/b.csv": TABLE}))
    assert (progress.total, progress.not_read) == (2, ["_old.csv", "notes.md", "old/"])


def test_the_folder_of_acl_imdb_is_read_as_its_archive_has_it(tmp_path: Path) -> None:
    examples, progress = read(files_in(tmp_path, ACL_IMDB))
    assert (examples, progress.total) == ([BAD, GOOD], 2)
    others = ["labeledBow.feat", "unsup/ (2 texts)", "unsupBow.feat", "urls_neg.txt", "urls_pos.txt", "urls_unsup.txt"]
    assert progress.not_read == others


def test_a_push_of_acl_imdb_says_what_it_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTONE_DATASETS", str(tmp_path / "sets"))
    source = files_in(tmp_path / "aclImdb", {f"train/{name}": text for name, text in ACL_IMDB.items()}) / "train"
    arguments = ["data", "push", str(source), "--name", "reviews"]
    shown = CliRunner().invoke(app, arguments)
    assert (shown.exit_code, "reviews@1" in shown.stdout) == (0, True)
    assert "Left out beside the data: labeledBow.feat, unsup/ (2 texts), unsupBow.feat," in shown.stdout
    assert "by themselves, with --unlabelled" in shown.stdout
    assert json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)["not_read"][1] == "unsup/ (2 texts)"


def test_a_folder_above_those_named_by_label_is_answered_with_those_to_push(tmp_path: Path) -> None:
    files = {f"{part}/{name}": text for part in ("train", "test") for name, text in ACL_IMDB.items()}
    files_in(tmp_path, {**files, "README": "x", "imdb.vocab": "x", "imdbEr.txt": "0.5", "__MACOSX/neg/0_3.txt": "x"})
    with pytest.raises(InvalidInput) as refusal:
        read(tmp_path)
    assert f"Push them one by one: {tmp_path / 'test'}, {tmp_path / 'train'}." in str(refusal.value)


def test_tables_that_lie_in_folders_are_answered_with_those_to_push(tmp_path: Path) -> None:
    files_in(tmp_path, {"2025/a.csv": TABLE, "2026/b.csv": TABLE})
    with pytest.raises(InvalidInput, match=r"tables in folders\. Push them one by one: .*2025, .*2026\."):
        read(tmp_path)


def test_texts_without_labels_may_lie_in_the_folder_itself_or_in_folders_of_any_name(tmp_path: Path) -> None:
    files_in(tmp_path, ACL_IMDB)
    film = [Example("a film", None), Example("another film", None)]
    assert read(tmp_path / "unsup", label_column=None)[0] == film
    assert [each.text for each in read(tmp_path, label_column=None)[0]] == [
        "so bad",
        "so good",
        "a film",
        "another film",
    ]
    with pytest.raises(InvalidInput, match="have no labels: say --unlabelled"):
        read(tmp_path / "unsup")


def test_a_folder_of_texts_with_another_name_is_refused_and_can_be_passed_over(tmp_path: Path) -> None:
    files_in(tmp_path, {"neg/0_1.txt": "a film", "pos/0_9.txt": "a film", "postive/0_0.txt": "a film"})
    with pytest.raises(InvalidInput, match=r"'postive' is not named after a label.*--labels neg=negative,pos="):
        read(tmp_path)
    examples, progress = read(tmp_path, labels="neg=negative,pos=positive")
    assert [each.label for each in examples] == ["negative", "positive"]
    assert progress.not_read == ["postive/ (1 texts)"]


def test_folders_of_strange_names_alone_are_refused_with_what_to_say(tmp_path: Path) -> None:
    files_in(tmp_path, {"happy/0_1.txt": "a film", "sad/0_9.txt": "a film"})
    with pytest.raises(InvalidInput, match=r"'happy' is not named after a label.*If the texts have no labels"):
        read(tmp_path)


def test_empty_folders_are_nothing_and_folders_below_a_label_s_are_left_out_by_name(tmp_path: Path) -> None:
    files_in(tmp_path, {"neg/0_1.TXT": "so bad", "pos/0_9.txt": "so good", "pos/more/1_9.txt": "x", "pos/a.html": "x"})
    (tmp_path / "neu").mkdir()
    (tmp_path / "drafts").mkdir()
    examples, progress = read(tmp_path)
    assert (examples, progress.not_read) == ([BAD, GOOD], ["pos/a.html", "pos/more/ (1 texts)"])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    files_in(tmp_path, {"neg/0_1.txt": "so bad", "pos/0_9.txt": "so good"})
    (tmp_path / "pos" / "1_9.txt").symlink_to("1_9.txt")
    with pytest.raises(InvalidInput, match=r"pos/1_9.txt.? cannot be read \(.*symbolic links\)"):
        read(tmp_path)


class Bucket:
    """An S3 client of one bucket."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files
        self.fetched: list[str] = []

    def get_paginator(self, _: str) -> Bucket:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self._files]}]

    def get_object(self, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - as boto3 calls it
        self.fetched.append(Key)
        return {"Body": Body(self._files[Key].encode())}


class Body:
    """What a GET answers."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def iter_chunks(self, _: int) -> list[bytes]:
        return [self._content]


def test_endings_of_files_in_a_bucket_may_be_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket({"raw/TWEETS.CSV": TABLE, "raw/notes.md": "x"})
    monkeypatch.setattr("sentiment.datasets.source.s3.connect", lambda _: bucket)
    assert list(read_examples("s3://bucket/raw")) == [GOOD, BAD]


def test_litter_below_a_prefix_is_not_even_fetched_and_hidden_prefixes_may_be_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = Bucket({f".raw/_set/{name}": TABLE for name in ("tweets.csv", *LITTER)})
    monkeypatch.setattr("sentiment.datasets.source.s3.connect", lambda _: bucket)
    assert list(read_examples("s3://bucket/.raw/_set")) == [GOOD, BAD]
    assert bucket.fetched == [".raw/_set/tweets.csv"]


def test_what_is_wrong_below_a_prefix_is_told_by_the_address_that_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"set/{part}/{name}": text for part in ("train", "test") for name, text in ACL_IMDB.items()}
    monkeypatch.setattr("sentiment.datasets.source.s3.connect", lambda _: Bucket(files))
    with pytest.raises(InvalidInput) as refusal:
        list(read_examples("s3://bucket/set/"))
    assert str(refusal.value).endswith("Push them one by one: s3://bucket/set/test, s3://bucket/set/train.")


def test_archives_in_a_folder_without_data_are_to_be_unpacked(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nothing to read.* films\.tar\.xz is an archive: unpack it first\.$"):
        read(files_in(tmp_path, {"films.tar.xz": "x", "README": "x"}))


@pytest.mark.parametrize("source", ["", "  "])
def test_an_empty_source_is_not_the_folder_that_the_command_is_typed_in(source: str) -> None:
    with pytest.raises(InvalidInput, match="The source is empty: name a file, a folder or an s3:// address"):
        list(read_examples(source))


def test_a_folder_that_is_not_there_is_not_answered_with_endings(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"There is no file or folder .*none\."):
        read(tmp_path / "none")


def test_a_text_in_another_encoding_is_named_with_its_folder(tmp_path: Path) -> None:
    for folder, text in (("neg", b"caf\xe9!"), ("pos", b"good")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_bytes(text)
    with pytest.raises(InvalidInput, match=r"^neg/a\.txt is not utf-8 at byte 3"):
        list(read_examples(tmp_path))
