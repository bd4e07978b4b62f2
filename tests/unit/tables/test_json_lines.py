"""JSON Lines: what is no object a line, and numbers that keep every digit on the way to any format."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet as pq

from sentiment.datasets import read_examples
from sentiment.errors import InvalidInput
from sentiment.tables import open_table, write_table
from sentiment.tables.table import INTEGER, JSON, NUMBER, STRING


def lines_of(folder: Path, *lines: str) -> Path:
    path = folder / "in.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def written(path: Path, ending: str) -> Path:
    table, target = open_table(path), path.with_name(f"out{ending}")
    write_table(target, table.columns, (row.values for row in table if row.problem is None))
    return target


def raw_values(target: Path) -> list[str]:
    """Return the cells of the column `n` as they stand in the file."""
    if target.suffix == ".parquet":
        return [str(value) for value in pq.read_table(target)["n"].to_pylist()]
    if target.suffix == ".csv":
        return target.read_text().splitlines()[1:]
    return [line.removeprefix('{"n": ').removesuffix("}") for line in target.read_text().splitlines()]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    "numbers",
    [
        ["9007199254740993", "0.5"],
        ["123456789012345678901234567890", "-1"],
        ["9223372036854775807", "-9223372036854775808"],
        ["9223372036854775808", "1"],
        ["18014398509481985", "2.5", "123456789012345678901234567890"],
        ["0.12345678901234567890123", "1"],
        ["123456789012345678.5", "2.5"],
        ["1E+400", "1"],
        ["1E-400", "0.5"],
    ],
)
def test_numbers_keep_every_digit_in_every_format(tmp_path: Path, numbers: list[str], ending: str) -> None:
    path = lines_of(tmp_path, *(f'{{"n": {number}}}' for number in numbers))
    assert raw_values(written(path, ending)) == numbers


def test_nested_numbers_keep_every_digit(tmp_path: Path) -> None:
    path = lines_of(tmp_path, '{"n": {"a": [0.12345678901234567890123, 36893488147419103233, "é\\"", null, true]}}')
    expected = '{"a": [0.12345678901234567890123, 36893488147419103233, "é\\"", null, true]}'
    assert raw_values(written(path, ".jsonl")) == [expected]
    assert raw_values(written(path, ".parquet")) == [expected]


def test_integers_beside_fractions_are_numbers_where_a_float_holds_them_all(tmp_path: Path) -> None:
    lines = ['{"small": 1, "large": 9007199254740993, "only": 9007199254740993}', '{"small": 0.5, "large": 0.5}']
    table = open_table(lines_of(tmp_path, *lines))
    assert table.columns == {"small": NUMBER, "large": JSON, "only": INTEGER}


def test_numbers_beside_truth_values_and_texts_are_told_apart_in_json(tmp_path: Path) -> None:
    path = lines_of(tmp_path, '{"n": true}', '{"n": 1}', '{"n": "1"}')
    assert raw_values(written(path, ".jsonl")) == ["true", "1", '"1"']
    assert pq.read_table(written(path, ".parquet"))["n"].to_pylist() == ["true", "1", "1"]


def test_keys_that_differ_from_line_to_line_are_all_columns(tmp_path: Path) -> None:
    path = lines_of(tmp_path, '{"text": "a"}', '{"other": null, "text": "b", "n": 1}')
    assert open_table(path).columns == {"text": STRING, "other": STRING, "n": INTEGER}
    assert pq.read_table(written(path, ".parquet"))["n"].to_pylist() == [None, 1]


@pytest.mark.parametrize("line", ['{"text": "a", "text": "b"}', '{"text": "a", "in": {"x": 1, "x": 1}}'])
def test_a_key_that_stands_twice_is_a_problem_since_one_value_would_be_lost(tmp_path: Path, line: str) -> None:
    (row,) = open_table(lines_of(tmp_path, line))
    assert str(row.problem).endswith("more than once")
    assert row.values == {"line": line}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"text": "a"', "is not JSON: Expecting ',' delimiter at character 13"),
        (f'{{"n": {"9" * 5000}}}', "holds an integer of more than 4,300 digits"),
        (f'{{"n": {"[" * 100}{"]" * 100}}}', "nests objects and arrays more than 100 deep"),
        (f'{{"n": {"[" * 9000}{"]" * 9000}}}', "nests objects and arrays more than 100 deep"),
        ("[" * 9000, "nests objects and arrays more than 100 deep"),
        ('{"text": "a', "is not JSON: Unterminated string starting at character 10"),
        ("5", "is not a JSON object"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_without_python_s_words(tmp_path: Path, line: str, problem: str) -> None:
    first, second = open_table(lines_of(tmp_path, '{"n": 1}', line))
    assert first.values == {"n": 1}
    assert second.problem == problem


def test_many_objects_beside_each_other_are_not_deep(tmp_path: Path) -> None:
    (row,) = open_table(lines_of(tmp_path, f'{{"n": [{", ".join(["{}"] * 500)}], "m": {"[" * 99}{"]" * 99}}}'))
    assert row.problem is None


def test_a_file_without_a_row_that_can_be_read_is_refused_with_the_first_one_s_reason(tmp_path: Path) -> None:
    path = lines_of(tmp_path, '{"text": "a"')
    with pytest.raises(InvalidInput, match=r"in\.jsonl has no row that can be read\. Row 1 is not JSON: Expecting"):
        open_table(path).require("text")
    with pytest.raises(InvalidInput, match=r"in\.jsonl has no row that can be read\. Row 1 is not JSON: Expecting"):
        list(read_examples(path))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\ud83d", "a\ufffd"),
        (r"\uDE00b", "\ufffdb"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\ud83d\ude00", "😀"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\\ufffd"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
    ],
)
def test_half_of_a_surrogate_pair_is_the_replacement_character_in_every_format(
    tmp_path: Path, written: str, read: str
) -> None:
    path = lines_of(tmp_path, f'{{"text": "{written}", "in": ["{written}"]}}')
    for ending in (".csv", ".jsonl", ".parquet"):
        table, target = open_table(path), tmp_path / f"out{ending}"
        write_table(target, table.columns, (row.values for row in table))
        assert [row.values["text"] for row in open_table(target)] == [read]
    assert [row.values["in"] for row in open_table(path)] == [[read]]
    assert [example.text for example in read_examples(path, label_column=None)] == [read]


@pytest.mark.parametrize("number", ["1e99999999999999999999", "9" * 5000])
def test_a_number_beyond_all_bounds_spoils_its_row_only(tmp_path: Path, number: str) -> None:
    first, second = open_table(lines_of(tmp_path, f'{{"n": {number}}}', '{"n": 1}'))
    assert first.problem
    assert second.values == {"n": 1}


def test_what_json_has_no_word_for_becomes_null_at_any_depth(tmp_path: Path) -> None:
    target = written(lines_of(tmp_path, '{"n": NaN, "m": {"x": [Infinity, 1.5]}}'), ".jsonl")
    assert json.loads(target.read_text(), parse_constant=pytest.fail) == {
        "n": None,
        "m": {"x": [None, 1.5]},
    }


@pytest.mark.parametrize("content", ['[{"text": "a"}]', '\n  [\n{"text": "a"}\n]', '{\n"text": "a"\n}', "\ufeff[1]"])
def test_one_json_document_is_refused_with_the_command_that_makes_lines_of_it(tmp_path: Path, content: str) -> None:
    with pytest.raises(InvalidInput, match=r"must have an object a line: jq -c .* in\.jsonl > lines\.jsonl"):
        open_table(lines_of(tmp_path, content))


def test_texts_that_are_null_or_missing_are_told_apart(tmp_path: Path) -> None:
    first, second = open_table(lines_of(tmp_path, '{"text": null}', '{"other": 1}'))
    assert first.values == {"text": None}
    assert second.values == {"other": 1}


def test_a_number_that_no_float_equals_is_a_decimal(tmp_path: Path) -> None:
    values: list[Any] = [row.values["n"] for row in open_table(lines_of(tmp_path, '{"n": 0.1}', '{"n": 1e400}'))]
    assert values == [0.1, Decimal("1e400")]
