"""What of a folder is data: tables, or texts in folders named by label. What is not is left out by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from sentiment.datasets.source.labelling import Labelling
from sentiment.errors import InvalidInput
from sentiment.tables import ENDINGS, is_hidden, is_table

#: Folders beside those of the labels whose texts nobody has labelled; aclImdb's is the first.
_UNLABELLED: Final = ("unsup", "unlabelled", "unlabeled")
_ARCHIVES: Final = (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".zst", ".7z", ".rar")
_MOST_NAMED: Final = 3


class TextFile(NamedTuple):
    """A file that holds one text, and its folder's name, which is the label."""

    label: str
    path: Path


@dataclass(frozen=True)
class FolderContents:
    """Either tables or text files, in the order of their names, and what else is there and is left out."""

    tables: Sequence[Path]
    texts: Sequence[TextFile]
    left_out: Sequence[str]


def look_through(folder: Path, labelling: Labelling, *, labelled: bool) -> FolderContents:
    """Return what of a folder is to be read. Hidden files (`sentiment.tables.is_hidden`) are not even counted.

    Tables in it are read, else the .txt files in its folders that are named by label. Without `labelled` their names
    do not matter, and the .txt files may lie in the folder itself.

    Raises:
        InvalidInput: nothing can be read, or a folder with texts is named for no label; the message says what to give.
    """
    entries = _visible(folder)
    if tables := [entry for entry in entries if is_table(entry.name) and entry.is_file()]:
        marked = [entry for entry in _entries(folder) if entry.name.startswith("_") and is_table(entry.name)]
        return FolderContents(tables, (), _named([*marked, *_without(entries, tables)]))
    by_folder = {entry: _texts_in(entry) for entry in entries if entry.is_dir()}
    filled = {entry: texts for entry, texts in by_folder.items() if texts}
    selected = _label_folders(folder, filled, labelling) if labelled else list(filled)
    texts = [TextFile(entry.name, path) for entry in selected for path in filled[entry]]
    if not texts and not labelled:
        texts = [TextFile("", path) for path in _texts_in(folder)]
        selected = [each.path for each in texts]
    if not texts:
        raise _nothing_in(folder, labelling, labelled=labelled)
    beside = _named(_without(entries, selected))
    return FolderContents((), texts, (*beside, *(name for entry in selected for name in _beside_texts(entry))))


def _label_folders(folder: Path, filled: dict[Path, list[Path]], labelling: Labelling) -> list[Path]:
    """Return the folders that are named by label; refuse others, unless they are left out on purpose."""
    recognised = [entry for entry in filled if labelling.knows(entry.name)]
    strange = [entry.name for entry in filled if entry not in recognised and entry.name.casefold() not in _UNLABELLED]
    if recognised and strange and not labelling.chooses:
        raise InvalidInput(
            f"In {folder} the folder {strange[0]!r} is not named after a label. Take it out, or name the folders to "
            "read and their meaning: --labels neg=negative,pos=positive.",
            "source",
        )
    return recognised


def _nothing_in(folder: Path, labelling: Labelling, *, labelled: bool) -> InvalidInput:
    """Return what to say of a folder that holds no data itself: which of its folders do, or what there should be."""
    if below := _folders_with(folder, lambda inner: any(map(is_table, _names_in(inner)))):
        return InvalidInput(f"{folder} has its tables in folders. Push them one by one: {below}.", "source")
    if below := _folders_with(folder, lambda inner: any(map(labelling.knows, _names_in(inner)))):
        return InvalidInput(
            f"{folder} itself holds no folders named by label; some of its folders do. Push them one by one: {below}.",
            "source",
        )
    return InvalidInput(_expected(folder, labelled=labelled), "source")


def _expected(folder: Path, *, labelled: bool) -> str:
    filled = [entry for entry in (folder, *_folders(folder)) if labelled and _texts_in(entry)]
    if folder in filled:
        return f"The texts in {folder} have no labels: say --unlabelled, or give the folder that holds neg and pos."
    if filled:
        return (
            f"In {folder} the folder {filled[0].name!r} is not named after a label. Give the folder that holds neg "
            "and pos, or name those to read and their meaning: --labels neg=negative,pos=positive. If the texts have "
            "no labels, say --unlabelled."
        )
    archives = [name for name in _names_in(folder) if name.lower().endswith(_ARCHIVES)]
    unpack = f" {archives[0]} is an archive: unpack it first." if archives else ""
    return (
        f"In {folder} there is nothing to read: neither files that end in {', '.join(ENDINGS)}, nor folders named by "
        f"label with .txt files in them.{unpack}"
    )


def _folders_with(folder: Path, holds: Callable[[Path], bool]) -> str:
    """Return the folders in `folder` that hold something, as they are to be given; empty if there are none."""
    fitting = [str(inner) for inner in _folders(folder) if holds(inner)]
    return ", ".join(fitting[:_MOST_NAMED]) + (" …" if len(fitting) > _MOST_NAMED else "")


def _without(entries: Sequence[Path], others: Sequence[Path]) -> list[Path]:
    excluded = set(others)
    return [entry for entry in entries if entry not in excluded]


def _named(entries: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of what is left out, of a folder with the number of its texts; empty folders are nothing."""
    return tuple(name for entry in entries if (name := _described(entry)))


def _described(entry: Path) -> str:
    if not entry.is_dir():
        return entry.name
    count = len(_texts_in(entry))
    return f"{entry.name}/ ({count:,} texts)" if count else f"{entry.name}/" if _visible(entry) else ""


def _beside_texts(folder: Path) -> list[str]:
    """Return the names of what lies in a label's folder and is no text."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        others = [each.name for each in entries if not _is_text(each) and not is_hidden(each.name)]
    return [f"{folder.name}/{name}" for name in _named([folder / name for name in sorted(others)])]


def _is_text(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(".txt") and entry.is_file()


def _texts_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = [each.name for each in entries if _is_text(each)]
    return [folder / name for name in sorted(names) if not is_hidden(name)]


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in _visible(folder) if entry.is_dir()]


def _names_in(folder: Path) -> list[str]:
    return [entry.name for entry in _visible(folder)]


def _visible(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if not is_hidden(entry.name)]


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
