"""`undertone models …`: the versions in the registry: list, search, show, register, import, name the champion."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.extras import require_registering, require_train
from cli.online.connection import ApiKey, Url
from cli.online.version_activity import what_each_does, what_it_does_now
from cli.options import Home, Json
from cli.stores.registry import open_registry, with_registry
from cli.stores.version_tables import facts_table, problems, versions_table
from cli.terminal import print_table
from sentiment.datasets.source.label_spec import parse_labels
from sentiment.errors import InvalidInput
from sentiment.labels import LABEL_SETS
from sentiment.language import parse_languages
from sentiment.registry import (
    ALIASES,
    CHALLENGER,
    CHAMPION,
    ModelRef,
    RegisteredVersion,
    Registry,
    find_version,
    parse_query,
    parse_reference,
    search_versions,
)
from sentiment.settings import Settings, load_settings

app = typer.Typer(help="Look at the registered model versions, add some, name the champion.", no_args_is_help=True)
console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)

Name = Annotated[str | None, typer.Option("--name", help=f"Registered model: {', '.join(LABEL_SETS)}.")]
Version = Annotated[str, typer.Argument(help="8, champion, sentiment/8 or models:/sentiment/8.")]


@app.callback()
def models() -> None:
    """Look at the registered model versions, add some, name the champion."""


@app.command("list")
def show_all(
    search: Annotated[str | None, typer.Option(help="Conditions joined by `and`.")] = None,
    name: Name = None,
    home: Home = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """List the registered versions of a model, oldest first, and, where a platform answers, what each does there.

    Examples:

      undertone models list

      undertone models list --search 'metrics.validation_macro_recall > 0.7 and tags.dataset = "tweets@3"'
    """
    settings = _settings(home, name)
    if search:
        parse_query(search)
    with open_registry(settings) as registry:
        versions = registry.versions(settings.model_name)
        others = [each for other in LABEL_SETS if other != settings.model_name for each in registry.versions(other)]
    matching = search_versions(versions, search, others) if search else versions
    others = search_versions(others, search, versions) if search else others
    does = what_each_does(settings, url, api_key) if matching else {}
    if as_json:
        _print_json(
            [asdict(version) | what_it_does_now(does.get((version.name, version.version))) for version in matching]
        )
    elif matching:
        print_table(console, versions_table(matching, does))
        for line in problems(matching, does):
            console.print(line, style="red", markup=False, highlight=False)
    else:
        what = "meets the search" if versions else "is registered"
        console.print(f"No version of {settings.model_name} {what}.")
    for line in () if as_json else _under_other_names(others, search):
        errors.print(line, markup=False, highlight=False)


@app.command("show")
def show_one(version: Version, name: Name = None, home: Home = None, as_json: Json = False) -> None:
    """Show all that the registry knows of a version: lineage, gates, metrics.

    Example: undertone models show 8
    """
    settings = _settings(home, name)
    reference = parse_reference(version, settings.model_name)
    with open_registry(settings) as registry:
        row = find_version(registry, reference)
    _print_json(asdict(row)) if as_json else print_table(console, facts_table(row))


@app.command("register")
def register_version(
    source: Annotated[str, typer.Argument(help="A version's folder, or the id of the MLflow run that made one.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Register a version: its files are checked against its manifest, and its engine against its recorded answers.

    The registered model is the one of its label set. It serves nothing before it bears an alias.

    Examples:

      undertone models register build/default-model/full

      undertone models register 3f2b8c1d9e0a4b5c8d7e6f5a4b3c2d1e
    """
    require_registering()
    from train_jobs.versions.register import register

    with open_registry(load_settings(home=home)) as registry:
        registered = register(registry, source)
    _print_registered(registered, as_json)


@app.command("import")
def import_version(
    source: Annotated[str, typer.Argument(help="hf:OWNER/NAME of the Hugging Face hub, or a model's folder.")],
    labels: Annotated[
        str | None, typer.Option(help="Its labels in order, or NAME=label,… for each, or a YAML file of these.")
    ] = None,
    languages: Annotated[str, typer.Option(help="Languages that it reads: en,de or any.")] = "any",
    data: Annotated[str | None, typer.Option(help="Labelled dataset to calibrate it on, such as tweets@3.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Keep the version's folder there.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a Hugging Face classifier a version, with all engines, a manifest and a card, and register it.

    Examples:

      undertone models import hf:cardiffnlp/twitter-roberta-base-sentiment-latest --data tweets@3 --languages en

      undertone models import ./my-model --labels negative,neutral,positive

      undertone models import ./stars --labels "1 star=negative,2 stars=negative,3 stars=neutral,4 stars=positive,…"
    """
    require_train()
    from train_jobs.versions.import_model import import_and_register

    settings = load_settings(home=home)
    spec = parse_labels(labels) if labels is not None else None
    read = parse_languages(languages)
    with open_registry(settings) as registry:
        registered = import_and_register(registry, settings, source, labels=spec, languages=read, data=data, out=out)
    _print_registered(registered, as_json)


@app.command("average")
def average_versions(
    versions: Annotated[list[str], typer.Argument(help="Trained versions: folders, or models:/NAME/NUMBER.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model and its version.")],
    validation: Annotated[str | None, typer.Option(help="Data to choose on (what all were chosen on).")] = None,
    monitor: Annotated[str, typer.Option(help="What must not fall: macro_recall, macro_f1, accuracy or loss.")] = (
        "macro_recall"
    ),
    calibration: Annotated[
        str | None, typer.Option(help="temperature, or biases of the last layer too (as the first version's).")
    ] = None,
    recipe: Annotated[str, typer.Option(help="greedy: those that help on validation; uniform: all.")] = "greedy",
    register_it: Annotated[bool, typer.Option("--register", help="Register the version that is made.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Average the weights of versions trained from one start into a new version (a model soup).

    By default the best one comes first, and each next one stays if the mean does not get worse by it on validation.

    Example: undertone models average runs/a/version runs/b/version --out build/soup --register
    """
    require_train()
    from train_jobs.average import AverageConfig, run_averaging

    config = AverageConfig(tuple(versions), validation, monitor, calibration, register_it, recipe)
    outcome = run_averaging(with_registry(load_settings(home=home)), config, out)
    if as_json:
        _print_json(outcome)
    else:
        console.print(outcome["summary"], f"Version: {outcome['folder']}", sep="\n", markup=False)


@app.command("alias")
def alias(
    alias: Annotated[str | None, typer.Argument(help=f"{' or '.join(ALIASES)}.")] = None,
    version: Annotated[str | None, typer.Argument(help="The version that shall bear it.")] = None,
    remove: Annotated[str | None, typer.Option(help="Take this alias away instead.")] = None,
    name: Name = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a version the champion, which serves, or the challenger, which an automatic rollout starts with.

    Examples:

      undertone models alias champion 8

      undertone models alias --remove challenger
    """
    settings = _settings(home, name)
    reference = _alias_to_remove(settings, remove, alias) if remove else _alias_target(settings, alias, version)
    with open_registry(settings) as registry:
        changed = _remove(registry, reference) if remove else _set(registry, str(alias), reference)
    if as_json:
        _print_json(changed)
    elif changed["version"] is None:
        console.print(f"No version of {changed['name']} is the {changed['alias']} any more.")
    else:
        console.print(f"{changed['name']} version {changed['version']} is the {changed['alias']}.")
        if changed["alias"] == CHALLENGER and not settings.rollouts_automatic:
            console.print(
                f"Roll it out with: undertone rollout start {changed['version']} "
                "(a platform with UNDERTONE_ROLLOUTS_AUTOMATIC=1 does so itself)"
            )


def _settings(home: Path | None, name: str | None) -> Settings:
    """Return the settings with the registered model of `--name`. Raises InvalidInput for one that there is not."""
    if name is not None and name not in LABEL_SETS:
        raise InvalidInput(f"--name: there is no registered model {name!r}; there are {', '.join(LABEL_SETS)}.", "name")
    return load_settings(home=home, model_name=name)


def _under_other_names(versions: Sequence[RegisteredVersion], search: str | None) -> Iterator[str]:
    """Return how many of `versions` there are under each name, and how to list them."""
    for name, count in Counter(version.name for version in versions).items():
        where = "The search finds under another name" if search else "Registered under another name"
        yield f"{where}: {count} of {name} (see --name {name})."


def _alias_target(settings: Settings, alias: str | None, version: str | None) -> ModelRef:
    """Return the version that an alias is to be given to. Raises InvalidInput unless both are named."""
    if alias not in ALIASES or version is None:
        raise InvalidInput(f"Give an alias ({' or '.join(ALIASES)}) and a version: alias champion 8.", "alias")
    return parse_reference(version, settings.model_name)


def _alias_to_remove(settings: Settings, alias: str, also: str | None) -> ModelRef:
    """Return the alias that is to be taken away. Raises InvalidInput for any that must stay."""
    if also is not None:
        raise InvalidInput("--remove removes one alias and sets none; leave the other arguments out.", "remove")
    if alias not in ALIASES:
        raise InvalidInput(f"There is no alias {alias!r}; there are {', '.join(ALIASES)}.", "remove")
    if alias == CHAMPION:
        raise InvalidInput(
            "The champion serves, so its alias cannot be removed; move it to another version instead.", "remove"
        )
    return ModelRef(settings.model_name, alias)


def _set(registry: Registry, alias: str, reference: ModelRef) -> dict[str, Any]:
    """Give the alias to the version, and return what is so now."""
    row = find_version(registry, reference)
    registry.set_alias(row.name, alias, row.version)
    return {"name": row.name, "alias": alias, "version": row.version}


def _remove(registry: Registry, reference: ModelRef) -> dict[str, Any]:
    """Take the alias away, and return what is so now."""
    alias = str(reference.which)
    find_version(registry, reference)
    registry.remove_alias(reference.name, alias)
    return {"name": reference.name, "alias": alias, "version": None}


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def _print_registered(version: RegisteredVersion, as_json: bool) -> None:
    if as_json:
        _print_json(asdict(version))
        return
    console.print(f"Registered as {version.name} version {version.version} (digest {version.digest[:12]}).")
    console.print(f"Let it serve with: undertone models alias champion {version.name}/{version.version}")
