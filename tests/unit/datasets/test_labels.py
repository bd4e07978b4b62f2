"""What values of labels mean: how they may be written, what `--labels` takes, and what it refuses."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq
from typer.testing import CliRunner

from cli.main import app
from sentiment.datasets import read_examples
from sentiment.datasets.source.label_spec import LabelSpec, parse_labels, value_key
from sentiment.datasets.source.labelling import Labelling
from sentiment.errors import InvalidInput

PAIRS = "2.0=positive,0=negative,1 star=negative,true=positive,FALSE=negative"


def label_of(raw: Any, spec: str | None = None) -> str | None:
    return Labelling(spec).read(raw, "Row 1 of t.csv")


@pytest.mark.parametrize(
    "written", [2, 2.0, "2", "2.0", " 2 ", "+2", "2.", "02", "2e0", "2.00 ", "２", "٢", Decimal("2.00")]
)
def test_a_number_is_the_same_however_it_is_written(written: Any) -> None:
    assert label_of(written, PAIRS) == "positive"
    assert label_of(written, "negative,neutral,positive") == "positive"


@pytest.mark.parametrize("written", ["-0", -0.0, "0.0", "−0", np.float32(0), np.int64(0), b"0"])
def test_a_zero_is_the_same_however_it_is_written(written: Any) -> None:
    assert label_of(written, PAIRS) == "negative"


@pytest.mark.parametrize("written", [True, np.True_, "true", "True", "TRUE", " true\u00a0", "\ufefftrue"])
def test_truth_values_are_the_same_however_they_are_written(written: Any) -> None:
    assert label_of(written, PAIRS) == "positive"


def test_truth_values_are_no_numbers_and_yes_is_no_truth_value() -> None:
    with pytest.raises(InvalidInput, match=r"'True'; --labels gives a meaning to 0, 1 only. Add True=…"):
        label_of(True, "0=negative,1=positive")
    with pytest.raises(InvalidInput, match="'yes'"):
        label_of("yes", PAIRS)


@pytest.mark.parametrize("written", ["1 star", "1 Star", "  1  STAR ", "1\u00a0star"])
def test_names_with_blanks_or_in_another_case_are_what_labels_maps(written: str) -> None:
    assert label_of(written, PAIRS) == "negative"


@pytest.mark.parametrize("written", ["positive", "Positive ", "POS", "\u200bpositive", "ＰＯＳＩＴＩＶＥ"])
def test_names_of_labels_need_no_spec(written: str) -> None:
    assert label_of(written) == "positive"


@pytest.mark.parametrize(
    "written", [None, "", "  ", float("nan"), Decimal("NaN"), "NaN", "null", "None", "N/A", "<NA>"]
)
def test_a_missing_label_is_none_with_any_spec(written: Any) -> None:
    assert [label_of(written, spec) for spec in (None, PAIRS, "negative,positive")] == [None] * 3


def test_a_word_for_a_missing_label_can_be_given_a_meaning() -> None:
    assert label_of("None", "none=neutral,bad=negative") == "neutral"


@pytest.mark.parametrize("written", ["3", "-1", "1.5", "1e99", "99999999999999999999"])
def test_a_number_that_has_no_place_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match=r"gives a meaning to 0 to 2 only"):
        label_of(written, "negative,neutral,positive")


def test_fractions_are_numbers_too_and_are_mapped_by_their_value() -> None:
    spec = "0.5=neutral,-1=negative,1=positive"
    assert [label_of(written, spec) for written in ("0.50", ".5", 0.5, "-1.0")] == ["neutral"] * 3 + ["negative"]


def test_numbers_and_names_that_are_mixed_are_named_as_they_stand_there() -> None:
    labelling = Labelling()
    labelling.read("positive", "Row 1")
    with pytest.raises(InvalidInput, match=r"Row 1 has 'positive', Row 2 has '2\.0'"):
        labelling.read("2.0", "Row 2")


def test_a_file_of_each_format_is_read_with_the_same_pairs(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\na,2.0\nb, TRUE \nc,0\nd,\n")
    (tmp_path / "t.jsonl").write_text(
        '{"text": "a", "label": 2.0}\n{"text": "b", "label": true}\n{"text": "c", "label": 0}\n'
        '{"text": "d", "label": null}\n'
    )
    numbers = pa.array([Decimal("2.0"), Decimal("2.0"), Decimal("0.0"), None])
    pq.write_table(pa.table({"text": ["a", "b", "c", "d"], "label": numbers}), tmp_path / "t.parquet")
    for name in ("t.csv", "t.jsonl", "t.parquet"):
        labels = [each.label for each in read_examples(tmp_path / name, labels=PAIRS)]
        assert labels == ["positive", "positive", "negative", None], name


def test_a_value_with_a_comma_or_a_quote_is_quoted_as_in_csv() -> None:
    spec = '"well, no"=negative, "say ""yes"""=positive,a=b=neutral'
    assert [label_of(raw, spec) for raw in ("Well, no", 'say "yes"', "a=b")] == ["negative", "positive", "neutral"]
    with pytest.raises(InvalidInput, match=r"""--labels '"no, thanks"'=positive"""):
        label_of("no, thanks")


@pytest.mark.parametrize(
    "yaml",
    [
        "no: negative\nwell, yes: positive\n1.0: neutral\n",
        '\ufeff"NO": neg\n? "well, yes"\n: POS\n+1: neu\n',
        '{"no": "negative", "well, yes": "positive", "1": "neutral"}',
    ],
)
def test_a_yaml_file_gives_each_value_its_label_as_it_is_written(tmp_path: Path, yaml: str) -> None:
    (tmp_path / "labels.yml").write_text(yaml)
    spec = parse_labels(str(tmp_path / "labels.yml"))
    assert spec.pairs == {"no": "negative", "well, yes": "positive", "1": "neutral"}


def test_a_yaml_list_says_what_the_numbers_mean(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text("- negative\n- positive\n")
    assert parse_labels(str(tmp_path / "labels.yaml")) == LabelSpec(names=("negative", "positive"))


@pytest.mark.parametrize(
    ("yaml", "reason"),
    [
        (b"", "neither values with their labels nor a list"),
        (b"{}", "neither values with their labels nor a list"),
        (b"positive", "neither values with their labels nor a list"),
        (b"4: happy\n", "'happy' is none of negative, neutral, positive"),
        (b"4: positive\n4.0: negative\n", "'4.0' stands there twice"),
        (b"positive: [4, 5]\n", "line 1: a value has one label, no list"),
        (b"0: negative\n[1, 2]: positive\n", "line 2: a value has one label, no list"),
        (b"a: negative\n b: positive\n", "is no YAML .line 2"),
        (b"a: negative\n---\nb: positive\n", "is no YAML"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[" * 5000, "cannot be read|is no YAML"),
        (b'"": positive\n', "no value stands before 'positive'"),
        (b"a: \n", "'' is none of"),
    ],
)
def test_a_yaml_file_that_gives_no_labels_is_refused_with_its_name(tmp_path: Path, yaml: bytes, reason: str) -> None:
    path = tmp_path / "labels.yaml"
    path.write_bytes(yaml)
    with pytest.raises(InvalidInput, match=rf"(?s)--labels .*labels\.yaml.*({reason})"):
        parse_labels(str(path))


def test_a_yaml_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.yaml: there is no such file"):
        parse_labels(str(tmp_path / "none.yaml"))
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(InvalidInput, match="cannot be read"):
        parse_labels(str(tmp_path / "folder.yaml"))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("negative,angry", "'angry' is none of"),
        ("0=negative,0.0=positive", "'0.0' stands there twice"),
        ("A=negative,a =positive", "'a' stands there twice"),
        ("positive,positive", "has a label twice"),
        ("", "'' is none of"),
        ("negative,positive,", "'' is none of"),
        ("0=negative,positive", "'0=negative' is none of"),
        ("=positive,0=negative", "no value stands before 'positive'"),
        ("0=negative\n1=positive", "is none of"),
    ],
)
def test_labels_that_make_no_sense_are_refused(spec: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=rf"(?s)--labels .*{reason}"):
        parse_labels(spec)


@pytest.mark.parametrize("value", ["", "positive", "1", "0.5", "1e300", "nan", "a, b", "-7"])
def test_the_form_of_a_value_is_its_own_form(value: str) -> None:
    assert value_key(value_key(value)) == value_key(value)


def test_folders_are_named_by_yaml_and_in_any_case(tmp_path: Path) -> None:
    for name in ("Happy, really/1.txt", "SAD/1.txt", "other/1.txt"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        (tmp_path / "set" / name).write_text("a film")
    (tmp_path / "labels.yaml").write_text("happy, really: positive\nsad: negative\n")
    examples = read_examples(tmp_path / "set", labels=str(tmp_path / "labels.yaml"))
    assert [each.label for each in examples] == ["positive", "negative"]


def test_a_push_takes_a_yaml_file_and_says_in_one_line_what_is_wrong_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERTONE_DATASETS", str(tmp_path / "sets"))
    (tmp_path / "t.csv").write_text('text,label\na,"Good, really"\nb,2.0\n')
    (tmp_path / "labels.yaml").write_text("good, really: positive\n2: negative\n")
    arguments = ["data", "push", str(tmp_path / "t.csv"), "--name", "t", "--labels"]
    pushed = CliRunner().invoke(app, [*arguments, str(tmp_path / "labels.yaml"), "--json"])
    assert '"balance": {"negative": 1, "positive": 1}' in pushed.stdout
    refused = CliRunner().invoke(app, [*arguments, str(tmp_path / "other.yaml")])
    assert (refused.exit_code, "Traceback" in refused.output) == (1, False)
    assert "other.yaml: there is no such file" in refused.stderr


def test_a_yaml_file_where_nothing_reads_yaml_is_answered_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(InvalidInput, match=r"labels\.yaml needs PyYAML to be read: pip install pyyaml"):
        parse_labels(str(tmp_path / "labels.yaml"))


def test_a_label_of_thousands_of_digits_is_refused_in_a_short_line() -> None:
    with pytest.raises(InvalidInput, match=r"Row 1 has the label '9{99}…', which is none of"):
        Labelling().read("9" * 5000, "Row 1")
    with pytest.raises(InvalidInput, match="has the label"):
        Labelling("negative,positive").read("9" * 5000, "Row 1")
