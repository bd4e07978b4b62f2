"""Adds the file and the rows to every error of a reading or scoring task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath

from sentiment.errors import InvalidInput, Unavailable, UndertoneError, no_room
from sentiment.tables import Row


@contextmanager
def naming_rows(where: str | Callable[[], str], source: str) -> Iterator[None]:
    """Translate any error of the block into one of the project's that names the file and its rows.

    `where` is a description of file and rows, or a function that returns it; `source` is the file, which an error of
    the project may name already.

    Raises:
        Unavailable: a disk is full, a file or a store cannot be reached, or memory ran out.
        InvalidInput: the file has unexpected content.
    """
    try:
        yield
    except UndertoneError as exc:
        _name_file(exc, source)
        raise
    except MemoryError as exc:
        raise Unavailable(f"{_description(where)}: memory ran out; free some, or give fewer --shard-rows") from exc
    except OSError as exc:
        raise no_room(exc) or Unavailable(f"{_description(where)}: {exc.strerror or reason_of(exc)}") from exc
    except Exception as exc:
        raise InvalidInput(f"{_description(where)}: {reason_of(exc)}. Correct it, or remove it.", "source") from exc


def rows_named(source: str, rows: Sequence[Row]) -> str:
    """Return the name of consecutive rows of a file for a message."""
    if len(rows) == 1:
        return f"row {rows[0].number} of {source}"
    return f"rows {rows[0].number} to {rows[-1].number} of {source}" if rows else source


def unfit_rows(rows: Sequence[Row], attempt: Callable[[Sequence[Row]], None]) -> dict[int, str]:
    """Return the numbers of the rows that fail, with the reasons; `attempt` raises if one of its rows fails.

    The rows are halved until each failing one is found. Errors of the project and of the system are raised: no row
    causes them.
    """
    try:
        attempt(rows)
    except (UndertoneError, OSError, MemoryError):
        raise
    except Exception as exc:  # noqa: BLE001 - any error may be a row's fault
        if len(rows) == 1:
            return {rows[0].number: reason_of(exc)}
        middle = len(rows) // 2
        return unfit_rows(rows[:middle], attempt) | unfit_rows(rows[middle:], attempt)
    return {}


def reason_of(exc: BaseException) -> str:
    """Return an error's type and the first line of its message."""
    first = next((line.strip() for line in str(exc).splitlines() if line.strip()), "")
    return f"{type(exc).__name__}: {first}".rstrip(": ").rstrip(".")


def _description(where: str | Callable[[], str]) -> str:
    return where if isinstance(where, str) else where()


def _name_file(exc: UndertoneError, source: str) -> None:
    """Let the error's message name the file with its path in the input folder, not by its last part alone."""
    name = PurePath(source).name
    message = str(exc)
    if isinstance(exc, InvalidInput) and source not in message:
        text = f"{source}{message.removeprefix(name)}" if message.startswith(name) else f"{source}: {message}"
        exc.args = (text, *exc.args[1:])
