"""Evaluating a version: figures, slices, comparison with another, the report, by the tiny model and by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from sentiment.datasets import Example, open_datasets
from sentiment.errors import InvalidInput, Unavailable
from sentiment.evaluation.bootstrap import compare, macro_recall_interval, share_interval
from sentiment.evaluation.child import run_in_child
from sentiment.evaluation.evaluation import answer, require_labels
from sentiment.evaluation.figures import measure
from sentiment.evaluation.metrics import confusion
from sentiment.evaluation.performance import measure_performance
from sentiment.evaluation.report import render_report
from sentiment.evaluation.slices import cut_slices
from sentiment.evaluation.summary import summarise
from sentiment.labels import THREE_CLASSES, TWO_CLASSES
from sentiment.settings import FOLLOWED, load_settings
from tests.tiny_model import build_tiny_version
from train_jobs import evaluate
from train_jobs.evaluate import EvaluateConfig, main, run_evaluation, write_report

_TWEETS = Path(__file__).parents[4] / "shared" / "data" / "tweeteval_sentiment"
_ROWS = [
    Example("i love this good phone", "positive", "shop", "en"),
    Example("the best day 😊", "positive", "forum", "en"),
    Example("this is not good", "negative", "shop", "en"),
    Example("the worst day at the train", "negative", "forum", "de"),
    Example("i hate this awful phone", "negative", "shop", "de"),
    Example("the train is at 10", "neutral", "shop", "en"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    store = open_datasets(home / "datasets")
    store.push("chat", [*_ROWS, Example("nobody labelled this", None)], source="test")
    two = [Example(row.text, row.label) for row in _ROWS if row.label != "neutral"]
    store.push("two", two, source="test", labels=TWO_CLASSES)
    return load_settings(home=home)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_tiny_version(tmp_path_factory.mktemp("tiny") / "version")


@pytest.fixture(scope="module")
def found(settings, folder):
    config = EvaluateConfig(str(folder), "chat", slices=True, against=str(folder), cases=3, threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "measure_performance", partial(measure_performance, least_s=0.0))
        return run_evaluation(settings, config)


def test_the_figures_are_those_of_the_labelled_rows(found):
    assert (found.data.ref, found.data.texts, found.data.unlabelled) == ("chat@1", 6, 1)
    assert found.figures.accuracy == pytest.approx(5 / 6)
    assert found.figures.macro_recall == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert found.figures.confusion == ((2, 0, 1), (0, 1, 0), (0, 0, 2))
    assert [each.texts for each in found.figures.classes] == [3, 1, 2]
    assert found.figures.classes[2].precision == pytest.approx(2 / 3)


def test_the_surest_mistake_is_told_with_what_was_said(found):
    mistake = found.mistakes[0]
    assert (mistake.text, mistake.label, mistake.said) == ("this is not good", "negative", "positive")


def test_slices_count_texts_by_length_negation_emoji_source_and_language(found):
    counts = {(part.dimension, part.name): part.texts for part in found.slices}
    assert counts["negation", "with a negation"] == 1
    assert counts["emoji", "with an emoji"] == 1
    assert counts["source", "shop"] == 4
    assert counts["language", "de"] == 2
    assert "length" not in {dimension for dimension, _ in counts}, "all texts are of one length's slice"
    negated = next(part for part in found.slices if part.name == "with a negation")
    assert negated.accuracy == 0.0
    assert negated.accuracy_interval.high > 0.5, "one text proves little"


def test_parts_that_no_text_is_in_are_named(found):
    longer = {("length", name) for name in ("11 to 20 words", "21 to 50 words", "51 to 200 words", "over 200 words")}
    assert {(part.dimension, part.name) for part in found.empty_slices} == longer
    page = render_report(found, datetime(2026, 1, 1, tzinfo=UTC))
    assert page.count("no text in this slice") == len(longer)
    assert "All texts are alike in length." in page
    assert "No text in: length: 11 to 20 words; " in summarise(found)


def test_many_sources_are_folded_into_one_slice():
    rows = [Example("a", "positive", f"source {number}") for number in range(30)] + [
        Example("a", "positive", "big")
    ] * 9
    ids = np.zeros(len(rows), dtype=np.int64)
    slices = cut_slices(rows, ids, ids, 3)
    assert len(slices) == 12
    assert slices[0].name == "all others"
    assert sum(part.texts for part in slices) == len(rows)


def test_a_version_against_itself_differs_by_nothing(found):
    assert {each.measure for each in found.against.differences} == {"macro_recall", "accuracy"}
    assert all(each.difference == 0 and each.p_value == 1.0 for each in found.against.differences)


def test_speed_and_memory_are_measured(found):
    assert found.performance.texts_per_s > 0
    assert found.performance.texts == 6
    assert 10 << 20 < found.performance.peak_memory_bytes < 2 << 30


def test_memory_is_the_measuring_process_s_own(folder):
    ballast = np.ones(400 << 20, dtype=np.uint8)
    peak = measure_performance(folder, ["good"], threads=1, least_s=0.0).peak_memory_bytes
    assert peak < ballast.nbytes


def test_a_measuring_process_that_fails_says_why(tmp_path):
    with pytest.raises(Unavailable, match="manifest"):
        measure_performance(tmp_path, ["good"], least_s=0.0)


def test_a_measuring_process_that_never_ends_is_ended():
    with pytest.raises(Unavailable, match="not done after"):
        run_in_child("this", {}, timeout_s=0.001)


def test_data_without_neutral_let_the_other_labels_share_what_it_got(settings, folder):
    found = run_evaluation(settings, EvaluateConfig(str(folder), "two", cases=0, performance=False))
    assert found.data.labels == TWO_CLASSES
    assert found.figures.accuracy == pytest.approx(4 / 5)
    assert found.called_neutral == 0.0


def test_probabilities_are_shared_out_before_they_are_judged():
    answers = answer(lambda _: np.array([[0.1, 0.7, 0.2]]), THREE_CLASSES, [Example("so so", "positive")], TWO_CLASSES)
    assert answers.probabilities.tolist() == [pytest.approx([1 / 3, 2 / 3])]
    assert answers.called_neutral == 1.0


def test_data_of_other_labels_are_refused():
    with pytest.raises(InvalidInput, match=r"answers with negative, positive; the data are labelled .*neutral"):
        require_labels(TWO_CLASSES, THREE_CLASSES)


def test_data_without_labels_are_refused(settings, folder):
    open_datasets(settings).push("plain", [Example("a", None), Example("b", None)], source="test")
    with pytest.raises(InvalidInput, match="plain@1 has no labelled row"):
        run_evaluation(settings, EvaluateConfig(str(folder), "plain"))


def test_figures_agree_with_the_published_ones_of_twitter_roberta():
    if not _TWEETS.is_dir():
        pytest.skip(f"the TweetEval files are not in {_TWEETS}")
    labels = np.array([int(line) for line in (_TWEETS / "test_labels.txt").read_text().split()])
    said = [int(line) for line in (_TWEETS / "predictions_twitter_roberta_base.txt").read_text().split()]
    figures = measure(labels, np.eye(3)[said], THREE_CLASSES)
    assert figures.macro_recall == pytest.approx(0.7285672, abs=5e-7)
    assert figures.accuracy == pytest.approx(0.7232172, abs=5e-7)
    assert figures.macro_recall_interval.low < 0.7285672 < figures.macro_recall_interval.high


def test_intervals_narrow_with_the_number_of_texts():
    few, many = share_interval(7, 10), share_interval(7000, 10_000)
    assert few.low == pytest.approx(0.3968, abs=1e-4), "Wilson's, by its formula"
    assert few.high == pytest.approx(0.8922, abs=1e-4)
    assert many.high - many.low < 0.02


def test_the_interval_of_macro_recall_is_that_of_resampled_texts():
    random = np.random.default_rng(5)
    labels = random.integers(0, 3, 400)
    said = np.where(random.random(400) < 0.7, labels, random.integers(0, 3, 400))
    drawn = [random.integers(0, 400, 400) for _ in range(2000)]
    shares = [np.mean([(said[at] == c)[labels[at] == c].mean() for c in range(3)]) for at in drawn]
    found = macro_recall_interval(confusion(labels, said, 3))
    assert found == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=0.01)


def test_the_paired_bootstrap_finds_a_difference_that_is_there():
    labels, better, worse = _two_versions(0.80, 0.70)
    recall, accuracy = compare(labels, better, worse, 3, resamples=500)
    assert recall.p_value < 0.01
    assert 0 < recall.interval.low < recall.difference < recall.interval.high
    assert accuracy.first == pytest.approx((labels == better).mean())
    assert compare(labels, worse, better, 3, resamples=500)[0].difference == pytest.approx(-recall.difference)


def test_the_paired_bootstrap_cries_wolf_as_seldom_as_it_says():
    alarms = 0
    for seed in range(40):
        labels, one, other = _two_versions(0.75, 0.75, texts=300, seed=seed)
        alarms += compare(labels, one, other, 3, resamples=200)[1].p_value < 0.05
    assert alarms <= 6, "two in 40 are expected; more than six have a chance below 1 %"


def test_the_report_is_one_file_that_fetches_nothing(found, tmp_path):
    target = tmp_path / "reports" / "report.html"
    write_report(found, target)
    page = target.read_text()
    tags = _Tags()
    tags.feed(page)
    assert not tags.names & {"script", "link", "iframe", "object"}
    assert tags.sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in tags.sources)
    assert "http://" not in page
    for wanted in ("chat@1", "Slices", "with a negation", "Behaviour", "this is not good", "Speed and memory"):
        assert wanted in page


def test_a_report_shows_texts_as_text(settings, folder):
    evil = [Example("<script>alert(1)</script> bad", "positive"), Example("good", "negative"), Example("a", "neutral")]
    open_datasets(settings).push("evil", evil, source="test")
    config = EvaluateConfig(str(folder), "evil", cases=0, performance=False)
    page = render_report(run_evaluation(settings, config), datetime(2026, 1, 1, tzinfo=UTC))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_report_that_cannot_be_written_is_refused_by_name(found, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"file/report\.html cannot be written"):
        write_report(found, tmp_path / "file" / "report.html")


def test_the_summary_and_the_json_tell_the_same(found):
    summary, plain = summarise(found), json.loads(json.dumps(found.to_mapping(), allow_nan=False))
    assert "| accuracy | 83.33 |" in summary
    assert "| negation: with a negation | 1 | 0.00 |" in summary
    assert plain["figures"]["accuracy"] == pytest.approx(5 / 6)
    assert plain["figures"]["accuracy_interval"]["low"] < 5 / 6
    assert plain["against"]["subject"]["digest"] == found.subject.digest


def test_texts_that_are_all_alike_have_no_slices_and_that_is_said(settings, folder, monkeypatch, capsys):
    monkeypatch.setenv("UNDERTONE_HOME", str(settings.home))
    alike = [Example("so good", "positive"), Example("so bad", "negative"), Example("so so", "neutral")]
    open_datasets(settings).push("alike", alike, source="test")
    asked = [str(folder), "--data", "alike", "--cases", "0", "--no-performance", "--no-track"]
    main([*asked, "--slices"])
    told = "No slices: all texts are alike in length, negation, emoji, source and language."
    assert told in json.loads(capsys.readouterr().out.splitlines()[-1].removeprefix("::outcome "))["summary"]
    main(asked)
    assert "No slices" not in capsys.readouterr().out


def test_the_job_s_last_line_is_its_outcome(settings, folder, monkeypatch, capsys):
    monkeypatch.setenv("UNDERTONE_HOME", str(settings.home))
    main([str(folder), "--data", "chat@1", "--cases", "0", "--no-performance", "--no-track"])
    lines = capsys.readouterr().out.splitlines()
    assert "| accuracy | 83.33 | 43.6 to 97.0 |" in lines
    assert json.loads(lines[-1].removeprefix("::outcome "))["result"]["figures"]["texts"] == 6


def test_a_job_that_fails_says_why_on_a_line_of_its_own(settings, folder, monkeypatch, capsys):
    monkeypatch.setenv("UNDERTONE_HOME", str(settings.home))
    monkeypatch.setenv(FOLLOWED, "1")
    with pytest.raises(SystemExit, match="1"):
        main([str(folder), "--data", "nothing@1", "--no-track"])
    assert capsys.readouterr().out.startswith("::failure There is no dataset nothing")


def _two_versions(right, other_right, texts=1500, seed=3):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, texts)
    wrong = (labels + random.integers(1, 3, texts)) % 3
    return labels, *(np.where(random.random(texts) < share, labels, wrong) for share in (right, other_right))


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.sources = set(), []

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]
