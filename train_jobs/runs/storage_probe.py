"""A check, before anything is trained, that all nodes that may run workers see the same storage and the same data."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sentiment.errors import InvalidInput, UndertoneError
from sentiment.training.config import TrainConfig
from train_jobs.runs.capacity import ResourceRequest, alive_nodes, room_on
from train_jobs.train.prepare import RunLocations

_S3: Final = "s3://"
_PROBE: Final = ".undertone-probe"
_ANSWER_S: Final = 60.0
_MOST_NAMED: Final = 5


@dataclass(frozen=True)
class StorageProbe:
    """What a node has to show: that it reads the driver's file, writes one of its own, and finds the data."""

    path: str
    """Folder of the storage."""
    filesystem: Any
    """pyarrow's filesystem that `path` is on."""
    nonce: str
    """Content of the files; tells this probe's from any others."""
    places: RunLocations
    data: tuple[str, ...]
    """References of the dataset versions."""


@dataclass(frozen=True)
class NodeFindings:
    """What is wrong with the storage and with the data on a node, in words; empty if nothing is."""

    storage: str = ""
    data: str = ""


def require_shared(
    path: str, filesystem: Any, config: TrainConfig, need: ResourceRequest, places: RunLocations
) -> None:
    """Check that the driver's node and all nodes with room for a worker see the storage and the data.

    `path` and `filesystem` are as `storage_of` returns them. On a Ray of one node nothing is checked.

    Raises:
        InvalidInput: one of them does not; the message names the nodes and the remedy.
    """
    nodes = _nodes_of(need)
    if len(nodes) < 2:
        return
    data = tuple(ref for ref in (config.data, config.validation) if ref)
    plain = path.removeprefix(_S3)
    probe = StorageProbe(plain, filesystem or _filesystem_of(path), secrets.token_hex(8), places, data)
    with written(probe):
        findings = _ask(nodes, probe)
        lacking = {node: finding.storage or _unanswered(probe, node) for node, finding in findings.items()}
    _refuse_storage(path, nodes, {node: reason for node, reason in lacking.items() if reason})
    _refuse_data(places, nodes, {node: finding.data for node, finding in findings.items() if finding.data})


def look(probe: StorageProbe, node: str) -> NodeFindings:
    """Return what is wrong on this node, and leave a file that shows that it can write; runs on the node itself."""
    return NodeFindings(_look_at_storage(probe, node), _look_at_data(probe))


def _look_at_storage(probe: StorageProbe, node: str) -> str:
    try:
        content = _read(probe.filesystem, _file(probe, ""))
        if content != probe.nonce:
            return "it reads another file than the driver wrote"
        _write(probe.filesystem, _file(probe, node), probe.nonce)
    except FileNotFoundError:
        return "the file that the driver wrote is not there"
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""


def _look_at_data(probe: StorageProbe) -> str:
    try:
        for ref in probe.data:
            probe.places.store.find(ref)
    except UndertoneError as exc:
        return str(exc)
    return ""


def _nodes_of(need: ResourceRequest) -> dict[str, str]:
    """Return the ids and addresses of this process's own node and of all nodes with room for a worker."""
    own = ray.get_runtime_context().get_node_id()
    nodes = [node for node in alive_nodes() if node["NodeID"] == own or room_on(need, node["Resources"])]
    return {node["NodeID"]: node["NodeManagerAddress"] for node in nodes}


def _ask(nodes: Mapping[str, str], probe: StorageProbe) -> dict[str, NodeFindings]:
    task = ray.remote(num_cpus=0, max_retries=0)(look)
    answers = {
        node: task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(probe, node)
        for node in nodes
    }
    ready, _ = ray.wait([*answers.values()], num_returns=len(answers), timeout=_ANSWER_S)
    return {node: _answer(answer, answer in ready) for node, answer in answers.items()}


def _answer(answer: Any, is_ready: bool) -> NodeFindings:
    if not is_ready:
        ray.cancel(answer, force=True)
        return NodeFindings(f"no answer in {_ANSWER_S:.0f} s")
    try:
        findings: NodeFindings = ray.get(answer)
    except ray.exceptions.RayError as exc:
        return NodeFindings(str(exc).strip().splitlines()[-1])
    return findings


def _unanswered(probe: StorageProbe, node: str) -> str:
    """Return what is wrong if a node's own file cannot be read here; empty if it can."""
    try:
        return "" if _read(probe.filesystem, _file(probe, node)) == probe.nonce else "its file has another content"
    except OSError:
        return "the file that it wrote is not visible to the driver"


def _refuse_storage(path: str, nodes: Mapping[str, str], lacking: Mapping[str, str]) -> None:
    if lacking:
        raise InvalidInput(
            f"not all of the {len(nodes)} nodes that a worker may run on share {path}: {_in_words(nodes, lacking)}. "
            "Every node must read and write the checkpoints: give --storage a folder on a shared disk, or "
            "s3://BUCKET/PREFIX with its keys in the environment of every node",
            "storage",
        )


def _refuse_data(places: RunLocations, nodes: Mapping[str, str], lacking: Mapping[str, str]) -> None:
    if lacking:
        raise InvalidInput(
            f"not all of the {len(nodes)} nodes that a worker may run on have the data: {_in_words(nodes, lacking)}. "
            f"Every node must read {places.datasets}: set UNDERTONE_DATASETS to a folder on a shared disk, or to "
            "s3://BUCKET/PREFIX",
            "data",
        )


def _in_words(nodes: Mapping[str, str], lacking: Mapping[str, str]) -> str:
    named = [f"{nodes[node]}: {reason.rstrip('.')}" for node, reason in lacking.items()]
    more = [f"{len(named) - _MOST_NAMED} more"] if len(named) > _MOST_NAMED else []
    return "; ".join([*named[:_MOST_NAMED], *more])


@contextmanager
def written(probe: StorageProbe) -> Iterator[None]:
    """Write the driver's file while the block runs; delete all files of the probe afterwards.

    Raises:
        InvalidInput: this process cannot write to the storage.
    """
    try:
        _write(probe.filesystem, _file(probe, ""), probe.nonce)
    except OSError as exc:
        raise InvalidInput(f"{probe.path} cannot be written ({exc}): name another --storage.", "storage") from exc
    try:
        yield
    finally:
        with suppress(OSError):
            probe.filesystem.delete_dir(_folder(probe))


def _folder(probe: StorageProbe) -> str:
    return f"{probe.path}/{_PROBE}-{probe.nonce}"


def _file(probe: StorageProbe, node: str) -> str:
    return f"{_folder(probe)}/{node or 'driver'}"


def _filesystem_of(path: str) -> Any:
    from pyarrow.fs import LocalFileSystem, S3FileSystem

    return S3FileSystem() if path.startswith(_S3) else LocalFileSystem()


def _read(filesystem: Any, path: str) -> str:
    with filesystem.open_input_stream(path) as stream:
        return str(stream.read().decode())


def _write(filesystem: Any, path: str, text: str) -> None:
    filesystem.create_dir(path.rpartition("/")[0])
    with filesystem.open_output_stream(path) as stream:
        stream.write(text.encode())
