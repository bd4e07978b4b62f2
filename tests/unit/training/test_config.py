"""The configuration of a run: what it takes, what it refuses, and how it is written."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="training needs the train extra")
yaml = pytest.importorskip("yaml", reason="training needs the train extra")

from sentiment.errors import InvalidInput  # noqa: E402
from sentiment.training.config import DistillConfig, TrainConfig, from_mapping  # noqa: E402
from train_jobs.runtime.options import read_options  # noqa: E402
from train_jobs.train.request import assignment, job_of, nested, read_config  # noqa: E402
from train_jobs.train.training_options import DistillOptions  # noqa: E402


def test_a_configuration_survives_yaml_and_pickle() -> None:
    config = TrainConfig(data="tweets@3", overrides={"dropout": 0.2}, steps=("base", "stem"))
    config = replace(config, distill=DistillConfig("models:/sentiment/7"))
    assert from_mapping(yaml.safe_load(yaml.safe_dump(config.to_mapping()))) == config
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("optimizer", "adamx"),
        ("schedule", "stairs"),
        ("monitor", "beauty"),
        ("dtype", "int4"),
        ("windows", "tail"),
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", "many"),
        ("epochs", True),
        ("learning_rate", -1),
        ("learning_rate", None),
        ("learning_rate", float("inf")),
        ("learning_rate", float("nan")),
        ("epochs", float("inf")),
        ("epochs", 10**400),
        ("seed", 2**63),
        ("warm_up", 1.0),
        ("validation_share", -0.1),
        ("patience", 0),
        ("most_steps", 0),
        ("window_tokens", 2),
        ("overrides", 3),
        ("steps", "stem"),
        ("steps", [1]),
        ("model", 7),
        ("distill", "teacher"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_may_be(field: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=rf"^{field}[.0]*: must be") as caught:
        from_mapping({field: value})
    assert caught.value.field.removesuffix(".0") == field


@pytest.mark.parametrize(
    ("field", "value"),
    [("teacher", ""), ("temperature", 0), ("hard_weight", 1.1), ("hidden_weight", -1), ("mixed", -1), ("mixed", 5)],
)
def test_a_wrong_value_of_the_distillation_is_named_with_its_path(field: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=f"distill.{field}"):
        from_mapping({"distill": {"teacher": "folder", field: value}})


def test_an_unknown_field_is_named_and_the_known_ones_are_told() -> None:
    with pytest.raises(InvalidInput, match=r"'learning_speed' is not a field [^\[]*, learning_rate, [^\]]*$"):
        from_mapping({"learning_speed": 1})
    with pytest.raises(InvalidInput, match=r"'distill\.heat'"):
        from_mapping({"distill": {"heat": 1}})


@pytest.mark.parametrize(
    ("steps", "problem"),
    [(["base", "stemm"], "'stemm' is unknown; there are base"), (["base", "base"], "twice")],
)
def test_a_step_that_there_is_not_and_one_named_twice_are_refused(steps: list[str], problem: str) -> None:
    with pytest.raises(InvalidInput, match=f"steps: .*{problem}") as caught:
        from_mapping({"steps": steps})
    assert caught.value.field == "steps"


def test_whole_numbers_stand_for_fractions_and_whole_fractions_for_numbers() -> None:
    config = from_mapping({"learning_rate": 1, "epochs": 2.0})
    assert (config.learning_rate, config.epochs) == (1.0, 2)
    assert isinstance(config.epochs, int)


def test_a_command_line_changes_fields_of_the_configuration(tmp_path) -> None:
    (tmp_path / "best.yaml").write_text("model: cnn\nlearning_rate: 0.001\noverrides: {dropout: 0.5}\n")
    line = ["--config", str(tmp_path / "best.yaml"), "--data", "tweets@3", "--set", "learning_rate=3e-4"]
    line += ["--set", "overrides.dropout=0.1", "--teacher", "models:/sentiment/7", "--workers", "2"]
    job = job_of("distill", read_options(DistillOptions, "distill", "Distil.", line))
    assert (job.config.model, job.config.data, job.config.learning_rate) == ("cnn", "tweets@3", 3e-4)
    assert dict(job.config.overrides) == {"dropout": 0.1}
    assert job.config.distill == DistillConfig("models:/sentiment/7")
    assert job.workers == 2


@pytest.mark.parametrize("given", ["nowhere.yaml", "{", "{a: [}", "{1: 2}"])
def test_a_configuration_that_cannot_be_read_is_named(given: str) -> None:
    with pytest.raises(InvalidInput, match="--config"):
        read_config(given)


def test_an_assignment_without_an_equals_sign_is_refused() -> None:
    assert assignment("patience=2") == ("patience", 2)
    assert assignment("steps=[base,stem]") == ("steps", ["base", "stem"])
    with pytest.raises(InvalidInput, match="FIELD=VALUE"):
        assignment("patience")


@pytest.mark.parametrize("name", ["overrides", "distill"])
def test_fields_that_are_set_in_what_is_no_mapping_are_refused(name: str) -> None:
    for values in ({name: 5, f"{name}.dropout": 0.2}, {name: "text", f"{name}.dropout": 0.2}):
        with pytest.raises(InvalidInput, match=f"^{name} is .*; it must be a mapping") as caught:
            nested(values)
        assert caught.value.field == name


def test_dotted_names_become_nested_ones() -> None:
    assert nested({"distill.teacher": "a", "distill": {"temperature": 3}, "seed": 1}) == {
        "distill": {"teacher": "a", "temperature": 3},
        "seed": 1,
    }
