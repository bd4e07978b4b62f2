"""Search of versions by conditions, and the ways to name one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sentiment.errors import Conflict, InvalidInput, ModelRejected, NotFound
from sentiment.labels import TWO_CLASSES
from sentiment.registry import (
    Lineage,
    ModelRef,
    RegisteredVersion,
    find_version,
    gate_tags,
    parse_reference,
    require_label_set,
    resolve_model,
    search_versions,
)
from sentiment.settings import Settings
from sentiment.version import read_version
from tests.fake_registry import FakeRegistry
from tests.tiny_model import build_tiny_version

LABELS = ("negative", "neutral", "positive")


def version(
    number: int, recall: float | None, *aliases: str, origin: str = "trained", **tags: str
) -> RegisteredVersion:
    metrics = {} if recall is None else {"macro_recall": recall}
    return RegisteredVersion("sentiment", number, aliases, f"{number:064x}", LABELS, origin, number, metrics, tags)


VERSIONS = [
    version(1, 0.65, origin="shipped"),
    version(2, 0.71, "champion", dataset="tweets@3"),
    version(3, None, "challenger", origin="imported", dataset="tweets@3"),
]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("metrics.macro_recall > 0.7", [2]),
        ("metrics.macro_recall>=0.65", [1, 2]),
        ("metrics.macro_recall < 0.7 and origin = 'shipped'", [1]),
        ("origin != imported", [1, 2]),
        ("tags.dataset = 'tweets@3'", [2, 3]),
        ('tags.dataset = "tweets@3" AND version > 2', [3]),
        ("alias = champion", [2]),
        ("alias != 'champion'", [1, 3]),
        ("tags.teacher = x", []),
        ("tags.dataset != 'tweets@3'", []),
        (f"digest = {2:064x}", [2]),
        (f"digest = {'0' * 12}", [1, 2, 3]),
        (f"digest = 'SHA256:{'0' * 12}'", [1, 2, 3]),
        (f"digest != {2:064x}", [1, 3]),
        ("digest = 12345678", []),
        ("tags.origin = 'imported'", [3]),
        (f"tags.digest = {3:064x}", [3]),
        ("tags.alias = champion and tags.version > 1", [2]),
        ("tags.metrics.macro_recall > 0.7", [2]),
        ("labels = 'positive, neutral, negative'", [1, 2, 3]),
        ("tags.labels != 'negative,neutral,positive'", []),
        ("labels = 'negative,positive'", []),
    ],
)
def test_a_search_finds_the_versions_that_meet_all_conditions(query: str, numbers: list[int]) -> None:
    assert [found.version for found in search_versions(VERSIONS, query)] == numbers


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("metrics.macro_recal > 0.7", "macro_recall"),
        ("metrics.macro_recall > much", "much"),
        (
            "tags.nope = x",
            r"No version has a tag 'nope'; there are dataset, dataset_digest, git_commit, parent, run_id, teacher\.",
        ),
        ("tags.origin > imported", "origin is text"),
        ("tags.version = one", "version is compared with a number"),
        ("digest = 1234567", "first 8 digits or more .*'1234567'"),
        ("tags.digest = tweets@3", "first 8 digits or more"),
        ("recall > 0.7", "metrics.NAME"),
        ("origin > 'shipped'", "origin"),
        ("metrics.macro_recall", "metrics.macro_recall"),
        ("version = 1 or version = 2", "and"),
        ("", "conditions"),
    ],
)
def test_a_search_that_cannot_be_read_says_where_and_what_may_stand_there(query: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        search_versions(VERSIONS, query)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("8", ModelRef("sentiment", 8)),
        ("champion", ModelRef("sentiment", "champion")),
        ("sentiment-reviews/3", ModelRef("sentiment-reviews", 3)),
        ("models:/sentiment/8", ModelRef("sentiment", 8)),
        ("models:/sentiment-reviews@challenger", ModelRef("sentiment-reviews", "challenger")),
    ],
)
def test_a_version_is_named_by_number_or_alias(text: str, ref: ModelRef) -> None:
    assert parse_reference(text, "sentiment") == ref
    assert parse_reference(str(ref), "sentiment-reviews") == ref


@pytest.mark.parametrize("text", ["best", "models:/toxicity/3", "sentiment/", "models:/a/b/c", "-1", ""])
def test_what_names_no_version_is_refused_with_its_own_words(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_reference(text, "sentiment")
    assert repr(text) in str(caught.value)


def test_a_version_that_there_is_not_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    registry = FakeRegistry()
    with pytest.raises(NotFound, match="undertone models register"):
        find_version(registry, ModelRef("sentiment", 1))
    registry.register(read_version(build_tiny_version(tmp_path / "one")), "trained")
    registry.set_alias("sentiment", "champion", 1)
    with pytest.raises(NotFound, match=r"version 99.*1 \(champion\)"):
        find_version(registry, ModelRef("sentiment", 99))
    with pytest.raises(NotFound, match="'challenger'"):
        find_version(registry, ModelRef("sentiment", "challenger"))
    registry.close()


def test_a_model_is_resolved_from_a_folder_or_from_the_registry(tmp_path: Path) -> None:
    registry, settings = FakeRegistry(), Settings(home=tmp_path / "home")
    made = read_version(build_tiny_version(tmp_path / "one"))
    registry.register(made, "trained")
    here = resolve_model(settings, str(made.folder), registry)
    there = resolve_model(settings, "models:/sentiment/1", registry)
    assert (here.folder, here.version, here.ref) == (made.folder, None, f"sha256:{made.digest}")
    assert (there.version, there.digest, there.ref) == (1, made.digest, "models:/sentiment/1")
    assert read_version(there.folder).digest == made.digest
    (made.folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelRejected, match=r"tokenizer\.json"):
        resolve_model(settings, str(made.folder), registry)
    registry.close()


def test_a_version_of_another_label_set_can_bear_no_alias() -> None:
    stranger = RegisteredVersion("sentiment", 4, (), "0" * 64, TWO_CLASSES, "imported", 0)
    with pytest.raises(Conflict, match="neutral"):
        require_label_set(stranger)
    with pytest.raises(Conflict, match="toxicity"):
        require_label_set(RegisteredVersion("toxicity", 1, (), "0" * 64, TWO_CLASSES, "imported", 0))


def test_lineage_is_read_from_a_manifest_and_told_as_tags() -> None:
    lineage = Lineage.of({"ref": "tweets@3", "digest": "ab", "git_commit": "c0ffee", "rows": 7, "teacher": None})
    assert lineage.tags() == {"dataset": "tweets@3", "dataset_digest": "ab", "git_commit": "c0ffee"}
    assert gate_tags({"fairness": "passed"}) == {"gate.fairness": "passed"}


def test_imported_and_trained_versions_are_found_by_the_same_names_of_metrics() -> None:
    old_import = replace(version(1, 0.71, origin="imported"), metrics={"macro_recall": 0.71})
    new_import = replace(old_import, version=2, metrics={"validation_macro_recall": 0.72})
    trained = replace(old_import, version=3, origin="trained", metrics={"validation_macro_recall": 0.73, "epoch": 2})
    for name in ("validation_macro_recall", "macro_recall"):
        found = search_versions([old_import, new_import, trained], f"metrics.{name} > 0.7")
        assert [each.version for each in found] == [1, 2, 3]
    assert [each.version for each in search_versions([old_import, trained], "metrics.epoch = 2")] == [3]


def test_a_metric_that_only_versions_of_another_name_have_is_no_error() -> None:
    with_loss = replace(version(1, 0.5), metrics={"validation_loss": 0.4})
    assert search_versions([version(2, 0.6)], "metrics.validation_loss < 1", [with_loss]) == []
    with pytest.raises(InvalidInput, match="'f1'; there are macro_recall, validation_loss"):
        search_versions([version(2, 0.6)], "metrics.f1 < 1", [with_loss])
