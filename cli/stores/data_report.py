"""What `undertone data` prints: tables for people, one line of JSON for programs."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cli.terminal import print_table
from sentiment.datasets import DatasetVersion, Example, ReadProgress
from sentiment.datasets.balance import missing_classes
from sentiment.datasets.difference import Difference
from sentiment.datasets.leaks.advice import advice
from sentiment.datasets.leaks.search import Leak, LeakKind

console = Console(soft_wrap=True)

_PROGRESS_ROWS: Final = 256
_SHOWN_LEAKS: Final = 5
_SHOWN_NAMES: Final = 12
_SHOWN_CHARACTERS: Final = 100

Counted = Callable[..., Iterator[Example]]


@contextlib.contextmanager
def reading(progress: ReadProgress, title: str) -> Iterator[Counted]:
    """Show a bar on stderr that follows `progress`; yield a function through which the examples are to be drawn.

    That function counts them in `progress` itself if `count` is true.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    stderr = Console(stderr=True)
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bars:
        bar = bars.add_task(title, total=None)

        def counted(examples: Iterable[Example], *, count: bool = False) -> Iterator[Example]:
            """Pass examples on; the bar moves with the progress, not with each of them."""
            for index, example in enumerate(examples):
                progress.rows += count
                if index % _PROGRESS_ROWS == 0:
                    bars.update(bar, total=progress.total or None, completed=progress.rows)
                yield example

        yield counted


def show_pushed(versions: Sequence[DatasetVersion], progress: ReadProgress, *, as_json: bool) -> None:
    """Show which versions were pushed, and which texts were left out."""
    left_out = progress.rows - progress.empty - sum(version.rows for version in versions)
    warnings = list(_missing_classes(versions))
    if as_json:
        pushed = [_brief(version) for version in versions]
        counts = {"read": progress.rows, "empty": progress.empty, "left_out": left_out}
        _print_json({"versions": pushed, **counts, "not_read": progress.not_read, "warnings": warnings})
        return
    print_table(console, _table(versions))
    _say_not_read(progress.not_read)
    if progress.empty:
        _say(
            f"{progress.empty:,} empty texts were left out: {', '.join(progress.empty_at)}{' …' * (progress.empty > 5)}"
        )
    if left_out:
        _say(f"{left_out:,} texts were left out: repeated ones (--unique), or those of another version (--without).")
    for warning in warnings:
        _say(warning, style="yellow")


def _missing_classes(versions: Sequence[DatasetVersion]) -> Iterator[str]:
    """Return what to tell of classes that a version lacks; of a split, those of the part that is trained on first."""
    train, *others = versions
    balances = {version.ref: version.balance for version in others}
    if others:
        yield from missing_classes(train.labels, train.balance, balances, train.ref)
    for version in others or versions:
        if missing := [label for label in version.labels if label not in version.balance]:
            yield f"{version.ref} has no example that is {', '.join(missing)}."


def _say_not_read(names: Sequence[str]) -> None:
    """Name the files beside the data that were not read, and how to push their texts."""
    if not names:
        return
    more = len(names) - _SHOWN_NAMES
    others = f" and {more:,} more" if more > 0 else ""
    hint = " (texts without a label can be pushed by themselves, with --unlabelled)" if "texts)" in str(names) else ""
    _say(f"Left out beside the data: {', '.join(names[:_SHOWN_NAMES])}{others}{hint}.")


def show_list(versions: Sequence[DatasetVersion], damaged: Sequence[str], place: str, *, as_json: bool) -> None:
    """List versions, and name those that are damaged."""
    if as_json:
        _print_json({"versions": [_brief(version) for version in versions], "damaged": list(damaged)})
        return
    if versions:
        print_table(console, _table(versions))
    else:
        _say(f"No dataset version is in {place}. Make one: undertone data push FILE --name NAME")
    for problem in damaged:
        _say(problem, style="red")


def show_version(version: DatasetVersion, shards: Sequence[str], checked_rows: int | None, *, as_json: bool) -> None:
    """Show all that the manifest says."""
    if as_json:
        _print_json(
            version.to_json() | {"ref": version.ref, "files": list(shards), "checked": checked_rows is not None}
        )
        return
    table = Table(title=version.ref, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    size = sum(shard.bytes for shard in version.shards)
    facts = {
        "rows": f"{version.rows:,}",
        "labels": _balance(version.balance),
        "source": version.source,
        "parent": version.parent or "none",
        "made": version.created_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "normaliser": version.normalizer,
        "digest": version.digest,
        "files": f"{len(shards)}, {size / 1024:,.0f} KiB together, the first:",
    }
    for fact, value in facts.items():
        table.add_row(fact, Text(value, overflow="fold"))
    print_table(console, table)
    _say(shards[0])
    if checked_rows is not None:
        _say(f"All {checked_rows:,} rows were read; every file has its digest.")


def show_pulling(version: DatasetVersion, out: Path) -> None:
    """Say on standard error what is about to be copied where."""
    Console(stderr=True, soft_wrap=True).print(
        f"Copying {version.ref} ({version.rows:,} rows) to {_place(out)} …", markup=False, highlight=False
    )


def _place(out: Path) -> str:
    return str(out) if out.is_absolute() else f"./{out}"


def show_pulled(version: DatasetVersion, out: Path, *, as_json: bool) -> None:
    """Say where the copy is."""
    if as_json:
        _print_json(_brief(version) | {"out": str(out)})
    else:
        _say(f"{version.ref}, {version.rows:,} rows, is in {_place(out)}; every file had its digest.")


def show_difference(before: DatasetVersion, after: DatasetVersion, difference: Difference, *, as_json: bool) -> None:
    """Show which texts were added, removed or labelled otherwise."""
    if as_json:
        relabelled = [
            {"before": label_before, "after": label_after, "rows": rows}
            for (label_before, label_after), rows in difference.relabelled.items()
        ]
        counts = {"kept": difference.kept, "added": dict(difference.added), "removed": dict(difference.removed)}
        _print_json({"before": before.ref, "after": after.ref, **counts, "relabelled": relabelled})
        return
    _say(f"{before.ref} has {before.rows:,} rows, {after.ref} {after.rows:,}; {difference.kept:,} are the same.")
    _say_change("added", difference.added, difference.added_texts)
    _say_change("removed", difference.removed, difference.removed_texts)
    changes = {
        f"{label_before or 'none'} to {label_after or 'none'}": rows
        for (label_before, label_after), rows in sorted(difference.relabelled.items())
    }
    _say_change("relabelled", changes, difference.relabelled_texts)


def show_leaks(
    train: DatasetVersion, test: DatasetVersion, pairs: Sequence[Leak], *, near: bool, out: Path | None, as_json: bool
) -> None:
    """Count the leaks by kind, and show the first near ones, which need a look.

    `near` tells whether near ones were looked for (JSON has null for their number if not), `out` where all pairs are.
    """
    counts = Counter(leak.kind for leak in pairs)
    texts = len({leak.text for leak in pairs})
    if as_json:
        kinds = {kind.name.lower(): counts[kind] if near or kind is not LeakKind.NEAR else None for kind in LeakKind}
        facts = {"first": train.ref, "second": test.ref, "rows": len(pairs), "texts": texts, **kinds}
        _print_json(facts | {"advice": advice(train, test, pairs, near=near)})
        return
    if out:
        _say(f"All {len(pairs):,} pairs are in {out}.")
    if not pairs:
        unsought = "" if near else "; nearly the same ones were not looked for"
        _say(f"No text of {test.ref} stands in {train.ref}{unsought}.")
        return
    _say(f"{len(pairs):,} of the {test.rows:,} rows of {test.ref} ({texts:,} texts) stand in {train.ref} too:")
    meanings = {
        LeakKind.EXACT: "the same text",
        LeakKind.SAME_WORDS: "the same words (case, punctuation, names and links aside)",
        LeakKind.NEAR: "nearly the same",
    }
    for kind, meaning in meanings.items():
        if near or kind is not LeakKind.NEAR:
            _say(f"{counts[kind]:>8,}  {meaning}")
        else:
            _say(f"          {meaning}: not looked for (--near)")
    for leak in [leak for leak in pairs if leak.kind is LeakKind.NEAR][:_SHOWN_LEAKS]:
        _say(f"{leak.overlap:.2f}  row {leak.row}: {_short(leak.text)}")
        _say(f"      row {leak.first_row}: {_short(leak.first_text)}")
    for line in advice(train, test, pairs, near=near):
        _say(line)


def _table(versions: Iterable[DatasetVersion]) -> Table:
    table = Table("Version", "Rows", "Labels", "Made", "Parent", "Digest", box=None, padding=(0, 2, 0, 0))
    table.columns[0].no_wrap, table.columns[1].justify = True, "right"
    for version in versions:
        created = version.created_at.strftime("%Y-%m-%d %H:%M")
        balance = _balance(version.balance)
        table.add_row(version.ref, f"{version.rows:,}", balance, created, version.parent or "", version.digest[:12])
    return table


def _balance(balance: Mapping[str, int]) -> str:
    """Return how often each label stands there, in words."""
    return ", ".join(f"{label or 'unlabelled'} {rows:,}" for label, rows in balance.items())


def _brief(version: DatasetVersion) -> dict[str, Any]:
    """Return what JSON tells of a version: all but its shards, and its reference."""
    return {key: value for key, value in version.to_json().items() if key != "shards"} | {"ref": version.ref}


def _say_change(what: str, counts: Mapping[str, int], texts: Sequence[str]) -> None:
    """Tell of texts that changed in one way, with examples; nothing where none did."""
    if counts:
        _say(f"{sum(counts.values()):,} {what}: {_balance(counts)}. For example:")
        for text in texts:
            _say(f"    {_short(text)}")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _say(line: str, style: str | None = None) -> None:
    console.print(line, markup=False, highlight=False, style=style)


def _print_json(values: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(values, ensure_ascii=False))
