from __future__ import annotations

from pathlib import Path

import pytest

from sentiment.redaction import without_folders

FOLDER = "/home/ann/.undertone/models/sentiment/8-ab12cd34ef56"


@pytest.mark.parametrize(
    ("text", "public"),
    [
        (f"{FOLDER}/model.onnx is missing or no plain file", "model.onnx is missing or no plain file"),
        (f"{FOLDER}/manifest.json: labels: is missing", "manifest.json: labels: is missing"),
        (
            f"{FOLDER} holds the version 12, the registry says 34",
            "8-ab12cd34ef56 holds the version 12, the registry says 34",
        ),
        (f"it lies in {FOLDER}/.", "it lies in ."),
        (f"[Errno 13] Permission denied: '{FOLDER}/model.onnx'", "[Errno 13] Permission denied: 'model.onnx'"),
        ("No such file: '/home/ann lee/a b/c d.onnx'", "No such file: 'c d.onnx'"),
        (
            f"Load model from {FOLDER}/model.onnx failed:Protobuf parsing",
            "Load model from model.onnx failed:Protobuf parsing",
        ),
        (f"two ({FOLDER}/a.json) and [{FOLDER}/b.json]", "two (a.json) and [b.json]"),
        (f"file://{FOLDER}/a and sqlite:////srv/b/mlflow.db", "a and mlflow.db"),
        (f"path={FOLDER}/a", "path=a"),
    ],
)
def test_a_file_is_named_without_its_folders(text, public):
    assert without_folders(text) == public


@pytest.mark.parametrize(
    "text",
    [
        "",
        "model.onnx does not match the SHA-256 in its manifest; get the version again",
        "float16/32 and/or int8, 1 / 2, 2026/01/31",
        "see https://example.org/a/b and http://127.0.0.1:5000/api/2.0/x",
        "ask GET /v1/rollouts/current or '/v1/texts/a', and /readyz",
        "the last folder, ~/.undertone/models or ./build/x or build/x",
    ],
)
def test_what_is_no_path_of_this_machine_stays(text):
    assert without_folders(text) == text


def test_a_home_with_blanks_in_its_name_is_left_out_whole():
    home = Path("/home/ann lee/under tone")
    text = f"{home}/models/sentiment/8-ab12/model.onnx is missing in {home}: {home}/text.db"
    assert without_folders(text, home) == "model.onnx is missing in under tone: /text.db"
