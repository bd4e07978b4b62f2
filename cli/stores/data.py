"""`undertone data push|list|show|pull|diff|leaks`: dataset versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import Delimiter, Home, Json, QuotingOption
from cli.stores import data_report as report
from sentiment.datasets import DatasetStore, ReadProgress, open_datasets, read_examples
from sentiment.datasets.leaks.search import (
    DEFAULT_THRESHOLD,
    find_leaks,
    leak_keys,
    require_some,
    unique,
    without,
    write_leaks,
)
from sentiment.datasets.source.labelling import Labelling
from sentiment.datasets.split import parse_split, push_split
from sentiment.settings import load_settings
from sentiment.tables import AUTO

app = typer.Typer(help="Keep, look at and compare versions of datasets.", no_args_is_help=True)

Store = Annotated[
    str | None, typer.Option("--store", help="Folder or s3://bucket/prefix of the versions (UNDERTONE_DATASETS).")
]
Ref = Annotated[str, typer.Argument(help="A version: tweets@3, tweets@latest, or tweets for the latest.")]


Source = Annotated[str, typer.Argument(help="CSV, TSV, JSONL, Parquet or Excel file, a folder, or s3://…")]
Name = Annotated[str, typer.Option("--name", "-n", help="Name of the dataset.")]
TextColumn = Annotated[str, typer.Option("--text-column", "-c", help="Column of the texts.")]
LabelColumn = Annotated[str, typer.Option("--label-column", "-l", help="Column of the labels.")]
Unlabelled = Annotated[bool, typer.Option("--unlabelled", help="The texts have no labels.")]
Labels = Annotated[
    str | None,
    typer.Option(help="What values mean: negative,neutral,positive (0, 1, 2), 0=negative,4=positive, or a YAML file."),
]
SourceColumn = Annotated[str | None, typer.Option(help="Column that tells where a text is from.")]
LanguageColumn = Annotated[str | None, typer.Option(help="Column that tells a text's language.")]
Columns = Annotated[str | None, typer.Option(help="Names of the columns of a CSV without a header: a,b,c.")]
Encoding = Annotated[str, typer.Option(help="Encoding of CSV, JSONL and .txt files, such as latin-1.")]
Split = Annotated[str | None, typer.Option(help="Make NAME-train, -validation and -test: 0.8,0.1,0.1.")]
Seed = Annotated[int, typer.Option(help="Seed of --split.")]
Distinct = Annotated[bool, typer.Option("--unique", help="Of texts with the same words and emoji keep the first.")]
LeaveOut = Annotated[
    list[str] | None, typer.Option("--without", help="Leave out texts that stand in this version; repeatable.")
]
Parent = Annotated[str | None, typer.Option(help="The version that this one was made from.")]
OutFile = Annotated[Path | None, typer.Option("--out", "-o", help="File for all pairs: .csv, .jsonl or .parquet.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder, or .csv, .jsonl or .parquet file; ./NAME-3 if left out.")
]
Threshold = Annotated[float, typer.Option(help="Share of three-word runs that near duplicates have in common.")]
Near = Annotated[bool, typer.Option("--near/--no-near", help="Look for near duplicates too.")]


@app.command("push")
def push(
    source: Source,
    name: Name,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    unlabelled: Unlabelled = False,
    labels: Labels = None,
    source_column: SourceColumn = None,
    language_column: LanguageColumn = None,
    columns: Columns = None,
    encoding: Encoding = "utf-8",
    delimiter: Delimiter = AUTO,
    quoting: QuotingOption = AUTO,
    split: Split = None,
    seed: Seed = 42,
    distinct: Distinct = False,
    leave_out: LeaveOut = None,
    parent: Parent = None,
    store: Store = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Store texts as the next version of a dataset. A version never changes; the same data are not stored twice.

    User names, links and addresses are masked before anything is stored. Empty texts are left out and counted.

    Examples:

      undertone data push tweets.csv --name tweets --text-column text --label-column label

      undertone data push aclImdb/train --name reviews --without reviews-test

      undertone data push s3://raw/posts.parquet --name posts --split 0.8,0.1,0.1

      undertone data push training.1600000.csv --name sentiment140 --encoding latin-1
        --columns target,ids,date,flag,user,text --label-column target --labels 0=negative,4=positive
    """
    settings = load_settings(home=home, datasets=store)
    versions, progress = open_datasets(settings), ReadProgress()
    options = {
        "text_column": text_column,
        "label_column": None if unlabelled else label_column,
        "source_column": source_column,
        "language_column": language_column,
        "columns": [column.strip() for column in columns.split(",")] if columns else None,
        "labels": labels,
        "encoding": encoding,
        "delimiter": delimiter,
        "quoting": quoting,
    }
    examples = read_examples(source, endpoint=settings.s3_endpoint, progress=progress, **options)
    if leave_out:
        remaining = without(examples, {key for ref in leave_out for key in leak_keys(versions.read(ref))})
        examples = require_some(remaining, source)
    if distinct:
        examples = unique(examples)
    facts: dict[str, Any] = {"source": source, "parent": parent, "labels": Labelling(labels).label_set}
    with report.reading(progress, Path(source).name) as counted:
        if split:
            pushed = push_split(versions, name, counted(examples), parse_split(split, seed), **facts)
        else:
            pushed = [versions.push(name, counted(examples), **facts)]
    report.show_pushed(pushed, progress, as_json=as_json)


@app.command("list")
def show_all(
    name: Annotated[str | None, typer.Argument(help="Name of a dataset; all if left out.")] = None,
    store: Store = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List the versions, oldest first. Those that are damaged are not listed but named, with what is wrong.

    Example: undertone data list
    """
    versions = _open(home, store)
    names = [name] if name else versions.names()
    listed = [version for each in names for version in versions.versions(each)]
    report.show_list(listed, versions.damaged(name), versions.place, as_json=as_json)


@app.command("show")
def show(
    ref: Ref,
    check: Annotated[bool, typer.Option("--check", help="Read all of it and compare with its digests.")] = False,
    store: Store = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show what a version holds and where it came from.

    Example: undertone data show tweets@3 --check
    """
    versions = _open(home, store)
    version = versions.find(ref)
    rows = sum(1 for _ in versions.read(version)) if check else None
    report.show_version(version, versions.shards(version), rows, as_json=as_json)


@app.command("pull")
def pull(
    ref: Ref,
    out: Out = None,
    store: Store = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Copy a version to this machine, and check it: into the folder ./NAME-NUMBER, or to --out. Nothing is overwritten.

    Examples:

      undertone data pull tweets@latest

      undertone data pull tweets@3 --out tweets.csv
    """
    versions = _open(home, store)
    version = versions.find(ref)
    place = out or Path(f"{version.name}-{version.number}")
    report.show_pulling(version, place)
    report.show_pulled(version, versions.pull(version.ref, place), as_json=as_json)


@app.command("diff")
def diff(before: Ref, after: Ref, store: Store = None, home: Home = None, as_json: Json = False) -> None:
    """Tell which texts came, went or got another label from one version to another.

    Example: undertone data diff tweets@2 tweets@3
    """
    versions = _open(home, store)
    old, new = versions.find(before), versions.find(after)
    report.show_difference(old, new, versions.diff(old.ref, new.ref), as_json=as_json)


@app.command("leaks")
def leaks(
    first: Annotated[str, typer.Argument(help="The version that is trained on.")],
    second: Annotated[str, typer.Argument(help="The version that is tested on.")],
    threshold: Threshold = DEFAULT_THRESHOLD,
    near: Near = True,
    out: OutFile = None,
    store: Store = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Find texts of one version that stand in another too: the same, the same words, or nearly so.

    Example: undertone data leaks reviews-train reviews-test --out leaks.csv
    """
    versions = _open(home, store)
    train, test = versions.find(first), versions.find(second)
    progress = ReadProgress(total=train.rows + test.rows)
    with report.reading(progress, "Comparing") as counted:
        ours, theirs = (counted(versions.read(version), count=True) for version in (train, test))
        pairs = list(find_leaks(ours, theirs, threshold, near=near))
    if out:
        write_leaks(pairs, out)
    report.show_leaks(train, test, pairs, near=near, out=out, as_json=as_json)


def _open(home: Path | None, store: str | None) -> DatasetStore:
    return open_datasets(load_settings(home=home, datasets=store))
