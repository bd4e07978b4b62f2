"""The readers of the corpora, on corpora of a few lines in the same formats."""

from __future__ import annotations

import io
import lzma
import tarfile
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from sentiment.errors import InvalidInput
from sentiment.training.batching.batches import EncodedText
from train_jobs.shipped_model.mixture import draw_window
from train_jobs.shipped_model.readers import (
    LabelledText,
    decode_semeval,
    read_news_words,
    read_sentiment140,
    read_training_texts,
    read_tweeteval,
)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(text.encode()))


def _write_tar(path: Path, files: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:xz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    semeval = "1\tpositive\tSo good \\u2019til now\n2\tnegative\tbad &amp; sad\t\n3\tneutral\tin val\n"
    semeval += "4\tneutral\tBad & SAD!\n"
    _write(tmp_path / "semeval2017_task4a/downloaded/a.tsv.xz", semeval + "5\tneutral\tin test @bob")
    for split, text in (("val", "in val \n"), ("test", "in test @user \nline\u2028break \n")):
        _write(tmp_path / f"tweeteval_sentiment/{split}_text.txt.xz", text)
    (tmp_path / "tweeteval_sentiment/val_labels.txt").write_text("1\n")
    (tmp_path / "tweeteval_sentiment/test_labels.txt").write_text("1\n0\n")
    _write_tar(
        tmp_path / "imdb_aclImdb/aclImdb_train.tar.xz",
        {
            "aclImdb/train/pos/0_9.txt": "fine<br />film",
            "aclImdb/train/neg/0_1.txt": "in both",
            "aclImdb/train/urls.txt": "",
        },
    )
    _write_tar(tmp_path / "imdb_aclImdb/aclImdb_test.tar.xz", {"aclImdb/test/neg/0_1.txt": "in both"})
    for split, text in (("train", "a laugh\n0\tin dev"), ("dev", "in dev"), ("test", "in the test")):
        _write(tmp_path / f"sst2_glue/{split}.tsv.xz", f"label\tsentence\n1\t{text}\n")
    return tmp_path


def test_escapes_and_doubled_quotes_of_semeval_are_undone() -> None:
    assert decode_semeval('"He said ""no""\\u002c twice"') == 'He said "no", twice'
    assert decode_semeval('\\""@a: hi\\""') == '"@a: hi"'


def test_training_texts_hold_no_duplicate_and_no_text_of_a_held_out_or_test_set(corpora: Path) -> None:
    texts = read_training_texts(corpora)
    assert texts.tweets == [LabelledText("So good ’til now", 2), LabelledText("bad & sad", 0)]
    assert texts.phrases == [LabelledText("a laugh", 2, two_class=True)]
    assert texts.reviews_held_out == [LabelledText("fine film", 2, two_class=True)]
    assert texts.tweets_held_out == [LabelledText("in val", 1)]


def test_lines_end_at_line_feeds_only(corpora: Path) -> None:
    assert read_tweeteval(corpora, "test") == [LabelledText("in test @user", 1), LabelledText("line break", 0)]


def test_tweets_of_sentiment140_come_without_labels_and_normalised(tmp_path: Path) -> None:
    rows = 'target,ids,date,flag,user,text\n0,1,Mon,-,ann,"@bob  so, sad &amp; tired"\n4,2,Tue,-,eve,yes\n'
    _write(tmp_path / "sentiment140/sentiment140_sample_20k.csv.xz", rows)
    assert read_sentiment140(tmp_path) == ["@user so, sad & tired", "yes"]


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="val_text"):
        read_tweeteval(tmp_path, "val")


def test_news_words_come_from_the_last_part_of_addresses(tmp_path: Path) -> None:
    rows = (
        "dt\tid\tsqldate\tcountry\tsrc\turl\n1\t2\t3\tUS\ta.com\thttps://www.a.com/story/39/shares-fall-after-warning\n"
    )
    _write_tar(tmp_path / "gdelt_sample/gkg_index_20180918.tar.xz", {"gkg/1.csv": rows})
    assert read_news_words(tmp_path)[0] == "shares fall after"


def test_windows_keep_the_special_tokens_and_the_order_of_the_body() -> None:
    row = EncodedText([2, *range(100, 150), 3], 0, two_class=True)
    drawn = [draw_window(row, 12, Random(seed)).ids for seed in range(40)]
    assert all(len(ids) == 12 and ids[0] == 2 and ids[-1] == 3 for ids in drawn)
    assert all(ids[1:-1] == list(range(ids[1], ids[1] + 10)) for ids in drawn)
    assert {100, 140} < {ids[1] for ids in drawn}
    assert draw_window(row, 52, Random(0)) == row
