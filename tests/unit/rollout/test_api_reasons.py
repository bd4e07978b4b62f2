"""What a rollout and the list of models say of a version that is broken names its files, and not where they lie."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sentiment.errors import ModelRejected
from serve_app.rollout import commands
from serve_app.rollout.api import Rollouts
from serve_app.routing.model_list import read_listing

MODEL = "sentiment"


@pytest.fixture
def said(platform) -> str:
    """What Serve or an error says of version 2, with a home whose name has a blank in it."""
    platform.settings = platform.settings.model_copy(update={"home": Path("/home/ann lee/.undertone")})
    platform.controller = platform.new_controller()
    return f"{platform.settings.home}/models/sentiment/2-ab12cd34ef56/model.onnx has 3 bytes, its manifest says 7"


def everything_told(platform) -> str:
    told = commands.history(platform.store, MODEL, platform.clock.now_ms(), 10)
    return f"{platform.status()} {told} {read_listing(platform.store, MODEL)}"


async def test_a_rollout_of_a_version_that_does_not_load_names_its_file_alone_and_the_log_all(platform, said, caplog):
    platform.target.broken[2] = said
    platform.start()
    told = await platform.until("aborted")
    assert told["reason"] == "version 2 does not load: model.onnx has 3 bytes, its manifest says 7"
    assert "/home" not in everything_told(platform)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [f"Serve reports of version 2: {said}"]


async def test_a_rollout_of_a_version_that_is_refused_names_its_file_alone_and_the_log_all(platform, said, caplog):
    async def check(version: int) -> dict[str, float]:
        raise ModelRejected(said)

    platform.target.check = check
    platform.start()
    told = await platform.until("aborted")
    assert told["reason"] == "version 2 is refused: model.onnx has 3 bytes, its manifest says 7"
    assert "/home" not in everything_told(platform)
    assert f"version 2 is refused: {said}" in caplog.messages


async def test_the_list_of_models_names_the_file_alone(platform, said):
    platform.target.broken[2] = said
    await Rollouts(platform.store, platform.settings, platform.clock.now_ms).put_split({"b": 2})
    await platform.rounds(5)
    [problem] = [row["problem"] for row in read_listing(platform.store, MODEL) if row["version"] == 2]
    assert problem.startswith("does not load: model.onnx has 3 bytes, its manifest says 7 (attempt 1;")


async def test_what_serve_says_again_and_again_is_logged_once(platform, said, caplog):
    platform.target.broken[2] = said
    await Rollouts(platform.store, platform.settings, platform.clock.now_ms).put_split({"b": 2})
    await platform.rounds(30)
    assert caplog.messages.count(f"Serve reports of version 2: {said}") == 1
