"""Whether all nodes that may get workers see the same storage and data: asked of each before anything is trained."""

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
from train_jobs.runs.capacity import Need, alive_nodes, room_on
from train_jobs.train.prepare import Places

_S3: Final = "s3://"
_PROBE: Final = ".undertone-probe"
_ANSWER_S: Final = 60.0
_MOST_NAMED: Final = 5


@dataclass(frozen=True)
class Probe:
    """What a node is asked: to read what was written at `path` on a filesystem, to answer there, to find the data."""

    path: str
    filesystem: Any
    nonce: str
    places: Places
    data: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What a node lacks, in words, empty if nothing: the storage, the data."""

    storage: str = ""
    data: str = ""


def require_shared(path: str, filesystem: Any, config: TrainConfig, need: Need, places: Places) -> None:
    """Refuse a storage or data that one of the nodes does not see which may get workers, or which drives.

    `path` and `filesystem` are as `storage_of` returns them. A Ray of one node is asked nothing.

    Raises:
        InvalidInput: naming the nodes, the place and the remedy.
    """
    asked = _nodes_of(need)
    if len(asked) < 2:
        return
    data = tuple(ref for ref in (config.data, config.validation) if ref)
    plain = path.removeprefix(_S3)
    probe = Probe(plain, filesystem or _filesystem_of(path), secrets.token_hex(8), places, data)
    with written(probe):
        seen = _ask(asked, probe)
        lacking = {node: found.storage or _unanswered(probe, node) for node, found in seen.items()}
    _refuse_storage(path, asked, {node: reason for node, reason in lacking.items() if reason})
    _refuse_data(places, asked, {node: found.data for node, found in seen.items() if found.data})


def look(probe: Probe, node: str) -> Seen:
    """Return what this node lacks; to be called on it. What it writes shows that it may write there."""
    return Seen(_look_at_storage(probe, node), _look_at_data(probe))


def _look_at_storage(probe: Probe, node: str) -> str:
    try:
        found = _read(probe.filesystem, _file(probe, ""))
        if found != probe.nonce:
            return "something else is there"
        _write(probe.filesystem, _file(probe, node), probe.nonce)
    except FileNotFoundError:
        return "what the driver wrote is not there"
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""


def _look_at_data(probe: Probe) -> str:
    try:
        for ref in probe.data:
            probe.places.store.find(ref)
    except UndertoneError as exc:
        return str(exc)
    return ""


def _nodes_of(need: Need) -> dict[str, str]:
    """Return the ids and addresses of the nodes that have room for a worker, and of the one that this process is on."""
    own = ray.get_runtime_context().get_node_id()
    nodes = [node for node in alive_nodes() if node["NodeID"] == own or room_on(need, node["Resources"])]
    return {node["NodeID"]: node["NodeManagerAddress"] for node in nodes}


def _ask(nodes: Mapping[str, str], probe: Probe) -> dict[str, Seen]:
    task = ray.remote(num_cpus=0, max_retries=0)(look)
    answers = {
        node: task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(probe, node)
        for node in nodes
    }
    ready, _ = ray.wait([*answers.values()], num_returns=len(answers), timeout=_ANSWER_S)
    return {node: _answer(answer, answer in ready) for node, answer in answers.items()}


def _answer(answer: Any, is_ready: bool) -> Seen:
    if not is_ready:
        ray.cancel(answer, force=True)
        return Seen(f"no answer in {_ANSWER_S:.0f} s")
    try:
        found: Seen = ray.get(answer)
    except ray.exceptions.RayError as exc:
        return Seen(str(exc).strip().splitlines()[-1])
    return found


def _unanswered(probe: Probe, node: str) -> str:
    """Return what to say of a node that read what was there and whose answer does not arrive here."""
    try:
        return "" if _read(probe.filesystem, _file(probe, node)) == probe.nonce else "its answer is another"
    except OSError:
        return "what it writes does not arrive here"


def _refuse_storage(path: str, nodes: Mapping[str, str], lacking: Mapping[str, str]) -> None:
    if lacking:
        raise InvalidInput(
            f"not all of the {len(nodes)} nodes that a worker may be on share {path}: {_in_words(nodes, lacking)}. "
            "Checkpoints must lie where every node reads and writes them: give --storage a folder on a shared disk, "
            "or s3://BUCKET/PREFIX with its keys in the environment of every node",
            "storage",
        )


def _refuse_data(places: Places, nodes: Mapping[str, str], lacking: Mapping[str, str]) -> None:
    if lacking:
        raise InvalidInput(
            f"not all of the {len(nodes)} nodes that a worker may be on have the data: {_in_words(nodes, lacking)}. "
            f"{places.datasets} must be where every node reads it: set UNDERTONE_DATASETS to a folder on a shared "
            "disk, or to s3://BUCKET/PREFIX",
            "data",
        )


def _in_words(nodes: Mapping[str, str], lacking: Mapping[str, str]) -> str:
    named = [f"{nodes[node]}: {reason.rstrip('.')}" for node, reason in lacking.items()]
    more = [f"{len(named) - _MOST_NAMED} more"] if len(named) > _MOST_NAMED else []
    return "; ".join([*named[:_MOST_NAMED], *more])


@contextmanager
def written(probe: Probe) -> Iterator[None]:
    """Have what nodes are to read in the storage while the block runs, and nothing of it afterwards.

    Raises:
        InvalidInput: this process cannot write there.
    """
    try:
        _write(probe.filesystem, _file(probe, ""), probe.nonce)
    except OSError as exc:
        raise InvalidInput(f"{probe.path} cannot keep checkpoints ({exc}): name another --storage.", "storage") from exc
    try:
        yield
    finally:
        with suppress(OSError):
            probe.filesystem.delete_dir(_folder(probe))


def _folder(probe: Probe) -> str:
    return f"{probe.path}/{_PROBE}-{probe.nonce}"


def _file(probe: Probe, node: str) -> str:
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
