"""What an answer's error says of the inside: nothing, and the log all of it."""

from __future__ import annotations

import json

import pytest

from sentiment.errors import InvalidInput, ModelRejected, Unavailable, UndertoneError
from serve_app.gateway.http.errors import error_response, status_and_body

FOLDER = "/home/ann/.undertone/models/sentiment/8-ab12cd34ef56"


@pytest.mark.parametrize("kind", [ModelRejected, Unavailable])
def test_an_error_of_ours_names_a_file_without_its_folders_and_the_log_has_them(kind: type[UndertoneError], caplog):
    answer = error_response(kind(f"{FOLDER}/model.onnx is missing or no plain file"), "request-1")
    assert answer.status_code == 503
    assert json.loads(answer.body)["error"]["message"] == "model.onnx is missing or no plain file"
    assert caplog.messages == [f"answered 503: {FOLDER}/model.onnx is missing or no plain file"]


def test_what_a_client_sent_is_repeated_to_it_as_it_was(caplog):
    _, body = status_and_body(InvalidInput("text: '/a/b' is too short", "text"))
    assert body["message"] == "text: '/a/b' is too short"
    assert caplog.messages == []


def test_an_error_of_ours_that_names_no_file_is_not_logged_each_time(caplog):
    _, body = status_and_body(Unavailable("the text store is away; try again soon"))
    assert body["message"] == "the text store is away; try again soon"
    assert caplog.messages == []
