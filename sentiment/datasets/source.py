"""Read examples from wherever data lie: tables, folders of them, folders named by label, S3. Row by row."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sentiment.datasets.example import Example
from sentiment.datasets.labelling import Labelling, plain_cell
from sentiment.errors import InvalidInput
from sentiment.tables import ENDINGS, Table, open_table
from sentiment.tables.encoding import explained, open_text
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS

_SHOWN_EMPTY: Final = 5


@dataclass
class Tally:
    """How far reading has come. `total` counts the rows of the file, or of the folder, that is being read.

    Empty texts are left out: `empty` counts them, `empty_at` names the first few.
    """

    rows: int = 0
    total: int = 0
    empty: int = 0
    empty_at: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Format:
    """How to read a source: names of columns, labels as in `Labelling`, encoding.

    `label_column` None: the texts have no labels. `columns`: the names that a CSV file's header does not give.
    """

    text_column: str = "text"
    label_column: str | None = "label"
    source_column: str | None = None
    language_column: str | None = None
    labels: str | None = None
    columns: Sequence[str] | None = None
    encoding: str = "utf-8"


def read_examples(
    path_or_uri: str | Path, *, endpoint: str | None = None, tally: Tally | None = None, **options: Any
) -> Iterator[Example]:
    """Yield the examples of a file, of a folder, or of either at an s3:// address; `options` are those of `Format`.

    Files are CSV, TSV, JSONL or Parquet, by their ending. A folder holds such files, or a subfolder of .txt files for
    each label (as aclImdb/train does). Texts are normalised; those that are empty then are left out, and `tally` tells
    how many. An empty label is None.

    Raises:
        InvalidInput: nothing there, unknown format, missing column, other encoding, broken row, label without a
            meaning. It names the file, the row and the remedy.
        DatasetsUnavailable: the S3 server is away or refuses us.
    """
    form, tally = Format(**options), tally or Tally()
    labelling = Labelling(form.labels)
    with _at_hand(str(path_or_uri), endpoint) as path:
        normalize = NORMALIZERS[CURRENT_NORMALIZER]
        for where, text, label, source, language in _rows(path, form, labelling, tally):
            tally.rows += 1
            if normal := normalize(text):
                yield Example(normal, label, source, language)
            else:
                tally.empty += 1
                if len(tally.empty_at) < _SHOWN_EMPTY:
                    tally.empty_at.append(where)


_Cells = tuple[str, str, str | None, str, str]  # where, text, label, source, language


@contextlib.contextmanager
def _at_hand(path_or_uri: str, endpoint: str | None) -> Iterator[Path]:
    if not path_or_uri.startswith("s3://"):
        yield Path(path_or_uri).expanduser()
        return
    from sentiment.datasets.s3_source import fetch

    with tempfile.TemporaryDirectory(prefix="undertone-") as folder:
        yield fetch(path_or_uri, endpoint, Path(folder))


def _rows(path: Path, form: Format, labelling: Labelling, tally: Tally) -> Iterator[_Cells]:
    if not path.is_dir():
        yield from _table_rows(path, form, labelling, tally)
    elif tables := sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS and file.is_file()):
        for table in tables:
            yield from _table_rows(table, form, labelling, tally)
    else:
        yield from _folder_rows(path, form, labelling, tally)


def _table_rows(path: Path, form: Format, labelling: Labelling, tally: Tally) -> Iterator[_Cells]:
    table = open_table(path, form.encoding, form.columns)
    tally.total += table.row_count
    _require(table, form)
    for row in table:
        where = f"Row {row.number} of {path.name}"
        if row.problem:
            raise InvalidInput(f"{where} {row.problem}. Mend it, or take it out.", "source")
        text, label, source, language = (row.values.get(column) if column else None for column in _roles(form).values())
        yield where, plain_cell(text), labelling.read(label, where), plain_cell(source), plain_cell(language)


def _roles(form: Format) -> dict[str, str | None]:
    return {
        "text": form.text_column,
        "label": form.label_column,
        "source": form.source_column,
        "language": form.language_column,
    }


def _require(table: Table, form: Format) -> None:
    for role, column in _roles(form).items():
        if column and column not in table.columns:
            there = ", ".join(map(repr, table.columns)) or "none"
            otherwise = " If the texts have no labels, say --unlabelled." if role == "label" else ""
            if form.columns is None and table.path.suffix.lower() in (".csv", ".tsv"):
                otherwise += " If the file has no header, name its columns: --columns a,b,c."
            raise InvalidInput(
                f"{table.path.name} has no column {column!r} for the {role}. Its columns are: {there}. Choose one "
                f"with --{role}-column.{otherwise}",
                f"{role}_column",
            )


def _folder_rows(path: Path, form: Format, labelling: Labelling, tally: Tally) -> Iterator[_Cells]:
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if labelling.chooses:
        folders = [folder for folder in folders if labelling.knows(folder.name)]
    elif strange := [folder.name for folder in folders if not labelling.knows(folder.name)]:
        raise InvalidInput(
            f"In {path} the folder {strange[0]!r} has not the name of a label. Give the folder that holds neg and pos, "
            "or name those to read and their meaning: --labels neg=negative,pos=positive.",
            "source",
        )
    files = [(folder, file) for folder in folders for file in sorted(folder.glob("*.txt"))]
    if not files:
        endings = ", ".join(ENDINGS)
        raise InvalidInput(
            f"In {path} there is nothing to read: neither files that end in {endings}, nor folders named by label "
            "with .txt files in them.",
            "source",
        )
    tally.total += len(files)
    for folder, file in files:
        where = f"{folder.name}/{file.name}"
        with explained(file, form.encoding, "--encoding"), open_text(file, form.encoding) as opened:
            text = opened.read()
        yield where, text, labelling.read(folder.name, where) if form.label_column else None, "", ""
