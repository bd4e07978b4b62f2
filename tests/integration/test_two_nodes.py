"""Two nodes of one cluster whose disks are not the same: told before anything is trained."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

pytest.importorskip("torch", reason="training needs the train extra")
ray = pytest.importorskip("ray", reason="training needs the train extra")

from ray.cluster_utils import Cluster  # noqa: E402

from sentiment.datasets import open_datasets  # noqa: E402
from sentiment.errors import InvalidInput  # noqa: E402
from sentiment.models.zoo import save_model  # noqa: E402
from sentiment.settings import Settings, load_settings  # noqa: E402
from sentiment.training.config import TrainConfig  # noqa: E402
from tests.tiny_training import TINY, examples, tiny_start  # noqa: E402
from train_jobs.train.ray_train import run_training  # noqa: E402

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.skipif(os.geteuid() != 0, reason="another disk for the second node takes a mount"),
]
_ROOT: Final = Path(__file__).parents[2]
_START_S: Final = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = load_settings(home=tmp_path)
    (tmp_path / "kept").mkdir()
    open_datasets(found).push("toys", examples(60), source="tests")
    save_model(tiny_start(), tmp_path / "backbone")
    return found


@contextmanager
def two_nodes(hidden: Path) -> Iterator[None]:
    """Run a cluster of two nodes, the second of which sees an empty folder in the place of `hidden`."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    start = [
        str(Path(sys.executable).with_name("ray")),
        "start",
        "--address",
        cluster.address,
        "--num-cpus=1",
        "--block",
    ]
    command = f'mount -t tmpfs none "{hidden}" && exec "$@"'
    second = psutil.Popen(
        ["unshare", "-m", "sh", "-c", command, "sh", *start],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ray.init(address=cluster.address, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": str(_ROOT)}})
    try:
        until = time.monotonic() + _START_S
        while len(ray.nodes()) < 2:
            assert time.monotonic() < until, "the second node did not come"
            time.sleep(0.5)
        yield
    finally:
        ray.shutdown()
        processes = [*second.children(recursive=True), second]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=30)
        second.wait(timeout=30)
        cluster.shutdown()
        del cluster
        gc.collect()  # while the warnings of Ray's own processes, which it does not wait for, are left out


def config_of(settings: Settings) -> TrainConfig:
    return replace(TINY, model="minilm", backbone=str(settings.home / "backbone"), threads=1)


@pytest.mark.parametrize(
    ("hidden", "field", "told"),
    [
        ("kept", "storage", r"the file that the driver wrote is not there\. .*--storage a folder on a shared disk"),
        ("datasets", "data", r"There is no dataset toys.*UNDERTONE_DATASETS"),
    ],
)
def test_a_node_that_does_not_see_storage_or_data_is_named_before_anything_is_trained(
    hidden: str, field: str, told: str, settings: Settings
) -> None:
    begun: list[Any] = []
    with two_nodes(settings.home / hidden), pytest.raises(InvalidInput, match=told) as caught:
        run_training(
            config_of(settings),
            storage_path=str(settings.home / "kept"),
            workers=2,
            settings=settings,
            on_begin=lambda: begun.append("begun"),
        )
    assert caught.value.field == field
    assert begun == []
