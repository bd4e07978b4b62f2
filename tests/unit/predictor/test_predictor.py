"""The predictor on the int8 engine: answers in order, equal texts once, bad texts alone, versions checked at load."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import sentiment
from sentiment.errors import ModelRejected
from sentiment.predictor import Predictor
from sentiment.predictor.batches import Padded
from sentiment.predictor.engines import choose_engine
from sentiment.predictor.onnx_engine import OnnxEngine, open_session, sums_may_overflow
from sentiment.version import Manifest, Version, file_facts, read_version, write_manifest
from tests.tiny_model import build_tiny_version

LIGHT = """
import sys
from sentiment.predictor import Predictor
answers = Predictor.load(sys.argv[1]).predict(["good day"])
assert answers.probabilities[0][2] > 0.9, answers
print(sorted({"torch", "transformers", "mlflow", "ray", "onnx", "safetensors", "fastapi"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_version(tmp_path_factory.mktemp("version"), crash_word="kaboom", nan_word="nanny")


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return Predictor.load(folder)


class CountingEngine:
    """The real engine, which also remembers the shapes that it ran. A pass costs as good as all: fewest are cut."""

    batch_tokens = 256
    pass_tokens = 10_000

    def __init__(self, folder: Path) -> None:
        self._engine = OnnxEngine(folder / "model.int8.onnx")
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, batch: Padded) -> np.ndarray:
        self.shapes.append(batch.input_ids.shape)
        return self._engine.forward(batch)


def _counting(folder: Path, batch_tokens: int | None = None) -> tuple[Predictor, CountingEngine]:
    engine = CountingEngine(folder)
    return Predictor(read_version(folder), engine, "onnx-int8", 1, batch_tokens), engine


def _altered(folder: Path, **fields: object) -> Version:
    manifest = read_version(folder).manifest.model_dump() | fields | {"files": file_facts(folder)}
    write_manifest(folder, Manifest.model_validate(manifest))
    return read_version(folder)


def test_kind_and_harsh_words_are_told_apart_and_probabilities_sum_to_one(predictor: Predictor) -> None:
    answers = predictor.predict(["i love this phone", "the worst day", "the train is at 10"])
    assert [row.index(max(row)) for row in answers.probabilities if row] == [2, 0, 1]
    assert [sum(row) for row in answers.probabilities if row] == pytest.approx([1.0] * 3)
    assert (answers.model, answers.labels) == ("sentiment", ("negative", "neutral", "positive"))
    assert answers.inference_ms > 0


def test_an_answer_does_not_depend_on_the_texts_beside_it(predictor: Predictor) -> None:
    texts = [f"{'good ' * (place % 9)}{'the ' * (place % 40)}bad" for place in range(60)]
    together = predictor.predict(texts).probabilities
    alone = [predictor.predict([text]).probabilities[0] for text in texts]
    assert np.allclose(np.array(together), np.array(alone), atol=1e-6)


def test_equal_texts_are_classified_once_and_answered_each(folder: Path) -> None:
    predictor, engine = _counting(folder)
    answers = predictor.predict(["good day", "bad day", "good day", "good day"])
    assert engine.shapes == [(2, 4)]
    assert answers.probabilities[0] == answers.probabilities[2] == answers.probabilities[3]
    assert answers.probabilities[1] != answers.probabilities[0]


def test_batches_are_sorted_by_length_and_counted(folder: Path) -> None:
    predictor, engine = _counting(folder, batch_tokens=16)
    answers = predictor.predict(["good", "good bad", "the good the bad the day", "it"])
    assert engine.shapes == [(1, 8), (3, 4)]
    assert (answers.tokens, answers.padded_tokens) == (3 + 4 + 8 + 3, 8 + 3 * 4)


def test_no_texts_make_no_forward_pass(folder: Path) -> None:
    predictor, engine = _counting(folder)
    assert predictor.predict([]).probabilities == []
    assert engine.shapes == []


def test_one_bad_text_fails_alone_within_a_few_more_passes(folder: Path) -> None:
    predictor, engine = _counting(folder, batch_tokens=10_000)
    texts = [f"{'it ' * place}good" for place in range(1, 25)]
    for bad in ("kaboom", "nanny"):
        engine.shapes.clear()
        answers = predictor.predict([*texts[:7], f"good {bad} it", *texts[7:]])
        assert [index for index, row in enumerate(answers.probabilities) if row is None] == [7]
        assert list(answers.errors) == [7]
        assert len(engine.shapes) <= 1 + 2 * math.ceil(math.log2(25))


def test_a_bad_text_that_comes_twice_fails_twice_and_a_bad_window_fails_its_whole_text(predictor: Predictor) -> None:
    long = "good " * 40 + "kaboom"
    answers = predictor.predict(["kaboom", "good", "kaboom", long])
    assert sorted(answers.errors) == [0, 2, 3]
    assert "InvalidArgument" in answers.errors[3]
    assert answers.probabilities[1] is not None


def test_a_long_texts_logits_are_its_windows_mean_by_their_pieces(folder: Path) -> None:
    predictor, engine = _counting(folder, batch_tokens=1)
    answers = predictor.predict(["good " * 30 + "bad " * 5])  # windows of 30 and of 9 pieces, 4 shared
    first = 20 * 30 / 32
    second = 20 * (4 - 5) / 11
    positive = (30 * first + 9 * second) / 39
    expected = np.exp([-positive, 1, positive]) / np.exp([-positive, 1, positive]).sum()
    assert engine.shapes == [(1, 32), (1, 11)]
    assert answers.probabilities[0] == pytest.approx(tuple(expected), abs=1e-5)
    assert answers.truncated == [False]


def test_a_text_of_too_many_windows_is_marked_truncated(predictor: Predictor) -> None:
    assert predictor.predict(["good", "good " * 500]).truncated == [False, True]


def test_the_temperature_divides_the_logits(folder: Path, tmp_path: Path) -> None:
    target = build_tiny_version(tmp_path / "version")
    sharp = Predictor.load(target).predict(["nice phone"]).probabilities[0]
    version = _altered(target, temperature={"onnx-int8": 2.0})
    soft = Predictor(version, OnnxEngine(target / "model.int8.onnx"), "onnx-int8", 1, None)
    log_sharp, log_soft = np.log(sharp), np.log(soft.predict(["nice phone"]).probabilities[0])
    assert log_soft[2] - log_soft[0] == pytest.approx((log_sharp[2] - log_sharp[0]) / 2, abs=1e-4)


def test_threads_share_a_predictor(predictor: Predictor) -> None:
    texts = [f"{'good ' * (place % 7)}day {place}" for place in range(50)]
    alone = predictor.predict(texts).probabilities
    with ThreadPoolExecutor(8) as pool:
        assert all(answers.probabilities == alone for answers in pool.map(predictor.predict, [texts] * 24))


def test_warming_up_runs_the_longest_window_and_full_batches(folder: Path) -> None:
    predictor, engine = _counting(folder, batch_tokens=64)
    predictor.warm_up()
    assert set(engine.shapes) == {(8, 8), (2, 32)}, "no pass is longer than the 32 tokens that the model reads"


def test_a_version_that_no_longer_answers_as_recorded_is_rejected_at_load(tmp_path: Path) -> None:
    target = build_tiny_version(tmp_path / "version")
    check = {"text": "i love this phone", "probabilities": (0.9, 0.05, 0.05)}
    _altered(target, self_check=[check])
    with pytest.raises(ModelRejected, match=r"says .* of 'i love this phone'.* apart, allowed 0\.02"):
        Predictor.load(target)


def test_a_version_whose_self_check_fails_in_the_engine_is_rejected(tmp_path: Path) -> None:
    target = build_tiny_version(tmp_path / "version", crash_word="kaboom")
    _altered(target, self_check=[{"text": "kaboom", "probabilities": (0.1, 0.1, 0.8)}])
    with pytest.raises(ModelRejected, match="says None of 'kaboom'"):
        Predictor.load(target)


def test_a_gpu_takes_torch_and_refuses_a_version_without_safetensors_naming_the_command(folder: Path) -> None:
    version = read_version(folder)
    assert choose_engine(version, "auto", "cpu") == "onnx-int8"
    with pytest.raises(ModelRejected, match=r"needs model\.safetensors; `python -m .*\.default_model"):
        choose_engine(version, "auto", "cuda")
    with pytest.raises(ModelRejected, match=r"engine onnx needs model\.onnx"):
        Predictor.load(version, engine="onnx")


def test_a_version_of_float_onnx_alone_runs_on_it(tmp_path: Path) -> None:
    target = build_tiny_version(tmp_path / "version")
    (target / "model.int8.onnx").rename(target / "model.onnx")
    manifest = json.loads((target / "manifest.json").read_text())
    manifest |= {"engines": {"onnx": "model.onnx"}, "temperature": {"onnx": 1.0}}
    manifest["files"]["model.onnx"] = manifest["files"].pop("model.int8.onnx")
    (target / "manifest.json").write_text(json.dumps(manifest))
    predictor = Predictor.load(target)
    assert predictor.engine == "onnx"
    assert predictor.predict(["good"]).probabilities[0][2] > 0.9


def test_a_file_that_is_no_graph_or_another_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.int8.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(ModelRejected, match="cannot be loaded by ONNX Runtime"):
        OnnxEngine(path)
    target = build_tiny_version(tmp_path / "version")
    graph = onnx.load(target / "model.int8.onnx")
    graph.graph.output[0].name = graph.graph.node[-1].output[0] = "scores"
    onnx.save(graph, path)
    with pytest.raises(ModelRejected, match=r"maps .* to 'logits'"):
        OnnxEngine(path)


def test_int8_sums_are_made_exact_on_x86_processors_without_vnni_only(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("flags\t: sse4_2 avx2 fma\n")
    new.write_text("flags\t: sse4_2 avx2 fma avx512_vnni\n")
    assert sums_may_overflow("x86_64", old)
    assert not sums_may_overflow("x86_64", new)
    assert sums_may_overflow("AMD64", tmp_path / "missing")
    assert not sums_may_overflow("aarch64", old)


def test_predicting_on_a_cpu_loads_neither_torch_nor_transformers_nor_mlflow(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT, str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_fusion_that_slows_the_shipped_model_is_left_out(tmp_path: Path) -> None:
    path = Path(sentiment.__file__).parent / "shipped" / "sentiment" / "model.int8.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    assert _fused(options) == 6, "ONNX Runtime's own choice"
    open_session(path, options)
    assert _fused(options) == 0


def _fused(options: onnxruntime.SessionOptions) -> int:
    nodes = onnx.load(options.optimized_model_filepath).graph.node
    return sum(node.op_type == "SkipLayerNormalization" for node in nodes)
