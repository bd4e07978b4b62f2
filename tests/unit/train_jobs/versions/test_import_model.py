"""Import of Hugging Face classifiers: labels by name, all engines, calibration, card. Tiny random networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sentiment.datasets import open_datasets
from sentiment.datasets.source.label_spec import LabelSpec
from sentiment.errors import InvalidInput, ModelRejected, NotFound
from sentiment.labels import THREE_CLASSES, TWO_CLASSES
from sentiment.predictor import Predictor
from sentiment.settings import Settings
from sentiment.version import read_version
from tests.fake_registry import FakeRegistry
from tests.tiny_backbone import hub_classifier, tiny_tokenizer
from tests.tiny_training import examples
from train_jobs.versions.import_model import import_and_register, import_model

TEXTS = ("love film", "bad bad heart", "good face")


def expected(network: Any, text: str, order: list[int]) -> list[float]:
    with torch.no_grad():
        ids = torch.tensor([tiny_tokenizer().encode(text).ids])
        row = network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.softmax(-1)[0]
    return [float(row[place]) for place in order]


def test_an_imported_version_says_what_the_model_said_under_our_labels(tmp_path: Path) -> None:
    network = hub_classifier("roberta", tmp_path / "hub", id2label={0: "Positive", 1: "NEUTRAL", 2: "negative"})
    version = import_model(str(tmp_path / "hub"), tmp_path / "version")
    assert version.manifest.name == "sentiment"
    assert set(version.manifest.engines) == {"onnx-int8", "onnx", "torch"}
    predictor = Predictor.load(version, engine="onnx", threads=1)
    for text, found in zip(TEXTS, predictor.predict(TEXTS).probabilities, strict=True):
        assert np.allclose(found, expected(network, text, [2, 1, 0]), atol=1e-4)
    card = (version.folder / "README.md").read_text()
    assert "not calibrated" in card
    assert "Positive, NEUTRAL, negative" in card


def test_labels_without_names_need_to_be_given(tmp_path: Path) -> None:
    network = hub_classifier("roberta", tmp_path / "hub", id2label={0: "LABEL_0", 1: "LABEL_1"}, num_labels=2)
    with pytest.raises(InvalidInput, match="--labels") as caught:
        import_model(str(tmp_path / "hub"), tmp_path / "version")
    assert caught.value.field == "labels"
    with pytest.raises(InvalidInput, match="has 2 rows in its head"):
        import_model(str(tmp_path / "hub"), tmp_path / "version", labels=LabelSpec(THREE_CLASSES))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["hub"], "a refused model leaves nothing behind"
    version = import_model(str(tmp_path / "hub"), tmp_path / "version", labels=LabelSpec(("positive", "negative")))
    assert (version.manifest.name, version.manifest.labels) == ("sentiment-reviews", TWO_CLASSES)
    found = Predictor.load(version, engine="onnx", threads=1).predict(["love film"]).probabilities[0]
    assert found == pytest.approx(expected(network, "love film", [1, 0]), abs=1e-4)


def test_a_hub_name_is_fetched_and_a_calibrated_version_registered_with_its_lineage(tmp_path: Path) -> None:
    hub_classifier("distilbert", tmp_path / "hub")
    settings, registry = Settings(home=tmp_path / "home"), FakeRegistry()
    open_datasets(settings).push("toys", examples(60), source="toys")
    found = import_and_register(
        registry,
        settings,
        str(tmp_path / "hub"),
        labels=None,
        languages=("en", "de"),
        data="toys@1",
        out=tmp_path / "version",
    )
    assert (found.name, found.version, found.origin) == ("sentiment", 1, "imported")
    assert found.tags["dataset"] == "toys@1"
    assert "int8_same_label_as_float32" in found.metrics
    assert {"validation_accuracy", "validation_macro_recall", "validation_ece"} <= set(found.metrics)
    manifest = read_version(tmp_path / "version").manifest
    assert manifest.temperature["onnx-int8"] != 1.0
    assert manifest.languages == ("en", "de")
    assert "Tells of a text (English, German)" in (tmp_path / "version" / "README.md").read_text()
    assert "calibrated on 60 texts of toys@1" in (tmp_path / "version" / "README.md").read_text()
    asked = []

    def get(name: str, revision: str | None) -> Path:
        asked.append((name, revision))
        return tmp_path / "hub"

    made = import_model("hf:owner/name@main", tmp_path / "second", get=get)
    assert made.manifest.languages == ()
    assert "in any language" in (tmp_path / "second" / "README.md").read_text()
    assert asked == [("owner/name", "main")]
    assert made.manifest.dataset == {"imported_from": "hf:owner/name@main"}
    registry.close()


def test_data_of_another_label_set_and_a_version_that_is_not_there_are_refused(tmp_path: Path) -> None:
    hub_classifier("roberta", tmp_path / "hub", id2label={0: "negative", 1: "positive"}, num_labels=2)
    settings, registry = Settings(home=tmp_path / "home"), FakeRegistry()
    open_datasets(settings).push("toys", examples(60), source="toys")
    for data, kind in (("toys@1", InvalidInput), ("toys@7", NotFound)):
        with pytest.raises(kind):
            import_and_register(registry, settings, str(tmp_path / "hub"), labels=None, data=data, out=None)
    assert registry.versions("sentiment-reviews") == []
    registry.close()


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    hub_classifier("electra", tmp_path / "body").base_model.save_pretrained(tmp_path / "body")
    (tmp_path / "empty").mkdir()
    for folder in ("body", "empty"):
        with pytest.raises(ModelRejected):
            import_model(str(tmp_path / folder), tmp_path / "version")
    hub_classifier("roberta", tmp_path / "hub")
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    (tmp_path / "hub" / "config.json").write_text(json.dumps({**config, "id2label": {"0": "a", "1": "b", "2": "c"}}))
    with pytest.raises(ModelRejected, match="has the labels a, b, c, but a version here needs"):
        import_model(str(tmp_path / "hub"), tmp_path / "version")


def test_a_folder_of_other_files_is_never_replaced_by_a_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_classifier("roberta", tmp_path / "hub")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letters.txt").write_text("dear")
    monkeypatch.chdir(mine)
    for out in (mine, Path(), mine / "letters.txt"):
        with pytest.raises(InvalidInput, match="does not hold a model version"):
            import_model(str(tmp_path / "hub"), out)
    assert (mine / "letters.txt").read_text() == "dear"
    (tmp_path / "empty").mkdir()
    first = import_model(str(tmp_path / "hub"), tmp_path / "empty")
    assert import_model(str(tmp_path / "hub"), tmp_path / "empty").manifest.labels == first.manifest.labels
