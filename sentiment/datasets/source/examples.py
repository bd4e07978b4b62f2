"""Read examples from wherever data lie: tables, folders of them, folders named by label, S3. Row by row."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from sentiment.datasets.example import Example
from sentiment.datasets.source.folder import TextFile, look_through
from sentiment.datasets.source.labelling import Labelling, plain_cell
from sentiment.datasets.source.language_codes import language_code
from sentiment.errors import InvalidInput
from sentiment.tables import AUTO, Table, has_text_format, is_table, open_table, text_problem
from sentiment.tables.encoding import explained, open_text
from sentiment.tables.table import cell_of
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS

_SHOWN_EMPTY: Final = 5


@dataclass
class ReadProgress:
    """How far the reading of a source has come."""

    rows: int = 0
    total: int = 0
    """Rows of the file or the folder that is being read."""
    empty: int = 0
    """Rows without a text; they are left out."""
    empty_at: list[str] = field(default_factory=list)
    """Where the first few empty texts stand."""
    not_read: list[str] = field(default_factory=list)
    """Files and folders that lie beside the data."""


@dataclass(frozen=True)
class Format:
    """How to read a source: names of columns, labels as in `Labelling`; the rest as in `open_table`.

    `label_column` None: the texts have no labels. `columns`: the names that a CSV file's header does not give.
    """

    text_column: str = "text"
    label_column: str | None = "label"
    source_column: str | None = None
    language_column: str | None = None
    labels: str | None = None
    columns: Sequence[str] | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    quoting: str = AUTO

    def fitting(self, path: Path) -> Format:
        """Return the format for one file of several: without delimiter and quoting where a file has none."""
        return self if has_text_format(path) else replace(self, delimiter=None, quoting=AUTO)


def read_examples(
    path_or_uri: str | Path, *, endpoint: str | None = None, progress: ReadProgress | None = None, **options: Any
) -> Iterator[Example]:
    """Yield the examples of a file, of a folder, or of either at an s3:// address; `options` are those of `Format`.

    Files are CSV, TSV, JSONL or Parquet, by their ending. A folder holds such files, or a subfolder of .txt files for
    each label (as aclImdb/train does). Texts and sources are normalised; texts that are empty then are left out.
    `progress` counts the rows and the empty texts, and names what else lies in a folder. An empty label is None.

    Raises:
        InvalidInput: nothing there, not to be read, unknown format, missing column, other encoding, broken row, label
            or language without a meaning. It names the file, the row and the remedy.
        DatasetsUnavailable: the S3 server is away or refuses us.
    """
    form, progress = Format(**options), progress or ReadProgress()
    labelling = Labelling(form.labels)
    with _at_hand(str(path_or_uri), endpoint) as path, _readable(path):
        normalize = NORMALIZERS[CURRENT_NORMALIZER]
        for where, text, label, source, language in _rows(path, form, labelling, progress):
            progress.rows += 1
            if normal := normalize(text):
                yield Example(normal, label, normalize(source), language_code(language, where))
            else:
                progress.empty += 1
                if len(progress.empty_at) < _SHOWN_EMPTY:
                    progress.empty_at.append(where)


_Cells = tuple[str, str, str | None, str, str]  # where, text, label, source, language


@contextlib.contextmanager
def _at_hand(path_or_uri: str, endpoint: str | None) -> Iterator[Path]:
    if not path_or_uri.strip():
        raise InvalidInput("The source is empty: name a file, a folder or an s3:// address.", "source")
    if not path_or_uri.startswith("s3://"):
        path = Path(path_or_uri).expanduser()
        if not is_table(path.name) and not path.exists():
            raise InvalidInput(f"There is no file or folder {path}.", "source")
        yield path
        return
    from sentiment.datasets.source.s3 import fetch

    with tempfile.TemporaryDirectory(prefix="undertone-") as folder:
        path = fetch(path_or_uri, endpoint, Path(folder))
        try:
            yield path
        except InvalidInput as exc:  # it names the copy, which nobody gave
            exc.args = (str(exc).replace(str(path), path_or_uri.rstrip("/")), *exc.args[1:])
            raise


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn a file that the system does not let us read into InvalidInput that names it."""
    try:
        yield
    except OSError as exc:
        raise InvalidInput(f"{exc.filename or path} cannot be read ({exc.strerror or exc}).", "source") from exc


def _rows(path: Path, form: Format, labelling: Labelling, progress: ReadProgress) -> Iterator[_Cells]:
    if not path.is_dir():
        yield from _table_rows(path, form, labelling, progress)
        return
    contents = look_through(path, labelling, labelled=form.label_column is not None)
    progress.not_read.extend(contents.left_out)
    for table in contents.tables:
        yield from _table_rows(table, form.fitting(table), labelling, progress)
    progress.total += len(contents.texts)
    yield from _text_rows(path, contents.texts, form, labelling)


def _table_rows(path: Path, form: Format, labelling: Labelling, progress: ReadProgress) -> Iterator[_Cells]:
    table = open_table(
        path,
        form.encoding,
        form.columns,
        delimiter=form.delimiter,
        quoting=form.quoting,
        needed=[column for column in _roles(form).values() if column],
    )
    progress.total += table.row_count
    _require(table, form)
    for row in table.with_texts(*(column for column in _roles(form).values() if column)):
        where = f"Row {row.number} of {path.name}"
        if row.problem:
            colon = ":" * row.problem.startswith("'")  # what is wrong with a column, and not with the row
            raise InvalidInput(f"{where}{colon} {row.problem}. Correct it, or remove it.", "source")
        text, label, source, language = (row.values.get(column) if column else None for column in _roles(form).values())
        if problem := text_problem(text, form.text_column):
            raise InvalidInput(f"{where}: {problem}. Correct it, or remove it.", "source")
        yield where, plain_cell(text), labelling.read(label, where), plain_cell(cell_of(source)), plain_cell(language)


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
            table.require_a_row()
            otherwise = " If the texts have no labels, say --unlabelled." if role == "label" else ""
            if form.columns is None and has_text_format(table.path):
                otherwise += " If the file has no header, name its columns: --columns a,b,c."
            raise InvalidInput(
                f"{table.path.name} has no column {column!r} for the {role}. Its columns are: {table.column_names}. "
                f"Choose one with --{role}-column.{otherwise}",
                f"{role}_column",
            )


def _text_rows(path: Path, texts: Sequence[TextFile], form: Format, labelling: Labelling) -> Iterator[_Cells]:
    for label, file in texts:
        where = str(file.relative_to(path))
        with explained(file, form.encoding, "--encoding", name=where), open_text(file, form.encoding) as opened:
            text = opened.read()
        yield where, text, labelling.read(label, where) if form.label_column else None, "", ""
