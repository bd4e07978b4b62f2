"""Options of jobs, each declared once: a field of a dataclass is an option of `undertone JOB` and of its module."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo

from sentiment.errors import InvalidInput
from sentiment.tables import AUTO, DELIMITERS, Quoting, delimiter_of

_ADDRESS: Final = "Dashboard of a Ray cluster to run on: http://HOST:8265; for python -m, a node to join: HOST:6379."


def _checked(option: str) -> str:
    try:
        delimiter_of(option)
    except InvalidInput as exc:
        raise typer.BadParameter(str(exc)) from exc
    return option


Address = Annotated[str | None, typer.Option(help=_ADDRESS)]
WorkingDir = Annotated[str | None, typer.Option(help="Folder of code for the cluster, if not what is installed there.")]
Home = Annotated[Path | None, typer.Option(help="Folder of the platform's data (UNDERTONE_HOME, ~/.undertone).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Config = Annotated[str | None, typer.Option(help="YAML file with the configuration, as a run stores and tune writes.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE of the configuration; repeatable.")]
Workers = Annotated[int, typer.Option(min=1, help="Data-parallel workers.")]
Gpus = Annotated[float, typer.Option("--gpus-per-worker", min=0, help="GPUs of each worker.")]
Delimiter = Annotated[
    str,
    typer.Option(
        callback=_checked,
        help=f"What stands between the cells of CSV and TSV files: a character, or {', '.join((AUTO, *DELIMITERS))}.",
    ),
]
QuotingOption = Annotated[
    Quoting,
    typer.Option(
        "--quoting",
        help="Quotes in CSV and TSV files: none, they are characters; all, they enclose each cell that begins with "
        "one, in a .tsv too; auto, the file tells.",
    ),
]

OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """Where a command runs its job, where it finds settings, and how it tells what came of it."""

    address: Address = None
    working_dir: WorkingDir = None
    home: Home = None
    as_json: Json = False


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command as Typer reads it: each field of the classes of its parameters is an option.

    Fields that a class has of its own stand before those that it shares with others.
    """
    kinds = {name: kind.annotation for name, kind in inspect.signature(command, eval_str=True).parameters.items()}

    @wraps(command)
    def called(**given: Any) -> None:
        """Gather the fields again."""
        command(**{name: kind(**{field: given[field] for field in _hints(kind)}) for name, kind in kinds.items()})

    keywords = [parameter for kind in kinds.values() for parameter in _parameters(kind)]
    called.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in keywords}
    return called


def read_options(kind: type[OptionsT], program: str, description: str, arguments: Sequence[str]) -> OptionsT:
    """Return the options of a command line, as `kind` declares them.

    Raises:
        SystemExit: help was asked for (0), or something in them is wrong, which is told on standard error (2).
    """
    read: list[OptionsT] = []

    def take(options: kind) -> None:  # type: ignore[valid-type]
        read.append(options)

    take.__annotations__["options"] = kind
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(help=description, context_settings={"help_option_names": ["-h", "--help"]})(with_options(take))
    try:
        typer.main.get_command(app)(args=list(arguments), prog_name=program)
    except SystemExit:
        if not read:
            raise
    return read[0]


def words_of(options: Any) -> list[str]:
    """Return the command line of which `read_options` makes these options; what is as by default is left out."""
    hints = _hints(type(options))
    given = ((field, getattr(options, field.name)) for field in fields(options))
    return [
        word
        for field, value in given
        if value != field.default
        for word in _words(field.name, get_args(hints[field.name])[1], value)
    ]


def _words(name: str, declared: Any, value: Any) -> Iterator[str]:
    """Yield an option of a command line as Typer declares it."""
    if isinstance(declared, ArgumentInfo):
        yield str(value)
        return
    spellings = map(str, (declared.default, *(declared.param_decls or ())))  # in Annotated, the first stands there
    option = next((word for word in spellings if word.startswith("--")), f"--{name.replace('_', '-')}")
    if isinstance(value, bool):
        yield option if value else option.replace("--", "--no-", 1)
        return
    for each in value if isinstance(value, list) else [value]:
        yield from (option, str(each))


def _parameters(kind: type) -> list[inspect.Parameter]:
    """Return the fields of a dataclass as parameters, those of the class itself before those of its bases."""
    hints = _hints(kind)
    defaults = {field.name: field.default for field in fields(kind)}
    ordered = [name for each in kind.__mro__ for name in vars(each).get("__annotations__", {})]
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if defaults[name] is MISSING else defaults[name],
            annotation=hints[name],
        )
        for name in dict.fromkeys(ordered)
    ]


def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)
