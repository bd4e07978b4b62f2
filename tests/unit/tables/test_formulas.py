"""Results in CSV open as texts in a spreadsheet, and are read back as they were."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as pq

from sentiment.datasets import open_datasets, read_examples
from sentiment.datasets.leaks.search import Leak, LeakKind, write_leaks
from sentiment.datasets.storage.manifest import SCHEMA
from sentiment.tables import NUMBER, STRING, open_table, write_table
from sentiment.tables.formulas import OTHER_HEADERS, RESULT_COLUMNS, escaped, unescaped
from sentiment.tables.table import UNTYPED

TEXTS = ["=1+1", "+1 for this", "-", "@bob hi", "'=1", "''@x", "'quoted'", "\t=1", "\r=1", "\n=1", "＝1+1", "plain"]
NUMBERS = ["-5", "+3.2", "-1e5", "-0.91", "+1", "-1,234.5", "-5%"]


def result_of(path: Path, texts: list[str], kind: str = STRING) -> Path:
    columns = {"text": kind, **dict.fromkeys(RESULT_COLUMNS, NUMBER)}
    write_table(path, columns, ({"text": text, **dict.fromkeys(RESULT_COLUMNS, -0.5)} for text in texts))
    return path


def cells_of(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row[0] for row in csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")][1:]


@pytest.mark.parametrize("name", ["out.csv", "out.tsv"])
def test_no_text_of_a_result_opens_as_a_formula_and_each_is_read_back_as_it_was(tmp_path: Path, name: str) -> None:
    path = result_of(tmp_path / name, TEXTS)
    assert not [cell for cell in cells_of(path) if cell[0] in "=+-@\t\r\n＝"]
    assert [row.values["text"] for row in open_table(path)] == TEXTS


@pytest.mark.parametrize("name", ["out.csv", "out.tsv"])
def test_a_pulled_version_has_no_formula_and_pushed_again_is_the_same_version(tmp_path: Path, name: str) -> None:
    store = open_datasets(tmp_path / "sets")
    rows = [{"text": text, "who": who} for text in TEXTS[:8] for who in ("=1+1", "mail")]
    write_table(tmp_path / "in.jsonl", {"text": STRING, "who": STRING}, [*rows, {"text": 'so "good", "fine"'}])
    examples = read_examples(tmp_path / "in.jsonl", label_column=None, source_column="who")
    first = store.push("tweets", examples, source="tests")
    pulled = store.pull(first.ref, tmp_path / name)
    assert not [cell for cell in cells_of(pulled) if cell[0] in "=+-@\t\r\n＝"]
    again = read_examples(pulled, label_column=None, source_column="source", language_column="language")
    assert store.push("again", again, source="tests").digest == first.digest


def test_leaks_in_csv_hold_no_formula_and_are_read_back_equal(tmp_path: Path) -> None:
    leaks = [Leak(LeakKind.NEAR, 1, 2, 0.5, text, f"{text} too", "positive", None) for text in ("=1+1", "@user hi")]
    write_leaks(leaks, tmp_path / "leaks.csv")
    lines = (tmp_path / "leaks.csv").read_text().splitlines()
    assert lines[1] == "near,1,2,0.5,'=1+1,'=1+1 too,positive,"
    read = [(row.values["text"], row.values["first_text"]) for row in open_table(tmp_path / "leaks.csv")]
    assert read == [(leak.text, leak.first_text) for leak in leaks]


def test_the_columns_of_versions_and_leaks_are_known_to_be_ours(tmp_path: Path) -> None:
    write_leaks([], tmp_path / "leaks.csv")
    assert (tuple(SCHEMA), tuple((tmp_path / "leaks.csv").read_text().strip().split(","))) == OTHER_HEADERS


def test_quotes_in_somebody_s_own_tsv_with_these_columns_stay_characters(tmp_path: Path) -> None:
    (tmp_path / "in.tsv").write_text('text\tlabel\tsource\tlanguage\n"so good\tpositive\t\t\nsaid "no"\tnegative\t\t\n')
    assert [row.values["text"] for row in open_table(tmp_path / "in.tsv")] == ['"so good', 'said "no"']


def test_numbers_are_written_as_they_are(tmp_path: Path) -> None:
    path = result_of(tmp_path / "out.csv", NUMBERS, UNTYPED)
    assert cells_of(path) == NUMBERS
    assert path.read_text().splitlines()[1] == "-5,-0.5,-0.5,-0.5,-0.5"


def test_exact_numbers_are_written_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"n": -0.12345678901234567890123}\n{"n": -1e400}\n{"n": -5}\n{"n": "-5"}\n')
    prices = pa.array([Decimal("-123456789012345678901234567890.12")])
    pq.write_table(pa.table({"n": prices}), tmp_path / "in.parquet")
    for source, cells in {
        "in.jsonl": ["-0.12345678901234567890123", "-1E+400", "-5", "'-5"],
        "in.parquet": [str(prices[0])],
    }.items():
        table = open_table(tmp_path / source)
        columns = table.columns | dict.fromkeys(RESULT_COLUMNS, NUMBER)
        write_table(tmp_path / "out.csv", columns, (row.values for row in table))
        assert cells_of(tmp_path / "out.csv") == cells


def test_texts_that_look_like_numbers_are_texts(tmp_path: Path) -> None:
    path = result_of(tmp_path / "out.csv", NUMBERS)
    assert cells_of(path) == [f"'{number}" for number in NUMBERS]
    assert [row.values["text"] for row in open_table(path)] == NUMBERS


def test_the_names_of_columns_are_escaped_too(tmp_path: Path) -> None:
    columns = {"=cmd": STRING, **dict.fromkeys(RESULT_COLUMNS, NUMBER)}
    write_table(tmp_path / "out.csv", columns, [{"=cmd": "a"}])
    assert (tmp_path / "out.csv").read_text().startswith("'=cmd,")
    assert next(iter(open_table(tmp_path / "out.csv"))).values["=cmd"] == "a"


def test_files_that_are_no_results_keep_their_apostrophes(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,'@bob said\n2,'=1\n")
    assert [row.values["text"] for row in open_table(tmp_path / "in.csv")] == ["'@bob said", "'=1"]


def test_columns_with_a_prefix_make_a_result_too(tmp_path: Path) -> None:
    columns = {"text": STRING, **{f"predicted_{name}": NUMBER for name in RESULT_COLUMNS}}
    write_table(tmp_path / "out.csv", columns, [{"text": "=1"}])
    assert cells_of(tmp_path / "out.csv") == ["'=1"]
    assert next(iter(open_table(tmp_path / "out.csv"))).values["text"] == "=1"


def test_line_breaks_in_a_result_with_tabs_are_read_back(tmp_path: Path) -> None:
    texts = ["two\nlines", 'a "quote\nleft', "tab\there"]
    assert [row.values["text"] for row in open_table(result_of(tmp_path / "out.tsv", texts))] == texts


def test_a_line_break_in_the_name_of_a_column_hides_no_result(tmp_path: Path) -> None:
    columns = {'two\n"lines"': STRING, **dict.fromkeys(RESULT_COLUMNS, NUMBER)}
    for name in ("out.csv", "out.tsv"):
        write_table(tmp_path / name, columns, [{'two\n"lines"': "=1"}])
        assert next(iter(open_table(tmp_path / name))).values['two\n"lines"'] == "=1"


@given(st.text(st.sampled_from("'=+-@1e.,% a\t\n")))
def test_escaping_is_undone_exactly(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert unescaped(escaped(text, keep_numbers=True)) == text
