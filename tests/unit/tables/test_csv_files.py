"""How CSV and TSV files are found to be written, and what becomes of rows that are not written so."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.errors import InvalidInput
from sentiment.tables import open_table, write_table
from sentiment.tables.table import LONGEST_CELL_CHARACTERS, STRING, Row


def rows_of(folder: Path, name: str, content: str, **options: Any) -> list[Row]:
    path = folder / name
    path.write_bytes(content.encode())
    return list(open_table(path, **options))


def texts_of(folder: Path, name: str, content: str, **options: Any) -> list[str]:
    rows = rows_of(folder, name, content, **options)
    assert [row.problem for row in rows] == [None] * len(rows)
    return [row.values["text"] for row in rows]


def test_a_tsv_is_parted_by_tabs_whatever_its_header_holds(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, "in.tsv", "id\ttext, or; more; and, more\n1\ta, b; c\n")
    assert row.values == {"id": "1", "text, or; more; and, more": "a, b; c"}
    (row,) = rows_of(tmp_path, "in.tsv", "a;b\n1;2\n")
    assert row.values == {"a;b": "1;2"}


def test_quotes_in_a_tsv_are_characters_so_that_a_row_is_a_line(tmp_path: Path) -> None:
    content = 'id\ttext\n1\t"I said\n2\tnothing\n3\tat all"\n4\t"quite"\n'
    assert texts_of(tmp_path, "in.tsv", content) == ['"I said', "nothing", 'at all"', '"quite"']


def test_quotes_between_the_tabs_of_a_csv_enclose_line_breaks_where_its_rows_fit_only_so(tmp_path: Path) -> None:
    content = 'id\ttext\n1\t"two\nlines"\n2\tfine\n'
    assert texts_of(tmp_path, "in.csv", content) == ["two\nlines", "fine"]
    rows = rows_of(tmp_path, "in.csv", content + '3\t"open\n')
    assert [row.problem is None for row in rows] == [True, False, True, True]
    assert "read it with quoting 'all'" in str(rows[1].problem)


def test_quotes_around_every_cell_may_enclose_tabs(tmp_path: Path) -> None:
    content = '"id"\t"text"\n"1"\t"a\tb"\n"2"\t"say ""hi"""\n'
    for name in ("in.csv", "in.tsv"):
        assert texts_of(tmp_path, name, content) == ["a\tb", 'say "hi"']


def test_a_quote_in_one_cell_and_another_in_the_next_enclose_no_tab(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, "in.tsv", 'id\ta\tb\n1\t"so\tgood"\n')
    assert row.values == {"id": "1", "a": '"so', "b": 'good"'}


def test_quotes_between_tabs_are_characters_in_a_csv_too(tmp_path: Path) -> None:
    content = 'id\ttext\n1\t"I said\n2\tnothing\n3\tat all"\n'
    assert texts_of(tmp_path, "in.csv", content) == ['"I said', "nothing", 'at all"']
    assert texts_of(tmp_path, "in.csv", content, quoting="all") == ["I said\n2\tnothing\n3\tat all"]


def test_quotes_in_a_tsv_enclose_cells_where_each_that_begins_with_one_ends_with_one(tmp_path: Path) -> None:
    content = 'id\ttext\n1\t"say ""hi"""\n2\tin "the" middle\n"3"\t""\n'
    assert texts_of(tmp_path, "in.tsv", content) == ['say "hi"', 'in "the" middle', ""]


@pytest.mark.parametrize("cell", ['"', '"a"b"', '"""', '"a" and "b"'])
def test_one_cell_of_a_tsv_that_quotes_do_not_enclose_makes_all_quotes_characters(tmp_path: Path, cell: str) -> None:
    assert texts_of(tmp_path, "in.tsv", f'text\n"enclosed"\n{cell}\n') == ['"enclosed"', cell]


def test_a_line_break_within_quotes_of_a_tsv_is_refused_by_its_line_unless_quotes_are_said_to_enclose_all(
    tmp_path: Path,
) -> None:
    content = 'text\tid\n"two\nlines"\t1\n'
    first, second = rows_of(tmp_path, "in.tsv", content)
    assert first.problem == (
        "has 1 cell, the header has 2 (line 2); if quotes enclose line breaks or delimiters in this file, read it with "
        "quoting 'all'"
    )
    assert second.values == {"text": 'lines"', "id": "1"}
    assert texts_of(tmp_path, "in.tsv", content, quoting="all") == ["two\nlines"]


def test_a_quote_left_open_spoils_the_row_of_its_own_line_only(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "in.csv", 'id,text\n1,fine\n2,"open\n3,more\n4,"closed"\n5,"also, closed"\n')
    assert [row.number for row in rows if row.problem] == [2]
    assert "cannot be read (line 3): a quote is left open" in str(rows[1].problem)
    assert rows[1].values == {"id": "2", "text": '"open'}
    assert [row.values["text"] for row in rows[2:]] == ["more", "closed", "also, closed"]


def test_a_quote_left_open_before_a_long_rest_is_named_by_its_line_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = LONGEST_CELL_CHARACTERS // 100_000 + 10
    rows = rows_of(tmp_path, "in.csv", 'text\nfine\n"open\n' + ("y" * 99_999 + "\n") * lines)
    assert [row.number for row in rows if row.problem] == [2]
    assert "line 3" in str(rows[1].problem)
    assert len(rows) == lines + 2


def test_quotes_left_open_in_every_row_take_no_longer_than_the_rows_are_many(tmp_path: Path) -> None:
    begun = time.monotonic()
    rows = rows_of(tmp_path, "in.csv", "id,text\n" + '1,"open\n' * 20_000)
    assert all(row.problem for row in rows)
    assert len(rows) == 20_000
    assert time.monotonic() - begun < 10


def test_a_cell_that_goes_on_behind_its_closing_quote_is_refused_and_not_changed(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "in.csv", 'id,text\n1,"great" movie\n2,"a ""fine"" one"\n')
    assert "line 2" in str(rows[0].problem)
    assert rows[1].values["text"] == 'a "fine" one'
    assert texts_of(tmp_path, "in.csv", 'id,text\n1,"great" movie\n', quoting="none") == ['"great" movie']


def test_a_quote_within_an_unquoted_cell_is_a_character(tmp_path: Path) -> None:
    assert texts_of(tmp_path, "in.csv", 'id,text\n1,a 5" pipe\n2,say "hi"\n') == ['a 5" pipe', 'say "hi"']


@pytest.mark.parametrize(("name", "text"), [("in.csv", "id,text\n1,a\n"), ("in.tsv", "id\ttext\n1\ta\n")])
@pytest.mark.parametrize("blanks", ["  ", "   \n", "\u00a0\n\n", " \r\n \r\n"])
@pytest.mark.parametrize("quoting", ["auto", "none", "all"])
def test_lines_of_blanks_are_blank(tmp_path: Path, name: str, text: str, blanks: str, quoting: str) -> None:
    rows = rows_of(tmp_path, name, text + blanks, quoting=quoting)
    assert [(row.values, row.problem) for row in rows] == [({"id": "1", "text": "a"}, None)]


def test_a_line_of_blanks_is_an_empty_text_where_there_is_one_column(tmp_path: Path) -> None:
    assert texts_of(tmp_path, "in.csv", "text\na\n  \nb\n") == ["a", "  ", "b"]


def test_a_line_that_is_too_long_is_a_problem_and_the_next_one_is_read(tmp_path: Path) -> None:
    for name in ("in.csv", "in.tsv"):
        rows = rows_of(tmp_path, name, "text\n" + "x" * (LONGEST_CELL_CHARACTERS + 5) + "\nfine\n")
        assert [row.problem is None for row in rows] == [False, True]
        assert "longer than 16,777,216 characters" in str(rows[0].problem)


def test_a_line_that_is_too_long_behind_an_open_quote_takes_no_other_with_it(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "in.csv", 'text\n"open\n' + "x" * (LONGEST_CELL_CHARACTERS + 5) + "\nfine\nlast\n")
    assert [row.number for row in rows if row.problem] == [1, 2]
    assert [row.values["text"] for row in rows[2:]] == ["fine", "last"]


def test_a_file_of_one_column_keeps_what_would_part_cells(tmp_path: Path) -> None:
    content = 'text\nI love it, really\nfoo; bar | x\ty\n"quoted, too"\n"two\nlines"\n'
    expected = ["I love it, really", "foo; bar | x\ty", "quoted, too", "two\nlines"]
    assert texts_of(tmp_path, "in.csv", content) == expected


def test_a_comma_in_the_name_of_the_only_column_parts_nothing(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "in.csv", "Tweet, as sent\nhello\nbye\n")
    assert [row.values for row in rows] == [{"Tweet, as sent": "hello"}, {"Tweet, as sent": "bye"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_without_what_stands_in_quotes(tmp_path: Path, delimiter: str) -> None:
    others = ",;|,;|"
    content = delimiter.join([f'"a{others}"', "text", f'"c{others}"']) + f"\n1{delimiter}x{delimiter}2\n"
    assert texts_of(tmp_path, "in.csv", content) == ["x"]


def test_the_rows_decide_where_the_header_holds_two_delimiters(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "in.csv", "id,text;raw\n1,a\n2,b; c\n3,d\n")
    assert [row.values["text;raw"] for row in rows] == ["a", "b; c", "d"]


def test_a_line_that_names_the_delimiter_is_believed_and_no_row(tmp_path: Path) -> None:
    for first in ("sep=;\n", "SEP=;\r\n", '"sep=;"\n', "\ufeffsep=;\n", "\nsep=;\n\n"):
        assert texts_of(tmp_path, "in.csv", f"{first}id,no;text\n1;a,b\n") == ["a,b"]


def test_blank_lines_before_the_header_are_passed_over(tmp_path: Path) -> None:
    assert texts_of(tmp_path, "in.csv", "\n  \n,,\r\nid,text\n1,a\n") == ["a"]
    assert texts_of(tmp_path, "in.tsv", "\n\t\nid\ttext\n1\ta\n") == ["a"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("name", "delimiter"), [("in.csv", ","), ("in.tsv", "\t")])
def test_every_kind_of_line_end_ends_a_line(tmp_path: Path, name: str, delimiter: str, end: str) -> None:
    lines = [f"id{delimiter}text", f"1{delimiter}a", "", f"2{delimiter}b"]
    assert texts_of(tmp_path, name, end.join(lines)) == ["a", "b"]


def test_a_carriage_return_within_a_line_makes_no_two_rows_of_one(tmp_path: Path) -> None:
    for name in ("in.csv", "in.tsv"):
        rows = rows_of(tmp_path, name, "text\none\rtweet\nfine\n")
        assert [row.number for row in rows if row.problem] == [1]
        assert "line 2" in str(rows[0].problem)


@pytest.mark.parametrize("given", [";", "semicolon"])
def test_a_delimiter_that_was_named_goes_before_what_the_file_looks_like(tmp_path: Path, given: str) -> None:
    for name in ("in.csv", "in.tsv"):
        assert texts_of(tmp_path, name, "id,x\ty;text\n1,a;b\n", delimiter=given) == ["b"]


def test_no_delimiter_at_all_makes_a_line_one_cell(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, "in.csv", "a,b\n1,2\n", delimiter="none")
    assert row.values == {"a,b": "1,2"}


@pytest.mark.parametrize("given", ["", ";;", '"', "\n", "\r", "\0", "commas"])
def test_a_delimiter_that_can_be_none_is_refused_with_those_that_can(tmp_path: Path, given: str) -> None:
    with pytest.raises(InvalidInput, match=r"must be one character.*auto, comma, semicolon, tab") as caught:
        rows_of(tmp_path, "in.csv", "text\n", delimiter=given)
    assert caught.value.field == "delimiter"


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="quoting is 'some'; it must be one of auto, none, all"):
        rows_of(tmp_path, "in.csv", "text\n", quoting="some")
    for option in ({"delimiter": ";"}, {"quoting": "none"}):
        with pytest.raises(InvalidInput, match=r"in\.jsonl has no (delimiter|quoting) to choose"):
            rows_of(tmp_path, "in.jsonl", "{}\n", **option)


def test_columns_that_are_given_tell_the_delimiter(tmp_path: Path) -> None:
    named = {"columns": ["id", "text"]}
    assert texts_of(tmp_path, "in.csv", '1;"a; b, c"\n2;d, e\n', **named) == ["a; b, c", "d, e"]
    assert texts_of(tmp_path, "in.csv", "a, b\nc\n", columns=["text"]) == ["a, b", "c"]


def test_a_table_says_how_it_was_read(tmp_path: Path) -> None:
    for content, description in {
        "id;text\n1;a\n": "cells are parted by semicolons, quotes enclose cells",
        "text\na\n": "a line is one cell, quotes enclose cells",
    }.items():
        path = tmp_path / "in.csv"
        path.write_text(content)
        assert open_table(path).description == description


letters = st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from("\r\n\",;'")
cells = st.text(letters, min_size=1).filter(lambda text: text.strip())


@given(texts=st.lists(cells, min_size=1, max_size=5))
def test_what_python_writes_as_csv_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "in.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
            [["id", "text"], *([n, text] for n, text in enumerate(texts))]
        )
    assert [row.values["text"] for row in open_table(path)] == texts


@given(texts=st.lists(cells, min_size=1, max_size=5))
def test_what_is_written_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("csv") / "out.csv"
    write_table(path, {"id": STRING, "text": STRING}, ({"id": "1", "text": text} for text in texts))
    assert [row.values["text"] for row in open_table(path)] == texts
