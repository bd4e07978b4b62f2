"""What others depend on, a fact a line: HTTP, commands, settings and metrics, without descriptions.

python -m tests.repository.public_surface > tests/repository/public_surface.txt

The text beside this module is compared with the code by a test, so that a change of the surface is seen in review.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from inspect import getmembers, getsource, isclass, signature
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pydantic_core import PydanticUndefined
from ray.util.metrics import Metric
from typer.core import TyperCommand
from typer.main import get_command

ROOT = Path(__file__).parents[2]
#: Modules that run as `python -m` and where their `main` is.
JOBS = {
    "train_jobs.train": "train_jobs.train.__main__",
    "train_jobs.distill": "train_jobs.distill",
    "train_jobs.evaluate": "train_jobs.evaluate",
    "train_jobs.compare": "train_jobs.compare.comparison",
    "train_jobs.average": "train_jobs.average",
    "train_jobs.score": "train_jobs.score.run",
    "train_jobs.train.prepare": "train_jobs.train.prepare",
    "train_jobs.versions.register": "train_jobs.versions.register",
    "train_jobs.versions.import_model": "train_jobs.versions.import_model",
    "train_jobs.shipped_model.corpus_benchmark": "train_jobs.shipped_model.corpus_benchmark",
    "train_jobs.shipped_model.default_model": "train_jobs.shipped_model.default_model",
    "train_jobs.shipped_model.push_corpora": "train_jobs.shipped_model.push_corpora",
    "train_jobs.shipped_model.unlabelled_texts": "train_jobs.shipped_model.unlabelled_texts",
    "tune.search": "tune.search",
}
_PROSE = ("description", "summary", "title", "example", "examples")


class _ParserReached(BaseException):
    """Carries the parser that a command line would have been read by."""

    def __init__(self, parser: Any) -> None:
        super().__init__()
        self.parser = parser


def surface() -> list[str]:
    """Return all facts, sorted, as `place = JSON`."""
    facts = {**_http(), **_commands(), **_jobs(), **_settings(), **_metrics()}
    return [f"{place} = {json.dumps(fact, ensure_ascii=False)}" for place, fact in sorted(facts.items())]


def _http() -> dict[str, Any]:
    from sentiment.settings import Settings
    from serve_app.gateway.http.app import build_http_app
    from tests.unit.gateway.fake_parts import FakeParts, NoKeys, backend_of

    app = build_http_app(backend_of(FakeParts()), NoKeys(), Settings(), lambda *_: None, needs_key=False)
    document = _without_prose(app.openapi())
    schemas = document["components"]["schemas"].items()
    kinds = {place: fact for name, schema in schemas for place, fact in _schema(f"schema {name}", schema)}
    return kinds | {
        place: fact
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for place, fact in _operation(f"http {path} {method.upper()}", operation)
    }


def _operation(place: str, operation: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a route takes and answers; of what it refuses with, the statuses alone."""
    answers = operation.pop("responses")
    for parameter in operation.pop("parameters", []):
        yield f"{place} {parameter['in']} {parameter['name']}", parameter
    for kind, body in operation.pop("requestBody", {}).get("content", {}).items():
        yield from _schema(f"{place} body {kind}", body.get("schema", {}))
    yield f"{place} refuses", [status for status in answers if status >= "400"]
    for status in (status for status in answers if status < "400"):
        yield f"{place} {status}", answers[status].get("content", {})
    yield place, operation


def _schema(place: str, schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield an object as a line a field, anything else as one."""
    yield place, {name: value for name, value in schema.items() if name != "properties"}
    for name, kind in schema.get("properties", {}).items():
        yield f"{place} .{name}", kind


def _without_prose(node: Any, *, names: bool = False) -> Any:
    """Drop descriptions; the keys of `properties` and the like are names of fields, whatever they are."""
    if isinstance(node, list):
        return [_without_prose(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if names or key not in _PROSE}
    return {key: _without_prose(value, names=key in ("properties", "schemas", "paths")) for key, value in kept.items()}


def _commands() -> dict[str, Any]:
    from cli.main import app

    return dict(_options("undertone", get_command(app)))


def _options(place: str, command: Any) -> Iterator[tuple[str, Any]]:
    for parameter in command.params:
        name = max(parameter.opts, key=len)
        yield f"cli {place} {name}", _option(parameter)
    for name, child in getattr(command, "commands", {}).items():
        yield f"cli {place} {name}", {}
        yield from _options(f"{place} {name}", child)


def _option(parameter: Any) -> dict[str, Any]:
    """Return what a parameter of Typer's takes; what is as usual is left out."""
    kind = parameter.type_descriptor.annotation
    facts = {
        "also": sorted({*parameter.opts, *parameter.secondary_opts} - {max(parameter.opts, key=len)}),
        "type": "flag" if getattr(parameter, "is_flag", False) else _kind(kind),
        "min": parameter.min,
        "max": parameter.max,
        "default": _plain(parameter.default),
        "required": parameter.required,
        "multiple": getattr(parameter, "multiple", False) or parameter.nargs != 1,
        "env": parameter.envvar,
    }
    return {name: value for name, value in facts.items() if value not in (None, False, [], "")}


def _kind(annotation: Any) -> str:
    """Return a type by its name, and an enumeration by what it takes."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " | ".join(str(member.value) for member in annotation)
    return annotation.__name__ if type(annotation) is type else str(annotation)


def _plain(value: Any) -> Any:
    if value is None or callable(value) or value is PydanticUndefined:
        return None
    value = getattr(value, "value", value)
    return value if isinstance(value, bool | int | float | str) else str(value)


def _jobs() -> dict[str, Any]:
    return {fact: value for name, module in JOBS.items() for fact, value in _job(name, module)}


def _job(name: str, module: str) -> Iterator[tuple[str, Any]]:
    """Yield the options of a job: its `main` runs as far as the parser of its command line, and no further."""
    with _stopped_at_the_parser():
        try:
            importlib.import_module(module).main([])
        except _ParserReached as reached:
            parser = reached.parser
    if isinstance(parser, argparse.ArgumentParser):
        for action in (each for each in parser._actions if each.dest != "help"):
            yield f"job {name} {max(action.option_strings, key=len, default=action.dest)}", _action(action)
    else:
        yield from ((place.replace("cli", "job", 1), fact) for place, fact in _options(name, parser))


@contextmanager
def _stopped_at_the_parser() -> Iterator[None]:
    def stop(parser: Any, *_: Any, **__: Any) -> None:
        raise _ParserReached(parser)

    with patch.object(argparse.ArgumentParser, "parse_args", stop), patch.object(TyperCommand, "__call__", stop):
        yield


def _action(action: argparse.Action) -> dict[str, Any]:
    facts = {
        "also": sorted({*action.option_strings} - {max(action.option_strings, key=len, default="")}),
        "type": "flag" if action.nargs == 0 else getattr(action.type, "__name__", "str"),
        "choices": [str(choice) for choice in action.choices or ()],
        "default": _plain(action.default),
        "required": action.required,
        "multiple": action.nargs in ("+", "*") or isinstance(action, argparse._AppendAction),
    }
    return {name: value for name, value in facts.items() if value not in (None, False, [], "")}


def _settings() -> dict[str, Any]:
    from sentiment.settings import PREFIX, Settings

    schema = _without_prose(Settings.model_json_schema())["properties"]
    return {f"setting {PREFIX}{name.upper()}": fact for name, fact in schema.items()}


def _metrics() -> dict[str, Any]:
    """Return kind and labels of each metric, as Ray is told when it is made."""
    made: dict[str, Any] = {}

    def note(metric: Any, name: str, description: str = "", tag_keys: Any = None) -> None:
        made[f"metric {name}"] = [type(metric).__name__.lower(), *(tag_keys or ())]
        original(metric, name, description, tag_keys)

    original = Metric.__init__
    with patch.object(Metric, "__init__", note):
        for kind in _makers_of_metrics():
            required = [each for each in signature(kind).parameters.values() if each.default is each.empty]
            kind(*["1"] * len(required))
    return made


def _makers_of_metrics() -> Iterator[type]:
    """Yield the classes whose constructors make metrics."""
    for path in sorted(path for package in ("deployments", "serve_app") for path in (ROOT / package).rglob("*.py")):
        if "ray.util.metrics" in path.read_text(encoding="utf-8"):
            module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            kinds = [kind for _, kind in getmembers(module, isclass) if kind.__module__ == module.__name__]
            yield from (kind for kind in kinds if "undertone_" in getsource(kind))


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in surface()))
