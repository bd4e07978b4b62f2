"""Where in the input something failed: every failure of a reading or scoring task names its file and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath

from sentiment.errors import InvalidInput, Unavailable, UndertoneError, no_room
from sentiment.tables import Row


@contextmanager
def naming_rows(where: str | Callable[[], str], source: str) -> Iterator[None]:
    """Let whatever fails in the block be an error of the project's own that a person can place.

    `where` names file and rows, or says them when called; `source` is the file, which an own error may name already.

    Raises:
        Unavailable: a disk is full, a file or a store cannot be reached, or memory ran out.
        InvalidInput: the file holds what nobody foresaw.
    """
    try:
        yield
    except UndertoneError as exc:
        _name_file(exc, source)
        raise
    except MemoryError as exc:
        raise Unavailable(f"{_said(where)}: memory ran out; make room, or give fewer --shard-rows") from exc
    except OSError as exc:
        raise no_room(exc) or Unavailable(f"{_said(where)}: {exc.strerror or reason_of(exc)}") from exc
    except Exception as exc:
        raise InvalidInput(f"{_said(where)}: {reason_of(exc)}. Mend it, or take it out.", "source") from exc


def rows_named(source: str, rows: Sequence[Row]) -> str:
    """Return how rows of a file that follow each other are called in a message."""
    if len(rows) == 1:
        return f"row {rows[0].number} of {source}"
    return f"rows {rows[0].number} to {rows[-1].number} of {source}" if rows else source


def unfit_rows(rows: Sequence[Row], attempt: Callable[[Sequence[Row]], None]) -> dict[int, str]:
    """Return the rows, by number, that fail by themselves, with the reason; `attempt` raises for rows that fail.

    Halves them until each is found. Errors of the project's own and of the system are not a row's: they are raised.
    """
    try:
        attempt(rows)
    except (UndertoneError, OSError, MemoryError):
        raise
    except Exception as exc:  # noqa: BLE001 - what a row may be wrong in is not known beforehand
        if len(rows) == 1:
            return {rows[0].number: reason_of(exc)}
        middle = len(rows) // 2
        return unfit_rows(rows[:middle], attempt) | unfit_rows(rows[middle:], attempt)
    return {}


def reason_of(exc: BaseException) -> str:
    """Return the first line of an error's message, with the error's name where it says nothing itself."""
    first = next((line.strip() for line in str(exc).splitlines() if line.strip()), "")
    return f"{type(exc).__name__}: {first}".rstrip(": ").rstrip(".")


def _said(where: str | Callable[[], str]) -> str:
    return where if isinstance(where, str) else where()


def _name_file(exc: UndertoneError, source: str) -> None:
    """Let a message that names a file in a folder by its last name alone name it from the folder on."""
    name = PurePath(source).name
    message = str(exc)
    if isinstance(exc, InvalidInput) and source not in message:
        text = f"{source}{message.removeprefix(name)}" if message.startswith(name) else f"{source}: {message}"
        exc.args = (text, *exc.args[1:])
