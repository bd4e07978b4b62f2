"""The meaning of the rows of a classifier's head: by its config.json, or as `--labels` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sentiment.datasets.source.label_spec import ALIASES, LabelSpec, value_key
from sentiment.errors import InvalidInput, ModelRejected
from sentiment.labels import LABEL_SETS
from sentiment.validation_messages import listed, shown
from sentiment.version import CONFIG

_SINGLE: Final = "single_label_classification"
_UNNAMED: Final = "label_"
_OTHER_PROBLEMS: Final = {
    "multi_label_classification": "several independent labels",
    "regression": "a number and not a label",
}
#: Fields of config.json, and of sentence-transformers, with the activation after the logits.
_ACTIVATIONS: Final = ("function_to_apply", "activation_fn", "sbert_ce_default_activation_function")
_MOST_NAMES: Final = 12


@dataclass(frozen=True)
class HeadLabels:
    """The meaning of a head's rows."""

    labels: tuple[str, ...]
    """Our label set."""
    rows: tuple[int, ...]
    """For each row, the position of its label in `labels`."""
    names: tuple[str, ...]
    """For each row, the model's own name of its label."""

    @property
    def order(self) -> tuple[int, ...] | None:
        """The rows in the order of our labels; None if several rows mean one label."""
        is_one_each = len(self.rows) == len(self.labels)
        return tuple(self.rows.index(place) for place in range(len(self.labels))) if is_one_each else None

    @property
    def meanings(self) -> str:
        """Each name with its label, for a card."""
        return ", ".join(
            name if value_key(name) == (label := self.labels[row]) else f"{name} = {label}"
            for name, row in zip(self.names, self.rows, strict=True)
        )


def require_one_label(origin: Mapping[str, Any], folder: Path) -> None:
    """Check in its config.json that a model gives a text exactly one label.

    Raises:
        ModelRejected: it gives several independent labels or a number, or has a sigmoid after each logit.
    """
    problem = origin.get("problem_type")
    if problem not in (None, _SINGLE):
        kind = _OTHER_PROBLEMS.get(str(problem), f"something else than {_SINGLE}")
        raise ModelRejected(
            f"{folder} predicts {kind} (problem_type {shown(problem)} in its {CONFIG}), but a version here must "
            "predict one label by a softmax. Fine-tune it for that with preset `hub`"
        )
    squashed = [field for field in _ACTIVATIONS if "sigmoid" in str(_applied(origin, field)).lower()]
    if squashed:
        raise ModelRejected(
            f"{folder} has a sigmoid after each output ({squashed[0]} {shown(_applied(origin, squashed[0]))} in its "
            f"{CONFIG}), as for independent labels or a number, but a version here must predict one label by a "
            "softmax. Fine-tune it for that with preset `hub`"
        )


def _applied(origin: Mapping[str, Any], field: str) -> Any:
    inner = origin.get("sentence_transformers")
    return origin.get(field) or (inner.get(field) if isinstance(inner, dict) else None) or ""


def names_in(origin: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """Return the names of a model's labels in the order of its head's rows, as its config.json has them.

    Raises:
        ModelRejected: the keys of `id2label` are not 0, 1, 2 …
    """
    id2label = origin.get("id2label") or {}
    if not isinstance(id2label, dict) or sorted(map(str, id2label)) != sorted(map(str, range(len(id2label)))):
        raise ModelRejected(f"{folder / CONFIG}: id2label must have a name for each row of the head: 0, 1, 2 …")
    names = {str(place): str(name).strip() for place, name in id2label.items()}
    return tuple(names[str(place)] for place in range(len(names)))


def read_head_labels(origin: Mapping[str, Any], head_rows: int, spec: LabelSpec | None, folder: Path) -> HeadLabels:
    """Return the meaning of the `head_rows` rows of a head.

    `spec` is the parsed `--labels`: labels in the order of the rows, or a label for each name or number of a row. None
    takes the model's own names.

    Raises:
        ModelRejected: the head has only one row, or another number of rows than names; or no label set has its names.
        InvalidInput: its rows have no names and `spec` is None, `spec` does not fit the rows, or the names contradict
            the order of its labels.
    """
    names = names_in(origin, folder)
    if head_rows < 2:
        raise ModelRejected(
            f"{folder} has a head of one row: it predicts a number (a regression) and not a label. Name a classifier"
        )
    if names and len(names) != head_rows:
        raise ModelRejected(
            f"{folder} has a head of {head_rows} rows, but its {CONFIG} names {len(names)} labels ({_some(names)}): "
            "they are not of one model. Correct id2label by the model's card"
        )
    meanings = _given(spec, names, head_rows, folder) if spec else _own(names, origin, head_rows, folder)
    labels = next((label_set for label_set in LABEL_SETS.values() if set(label_set) == set(meanings)), None)
    if labels is None:
        present = [label for label in ALIASES.values() if label in meanings]
        raise InvalidInput(
            f"{folder}: its rows mean {listed(dict.fromkeys(present))} only; a version here needs {_sets()}.",
            "labels",
        )
    return HeadLabels(labels, tuple(labels.index(meaning) for meaning in meanings), names or _numbers(head_rows))


def _own(names: Sequence[str], origin: Mapping[str, Any], head_rows: int, folder: Path) -> list[str]:
    """Return the labels that a model's own names mean."""
    if not names or all(name.lower().startswith(_UNNAMED) for name in names):
        raise InvalidInput(
            f"{folder} does not say what its {head_rows} labels mean; name them in their order (see its card): "
            "--labels negative,neutral,positive.",
            "labels",
        )
    _require_agreement(names, origin.get("label2id"), folder)
    meanings = [ALIASES.get(value_key(name), "") for name in names]
    if not all(meanings) or len(set(meanings)) != len(meanings):
        raise ModelRejected(
            f"{folder} has the labels {_some(names)}, but a version here needs {_sets()}. Say which of these each of "
            f"them means: --labels '{quoted(names[0])}=negative,{quoted(names[1])}=…'"
        )
    return meanings


def _require_agreement(names: Sequence[str], places: Any, folder: Path) -> None:
    """Refuse a label2id with the same names in another order; one with other names is unused and ignored."""
    if not isinstance(places, dict) or set(places) != set(names):
        return
    for place, name in enumerate(names):
        if str(places[name]) != str(place):
            raise ModelRejected(
                f"{folder / CONFIG} contradicts itself: id2label has {name!r} as {place}, label2id as {places[name]}. "
                "Correct it by the model's card, or say what the rows mean: --labels 0=negative,1=…"
            )


def _given(spec: LabelSpec, names: Sequence[str], head_rows: int, folder: Path) -> list[str]:
    """Return the labels of the rows as `--labels` says."""
    rows = f"{folder} has {head_rows} rows in its head{f' ({_some(names)})' if names else ''}"
    if spec.names:
        if len(spec.names) != head_rows:
            raise InvalidInput(
                f"{listed(spec.names)} are {len(spec.names)} labels, but {rows}. Give a label to each row: --labels "
                f"'{quoted((names or _numbers(head_rows))[0])}=negative,…'.",
                "labels",
            )
        _require_order(spec.names, names, folder)
        return list(spec.names)
    keys = [value_key(name) for name in names]
    if not names or not spec.pairs.keys() <= set(keys):  # by the rows' numbers, or with a wrong name
        numbers = list(_numbers(head_rows))
        keys = numbers if not names or spec.pairs.keys() <= set(numbers) else keys
    for key in spec.pairs:
        if key not in keys:
            raise InvalidInput(f"--labels gives a label to {key!r}, which is not a row: {rows}.", "labels")
    shown_names = names or _numbers(head_rows)
    missing = [name for name, key in zip(shown_names, keys, strict=True) if key not in spec.pairs]
    if missing:
        raise InvalidInput(f"--labels gives no label to {_some(missing)}: {rows}. Give a label to each.", "labels")
    return [spec.pairs[key] for key in keys]


def _require_order(labels: Sequence[str], names: Sequence[str], folder: Path) -> None:
    """Refuse labels in an order that the model's own names contradict; unknown names are ignored."""
    wrong = [
        (name, label)
        for name, label in zip(names, labels, strict=False)
        if ALIASES.get(value_key(name), label) != label
    ]
    if wrong:
        pairs = ",".join(f"{quoted(name)}={label}" for name, label in zip(names, labels, strict=True))
        raise InvalidInput(
            f"--labels {','.join(labels)} contradicts {folder / CONFIG}, whose id2label has {_some(names)} in that "
            f"order: {wrong[0][0]} would be called {wrong[0][1]}. Leave --labels out if id2label is right; if it is "
            f"wrong, give a label to each name: --labels '{pairs}'.",
            "labels",
        )


def quoted(name: str) -> str:
    """Return a name in the form for `--labels`."""
    return '"' + name.replace('"', '""') + '"' if any(sign in name for sign in ',"') else name


def _numbers(rows: int) -> tuple[str, ...]:
    return tuple(map(str, range(rows)))


def _some(names: Sequence[str]) -> str:
    return listed(names[:_MOST_NAMES]) + (" …" if len(names) > _MOST_NAMES else "")


def _sets() -> str:
    return " or ".join(listed(labels) for labels in LABEL_SETS.values())
