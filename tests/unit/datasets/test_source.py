"""Examples from files and folders, and what bad ones are answered with."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from sentiment.datasets import Example, ReadProgress, read_examples
from sentiment.errors import InvalidInput
from tests.tiny_workbook import workbook

GOOD, BAD = Example("so good", "positive"), Example("so bad", "negative")


def file_of(folder: Path, text: str, name: str = "tweets.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def read(path: Path, **options: Any) -> list[Example]:
    return list(read_examples(path, **options))


def test_csv_jsonl_and_parquet_give_the_same_examples(tmp_path: Path) -> None:
    lines = '{"text": "so good", "label": "positive"}\n{"text": "so bad", "label": "negative"}\n'
    pq.write_table(pa.table({"text": ["so good", "so bad"], "label": ["positive", "negative"]}), tmp_path / "t.parquet")
    paths = [
        file_of(tmp_path, "text,label\nso good,positive\nso bad,negative\n"),
        file_of(tmp_path, "label\ttext\npositive\tso good\nnegative\tso bad\n", "t.tsv"),
        file_of(tmp_path, lines, "t.jsonl"),
        tmp_path / "t.parquet",
    ]
    assert [read(path) for path in paths] == [[GOOD, BAD]] * 4


def test_texts_are_normalised_and_columns_for_slices_are_kept(tmp_path: Path) -> None:
    path = file_of(tmp_path, "body,mood,app,lang\nhi  @bob &amp; co,pos,mail,en\n")
    columns = {"text_column": "body", "label_column": "mood", "source_column": "app", "language_column": "lang"}
    assert read(path, **columns) == [Example("hi @user & co", "positive", "mail", "en")]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("bob@example.org", "[email]"),
        ("@bobby +1 202 555 0143", "@user [phone]"),
        ("https://example.org/bob?id=7", "http"),
        (" mail  app ", "mail app"),
        ("imdb", "imdb"),
    ],
)
def test_a_source_is_masked_as_texts_are(tmp_path: Path, given: str, stored: str) -> None:
    path = file_of(tmp_path, f"text,label,who\nso good,positive,{given}\n")
    assert read(path, source_column="who")[0].source == stored


def test_a_source_that_is_an_object_is_kept_as_json(tmp_path: Path) -> None:
    path = file_of(tmp_path, '{"text": "so good", "who": {"mail": "bob@example.org", "ok": true}}\n', "in.jsonl")
    (example,) = read(path, label_column=None, source_column="who")
    assert example.source == '{"mail": "[email]", "ok": true}'


@pytest.mark.parametrize("code", ["en", "deu", "pt-BR", "zh-Hans-CN", "en_US", "UND"])
def test_a_language_is_a_code(tmp_path: Path, code: str) -> None:
    path = file_of(tmp_path, f"text,label,lang\nso good,positive, {code} \n")
    assert read(path, language_column="lang")[0].language == code


@pytest.mark.parametrize("given", ["", "NaN", "null", "None", "N/A"])
def test_a_missing_language_is_none(tmp_path: Path, given: str) -> None:
    path = file_of(tmp_path, f"text,label,lang\nso good,positive,{given}\n")
    assert read(path, language_column="lang")[0].language == ""


@pytest.mark.parametrize("given", ["English", "bob@example.org", "e", "en-", "@bob", "en de", "12", "x" * 90])
def test_a_language_that_is_no_code_is_refused(tmp_path: Path, given: str) -> None:
    path = file_of(tmp_path, f"text,label,lang\nso good,positive,en\nso bad,negative,{given}\n")
    with pytest.raises(
        InvalidInput, match=r"Row 2 of tweets.csv has the language .*not a code such as en.*--language-"
    ):
        read(path, language_column="lang")


@pytest.mark.parametrize("column", ["text", "label", "source", "language"])
def test_a_missing_column_is_answered_with_those_that_there_are(tmp_path: Path, column: str) -> None:
    path = file_of(tmp_path, "text,label\nso good,positive\n")
    with pytest.raises(InvalidInput, match=rf"no column 'mood' for the {column}.* 'text', 'label'.*--{column}-column"):
        read(path, **{f"{column}_column": "mood"})


def test_another_encoding_is_named_and_never_guessed(tmp_path: Path) -> None:
    path = file_of(tmp_path, "text,label\nso café,positive\n", encoding="latin-1")
    with pytest.raises(InvalidInput, match=r"tweets.csv is not utf-8 at byte 17 .*--encoding cp1252"):
        read(path)
    assert read(path, encoding="latin-1")[0].text == "so café"


def test_an_unknown_encoding_is_named_with_some_that_exist(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'latin-99' is not an encoding; try utf-8"):
        read(file_of(tmp_path, "text,label\nso good,positive\n"), encoding="latin-99")


def test_a_byte_that_cp1252_has_not_is_answered_with_latin_1(tmp_path: Path) -> None:
    path = file_of(tmp_path, "text,label\nso \x81,positive\n", encoding="latin-1")
    with pytest.raises(InvalidInput, match="--encoding latin-1"):
        read(path, encoding="cp1252")


def test_empty_texts_are_left_out_and_counted(tmp_path: Path) -> None:
    path, progress = file_of(tmp_path, "text,label\nso good,positive\n  ,negative\n\u200b,\n"), ReadProgress()
    assert list(read_examples(path, progress=progress)) == [GOOD]
    assert (progress.rows, progress.total, progress.empty) == (3, 3, 2)
    assert progress.empty_at == ["Row 2 of tweets.csv", "Row 3 of tweets.csv"]


def test_an_empty_label_is_none(tmp_path: Path) -> None:
    assert read(file_of(tmp_path, "text,label\nso good,\n")) == [Example("so good", None)]
    pq.write_table(pa.table({"text": ["so good"], "label": [float("nan")]}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet") == [Example("so good", None)]


def test_texts_without_labels_need_no_label_column(tmp_path: Path) -> None:
    assert read(file_of(tmp_path, "text\nso good\n"), label_column=None) == [Example("so good", None)]


def test_names_and_numbers_in_one_file_are_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, "text,label\nso good,positive\nso bad,0\n")
    with pytest.raises(InvalidInput, match=r"labels are mixed: Row 1 .*'positive', Row 2 .*'0'"):
        read(path, labels="negative,positive")


def test_numbers_get_no_meaning_that_nobody_gave_them(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"Row 1 of tweets.csv has the label 0: say what the numbers mean.*--labels"):
        read(file_of(tmp_path, "text,label\nso bad,0\n"))


def test_numbers_are_read_by_their_place_or_by_pairs(tmp_path: Path) -> None:
    plain = file_of(tmp_path, "text,label\na,0\nb,1\nc,2\n")
    assert [each.label for each in read(plain, labels="negative,neutral,positive")] == [
        "negative",
        "neutral",
        "positive",
    ]
    wide = file_of(tmp_path, "text,label\na,0\nb,2\nc,4\n", "wide.csv")
    assert [each.label for each in read(wide, labels="0=negative,2=neutral,4=positive")] == [
        "negative",
        "neutral",
        "positive",
    ]
    with pytest.raises(InvalidInput, match=r"Row 3 .* label 4; --labels negative,neutral,positive .* 0 to 2 only"):
        read(wide, labels="negative,neutral,positive")
    with pytest.raises(InvalidInput, match=r"Row 2 .* '2'; --labels gives a meaning to 0, 4 only"):
        read(wide, labels="0=negative,4=positive")


def test_whole_numbers_that_a_table_holds_as_fractions_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["so good"], "label": [1.0]}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet", labels="negative,positive") == [GOOD]


def test_an_unknown_name_is_answered_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"'joy', which is none of negative, neutral, positive.*--labels joy="):
        read(file_of(tmp_path, "text,label\nso good,joy\n"))


def test_a_file_without_a_header_is_read_with_given_columns(tmp_path: Path) -> None:
    row = '"4","1467","Mon Apr 06 22:19:45 PDT 2009","NO_QUERY","bob","so café; so, good"\n'
    path = file_of(tmp_path, row * 2, "training.csv", "latin-1")
    options = {
        "columns": ["target", "ids", "date", "flag", "user", "text"],
        "label_column": "target",
        "labels": "0=negative,2=neutral,4=positive",
        "encoding": "latin-1",
    }
    assert read(path, **options) == [Example("so café; so, good", "positive")] * 2
    with pytest.raises(InvalidInput, match="If the file has no header, name its columns: --columns"):
        read(path, encoding="latin-1")


def test_columns_are_refused_where_a_file_names_its_own(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="leave out --columns"):
        read(file_of(tmp_path, "{}\n", "t.jsonl"), columns=["a"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "text,label\nso good,positive\nso, bad,negative\n"),
        ("t.csv", 'text,label\nso good,positive\n"so bad,negative\n'),
        ("t.jsonl", '{"text": "so good", "label": "positive"}\n{"text": \n'),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, name: str, text: str) -> None:
    rows = read_examples(file_of(tmp_path, text, name))
    assert next(rows) == GOOD
    with pytest.raises(InvalidInput, match=rf"Row 2 of {name} [^?]*[^.?]\. Correct it, or remove it\.$"):
        next(rows)


def test_a_folder_of_tables_is_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    file_of(tmp_path, "text,label\nso bad,negative\n", "b.csv")
    file_of(tmp_path, "text,label\nso good,positive\n", "a.csv")
    file_of(tmp_path, "{}", "manifest.json")
    assert read(tmp_path) == [GOOD, BAD]


def test_what_cannot_be_a_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"There is no file .*none\.csv"):
        read(tmp_path / "none.csv")
    with pytest.raises(InvalidInput, match="there is nothing to read"):
        read(tmp_path)
    with pytest.raises(InvalidInput, match="the ending tells the format"):
        read(file_of(tmp_path, "a", "t.xls"))


def test_delimiter_and_quoting_are_told_for_the_tables_of_a_folder_that_have_them(tmp_path: Path) -> None:
    file_of(tmp_path, 'label;text,raw\npositive;"so" good\n', "a.csv")
    file_of(tmp_path, '{"text,raw": "so bad", "label": "negative"}\n', "b.jsonl")
    told = {"text_column": "text,raw", "delimiter": "semicolon", "quoting": "none"}
    assert [each.text for each in read(tmp_path, **told)] == ['"so" good', "so bad"]
    with pytest.raises(InvalidInput, match="has no delimiter to choose"):
        read(tmp_path / "b.jsonl", **told)


def test_packed_tables_and_workbooks_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text,label\nso good,positive\n"))
    (tmp_path / "b.xlsx").write_bytes(workbook([["text", "label"], ["so bad", "negative"]]))
    assert read(tmp_path) == [GOOD, BAD]


def test_a_bad_cell_of_a_column_that_is_not_read_stops_nothing(tmp_path: Path) -> None:
    note = pa.array([b"\xff", b"fine"], pa.binary()).view(pa.string())
    columns = {"text": ["so good", "so bad"], "label": ["positive", "negative"], "note": note}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    (tmp_path / "b.xlsx").write_bytes(workbook([["n", "text", "label"], ["=1+1", "so good", "positive"]]))
    assert read(tmp_path) == [GOOD, BAD, GOOD]
    with pytest.raises(InvalidInput, match=r"Row 1 of a\.parquet: 'note' is not UTF-8"):
        read(tmp_path / "a.parquet", source_column="note")
