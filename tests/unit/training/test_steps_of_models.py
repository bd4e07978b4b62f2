"""Steps travel with a model: from its training to its folder, its version and every engine that serves it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("simplemma", reason="the step lemma needs the steps extra")

from sentiment.datasets import Example, open_datasets  # noqa: E402
from sentiment.errors import InvalidInput, ModelRejected  # noqa: E402
from sentiment.labels import THREE_CLASSES  # noqa: E402
from sentiment.models.zoo import load_model, save_model  # noqa: E402
from sentiment.predictor import Predictor  # noqa: E402
from sentiment.predictor.explanation import explain  # noqa: E402
from sentiment.settings import load_settings  # noqa: E402
from sentiment.training.batching.encoded import encoded_texts  # noqa: E402
from sentiment.training.config import TrainConfig  # noqa: E402
from sentiment.training.objectives.teacher import teacher_targets  # noqa: E402
from sentiment.version import ENGINE_FILES, Manifest, Version, file_facts, read_version, write_manifest  # noqa: E402
from tests.tiny_model import build_tiny_version  # noqa: E402
from tests.tiny_training import TINY, examples, tiny_start  # noqa: E402
from train_jobs.train.prepare import RunLocations, prepare  # noqa: E402
from train_jobs.versions.write_version import export_calibrated, write_int8_only  # noqa: E402

STEPS = ("base", "lower", "lemma")
SAID = "He LOVED the - days"
READ = "he love the day"


def with_steps(folder: Path, steps: tuple[str, ...]) -> Version:
    """Return the tiny version as if it had been trained after `steps`."""
    build_tiny_version(folder)
    manifest = read_version(folder).manifest.model_dump() | {"steps": steps, "files": file_facts(folder)}
    write_manifest(folder, Manifest.model_validate(manifest))
    return read_version(folder)


def test_a_version_s_steps_are_done_before_it_tokenises(tmp_path: Path) -> None:
    stepping = Predictor.load(with_steps(tmp_path / "a", STEPS))
    plain = Predictor.load(build_tiny_version(tmp_path / "b"))
    assert stepping.predict([SAID]).probabilities == plain.predict([READ]).probabilities
    assert stepping.predict([SAID]).tokens == plain.predict([READ]).tokens != plain.predict([SAID]).tokens


def test_a_text_of_which_the_steps_leave_nothing_is_answered(tmp_path: Path) -> None:
    answers = Predictor.load(with_steps(tmp_path, STEPS)).predict(["-", "good"])
    assert answers.errors == {}
    assert all(answers.probabilities)


def test_an_explanation_shows_the_words_as_the_user_wrote_them(tmp_path: Path) -> None:
    predictor = Predictor.load(with_steps(tmp_path, STEPS))
    found = explain(SAID, predictor.predict)
    assert found.words == SAID.split()
    weights = dict(zip(found.words, found.weights, strict=True))
    assert max(weights, key=weights.__getitem__) == "LOVED"
    assert weights["-"] == 0.0


def test_a_version_whose_step_needs_a_missing_library_is_refused_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = with_steps(tmp_path, STEPS)
    monkeypatch.setitem(sys.modules, "simplemma", None)
    with pytest.raises(ModelRejected, match=r"'lemma' needs simplemma, .*pip install 'undertone\[steps\]'"):
        Predictor.load(version)


def test_a_model_s_folder_keeps_its_steps_and_one_without_says_nothing_of_them(tmp_path: Path) -> None:
    save_model(replace(tiny_start(), steps=STEPS), tmp_path / "a")
    save_model(tiny_start(), tmp_path / "b")
    assert load_model(tmp_path / "a").steps == STEPS
    assert load_model(tmp_path / "b").steps == ()
    assert "steps" not in json.loads((tmp_path / "b" / "config.json").read_text())
    (tmp_path / "a" / "config.json").write_text(
        (tmp_path / "a" / "config.json").read_text().replace('"lemma"', '"spell"')
    )
    with pytest.raises(ModelRejected, match="'spell' is unknown"):
        load_model(tmp_path / "a")


def test_every_engine_of_an_exported_version_does_the_steps(tmp_path: Path) -> None:
    held_out = [(row.text, THREE_CLASSES.index(row.label or "")) for row in examples(12)]
    plain, stepping = tmp_path / "plain", tmp_path / "stepping"
    export_calibrated(tiny_start(), held_out, plain, {})
    facts = export_calibrated(replace(tiny_start(), steps=STEPS), held_out, stepping, {})
    write_int8_only(stepping, tmp_path / "small", facts)
    assert read_version(tmp_path / "small").manifest.steps == STEPS
    for engine in ENGINE_FILES:
        found = Predictor.load(stepping, engine=engine).predict([SAID, READ]).probabilities
        assert found[0] == pytest.approx(found[1]), engine
        apart = Predictor.load(plain, engine=engine).predict([SAID, READ]).probabilities
        assert apart[0] != pytest.approx(apart[1]), engine


def test_tokenised_texts_are_kept_apart_by_the_steps_before_them(tmp_path: Path) -> None:
    rows, tokenizer = [Example(SAID, "positive"), Example("bad", "negative")], tiny_start().tokenizer

    def tokens(steps: tuple[str, ...]) -> list[int]:
        found = encoded_texts(tmp_path, "digest", lambda: rows, THREE_CLASSES, tokenizer, steps)
        return found.ids[: int(found.starts[1])].tolist()

    plain = tokens(())
    assert tokens(STEPS) == tokenizer.encode(READ).ids != plain
    assert tokens(("lower",)) == tokens(()) == plain
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 3


def test_a_run_learns_from_and_is_judged_on_texts_after_its_steps(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    shouted = [Example(row.text.upper().replace("LOVE", "LOVED"), row.label) for row in examples(30)]
    open_datasets(settings).push("toys", shouted, source="tests")
    save_model(tiny_start(), tmp_path / "backbone")
    config = replace(TINY, model="minilm", backbone=str(tmp_path / "backbone"), steps=STEPS)
    start, data = prepare(config, RunLocations.of(settings))
    assert start.steps == STEPS
    plain, without = prepare(replace(config, steps=()), RunLocations.of(settings))
    love = start.tokenizer.token_to_id("love")
    assert (data.plan.texts.ids == love).any()
    assert data.held_out.texts is data.plan.texts
    assert not (without.plan.texts.ids == love).any()
    assert plain.steps == ()


def test_a_step_without_its_library_is_told_before_a_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "simplemma", None)
    settings = load_settings(home=tmp_path)
    open_datasets(settings).push("toys", examples(30), source="tests")
    with pytest.raises(InvalidInput, match="needs simplemma"):
        prepare(TrainConfig(data="toys@1", steps=("lemma",)), RunLocations.of(settings))


def test_a_teacher_reads_texts_after_its_own_steps(tmp_path: Path) -> None:
    save_model(tiny_start(), tmp_path / "plain")
    save_model(replace(tiny_start(), steps=STEPS), tmp_path / "stepping")

    def lesson(teacher: str, text: str) -> np.ndarray:
        rows = [Example(text, "positive")]
        return np.array(
            teacher_targets(tmp_path / teacher, tmp_path, text, lambda: rows, THREE_CLASSES, states=False).logits
        )

    assert lesson("stepping", SAID) == pytest.approx(lesson("plain", READ))
    assert lesson("plain", SAID) != pytest.approx(lesson("plain", READ))
