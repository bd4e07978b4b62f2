"""A teacher's answers for all texts, logits and the states before its last layer: computed once and cached on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sentiment.errors import InvalidInput
from sentiment.models.bundle import ModelBundle
from sentiment.models.zoo import load_model
from sentiment.predictor import Predictor
from sentiment.training.batching.encoded import TextWithLabel, build_once, content_key, encoded_texts
from sentiment.training.objectives.learner import head_of
from sentiment.training.objectives.objective import TeacherTargets
from sentiment.training.team import Team
from sentiment.training.validation import ValidationSet, held_out_logits
from sentiment.validation_messages import listed
from sentiment.version import ENGINE_FILES, file_facts

_FORMAT: Final = 1
_CHUNK_TEXTS: Final = 1000
_TINY: Final = 1e-9
_WINDOW_TOKENS: Final = 256

Read = Callable[[], Iterable[TextWithLabel]]


def teacher_targets(
    teacher: Path,
    folder: Path,
    digest: str,
    read: Read,
    labels: Sequence[str],
    *,
    states: bool,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> TeacherTargets:
    """Return the answers of the model in the folder `teacher` for the texts that `read` yields, cached below `folder`.

    `digest` identifies the texts. A teacher with weights runs in torch, its logits in `dtype`. One that is only an ONNX
    export gives probabilities, whose logarithms are used as logits.

    Raises:
        InvalidInput: the teacher has other labels, or `states` are requested of an export.
        ModelRejected: the teacher's files are broken or missing.
    """
    has_weights = (teacher / ENGINE_FILES["torch"]).is_file()
    if states and not has_weights:
        raise InvalidInput(
            f"{teacher} has no {ENGINE_FILES['torch']}, so its hidden states cannot be learned: set "
            "distill.hidden_weight to 0, or name a full version",
            "distill",
        )
    facts = "".join(fact.sha256 for fact in file_facts(teacher).values())
    target = folder / f"lesson-{content_key(digest, facts, str(states), str(dtype), str(_FORMAT))}"

    def make(draft: Path) -> None:
        targets = (
            _ask_network(load_model(teacher), folder, digest, read, labels, states, device, dtype)
            if has_weights
            else TeacherTargets(_ask_export(Predictor.load(teacher), read, labels))
        )
        np.save(draft / "logits.npy", targets.logits)
        if targets.states is not None:
            np.save(draft / "states.npy", targets.states)

    build_once(target, make)
    stored_states = np.load(target / "states.npy", mmap_mode="r") if states else None
    return TeacherTargets(np.load(target / "logits.npy", mmap_mode="r"), stored_states)


class _WithStates(nn.Module):
    """A classifier that returns its logits and the states before its last layer together [batch, labels + width]."""

    def __init__(self, start: ModelBundle) -> None:
        super().__init__()
        self._model = start.model
        self._states: list[Tensor] = []
        head_of(start.model, start.config.labels).register_forward_pre_hook(
            lambda _, inputs: self._states.append(inputs[0])
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits = self._model(input_ids, attention_mask)
        return torch.cat([logits, self._states.pop()], dim=1)


def _ask_network(
    start: ModelBundle,
    folder: Path,
    digest: str,
    read: Read,
    labels: Sequence[str],
    states: bool,
    device: str,
    dtype: torch.dtype,
) -> TeacherTargets:
    _require_labels(start.config.labels, labels)
    texts = encoded_texts(folder, digest, read, labels, start.tokenizer, start.steps)
    window = min(getattr(start.config, "positions", _WINDOW_TOKENS), _WINDOW_TOKENS)
    everything = ValidationSet(texts, np.arange(len(texts)), window)
    model = (_WithStates(start) if states else start.model).to(device).eval()
    answers = held_out_logits(model, everything, Team(device=device), dtype)
    wide = len(labels)
    return TeacherTargets(answers[:, :wide], answers[:, wide:] if states else None)


def _ask_export(predictor: Predictor, read: Read, labels: Sequence[str]) -> NDArray[np.float32]:
    _require_labels(len(predictor.labels), labels)
    texts = [example.text for example in read()]
    chunks = (texts[start : start + _CHUNK_TEXTS] for start in range(0, len(texts), _CHUNK_TEXTS))
    rows = [row for chunk in chunks for row in predictor.predict(chunk, gated=False).probabilities]
    logits: NDArray[np.float32] = np.log(np.maximum(np.array(rows), _TINY)).astype(np.float32)
    return logits


def _require_labels(count: int, labels: Sequence[str]) -> None:
    if count != len(labels):
        raise InvalidInput(
            f"the teacher has {count} labels, but the data have {len(labels)} ({listed(labels)}): name a teacher with "
            "these labels",
            "teacher",
        )
