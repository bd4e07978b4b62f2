"""The tab *Batch* without a browser: the first rows of a file, and downloads that hold whatever was uploaded."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from gradio_ui.tabs.batch.analysis import Analysis, analyse, file_source, lines_source, uploaded_table, write_downloads
from gradio_ui.tabs.batch.preview import DELIMITER_CHOICES, QUOTING_CHOICES, preview
from sentiment.client.http import UndertoneClient
from sentiment.errors import InvalidInput
from sentiment.tables import open_table
from tests.fake_api import FakeApi
from tests.tiny_workbook import workbook


def made(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def analysed(path: Path, api: FakeApi | None = None, column: str = "text") -> Analysis:
    transport = httpx.WSGITransport(api or FakeApi())
    with UndertoneClient(attempts=1, transport=transport) as client:
        *_, analysis = analyse(client, file_source(path, column), None)
    return analysis


def test_the_first_rows_are_shown_as_they_were_read_and_how(tmp_path: Path) -> None:
    lines = "".join(f"{n};text {n}, <b>&\n" for n in range(1, 9))
    html = preview(uploaded_table(made(tmp_path / "in.csv", f"id;text\n{lines}")))
    assert '<th scope="col">id</th><th scope="col">text</th>' in html
    assert "<td>5</td><td>text 5, &lt;b&gt;&amp;</td>" in html
    assert "text 6" not in html
    assert "The first rows of 8; cells are parted by semicolons, quotes enclose cells." in html


def test_a_row_that_cannot_be_read_shows_why_among_the_first_rows(tmp_path: Path) -> None:
    html = preview(uploaded_table(made(tmp_path / "in.csv", 'id,text\n1,a\n2,"open\n3,b,c\n')))
    assert '<td colspan="2">Row 2 cannot be read (line 3): a quote is left open' in html
    assert "Row 3 has 3 cells, the header has 2 (line 4)" in html
    assert "All rows;" in html


def test_many_columns_and_long_cells_are_cut(tmp_path: Path) -> None:
    header = ",".join(f"c{n}" for n in range(12))
    html = preview(uploaded_table(made(tmp_path / "in.csv", f"{header}\n{'x' * 5000}{',' * 11}\n")))
    assert "4 more columns not shown" in html
    assert len(html) < 2000


def test_every_choice_on_the_page_is_one_that_files_are_read_with(tmp_path: Path) -> None:
    path = made(tmp_path / "in.csv", "text\na\n")
    for _, delimiter in DELIMITER_CHOICES:
        for _, quoting in QUOTING_CHOICES:
            assert uploaded_table(path, delimiter, quoting).row_count == 1


def test_downloads_hold_what_spreadsheets_would_run_as_texts_that_come_back_equal(tmp_path: Path) -> None:
    texts = ["=1+1 good", "@bob awful", "+1", "-1 bad", "'=so good"]
    path = made(tmp_path / "in.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts))
    csv, parquet = write_downloads(analysed(path), tmp_path)
    assert not [line for line in csv.read_text().splitlines() if line[0] in "=@"]
    assert [row.values["text"] for row in open_table(csv)] == texts
    assert pq.read_table(parquet)["text"].to_pylist() == texts


def test_bad_rows_of_any_format_are_in_both_downloads_with_their_reasons(tmp_path: Path) -> None:
    inner = pa.array([b"\xff", b"good"], pa.binary()).view(pa.string())
    pq.write_table(
        pa.table({"text": ["a", "b"], "tags": pa.ListArray.from_arrays(pa.array([0, 1, 2]), inner)}),
        tmp_path / "in.parquet",
    )
    for path in (
        tmp_path / "in.parquet",
        made(tmp_path / "in.jsonl", '{"text": "good", "line": 1}\n{"text"\n'),
        made(tmp_path / "in.xlsx", workbook([["n", "text"], ["=1+1", "a"], [5, "b"]])),
        made(tmp_path / "in.csv", 'text,n\n"open,1\nfine,2\n'),
    ):
        csv, parquet = write_downloads(analysed(path), tmp_path)
        problems = [row.values["problem"] for row in open_table(csv)]
        assert [bool(problem) for problem in problems].count(True) == 1, path
        assert pq.read_table(parquet)["problem"].to_pylist().count(None) == 1, path


def test_a_column_named_problem_is_kept(tmp_path: Path) -> None:
    csv, _ = write_downloads(analysed(made(tmp_path / "in.csv", "text,problem\ngood,mine\n")), tmp_path)
    (row,) = open_table(csv)
    assert (row.values["problem"], row.values["problem_2"]) == ("mine", "")


def test_the_same_file_read_in_another_way_has_other_ids(tmp_path: Path) -> None:
    path, api = made(tmp_path / "in.csv", "text;other\ngood;awful\n"), FakeApi()
    with UndertoneClient(attempts=1, transport=httpx.WSGITransport(api)) as client:
        for source in (
            file_source(path, "text"),
            file_source(path, "other"),
            file_source(path, "text;other", "none"),
        ):
            list(analyse(client, source, None))
    assert len(api.texts) == 3


def test_what_the_downloads_cannot_hold_is_known_before_the_first_text_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise InvalidInput("The column 'n' cannot be written as Parquet", "out")

    monkeypatch.setattr("sentiment.tables.parquet_files._arrow_array", fails)
    api = FakeApi()
    with pytest.raises(InvalidInput, match="column 'n' cannot be written"):
        analysed(made(tmp_path / "in.jsonl", '{"text": "good", "n": 1}\n'), api)
    assert api.requests == []


def test_a_file_that_unpacks_to_more_than_the_page_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    monkeypatch.setattr("gradio_ui.tabs.batch.analysis._LARGEST_UNPACKED_MB", 1)
    with pytest.raises(InvalidInput, match="more than 1 MB unpacked"):
        uploaded_table(made(tmp_path / "in.csv.gz", gzip.compress(b"text\n" + b"x" * 2**21)))


def test_pasted_lines_are_parted_where_a_line_ends_and_nowhere_else() -> None:
    texts = ["so\u2028good", "not\x0bbad", "\x85fine"]
    rows = list(lines_source("\n\r\n".join([*texts, "last\r"])).rows)
    assert [row.values["text"] for row in rows] == ["so\u2028good", "not\x0bbad", "fine", "last"]
