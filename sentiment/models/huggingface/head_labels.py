"""What the rows of a classifier's head mean: by its config.json, or as `--labels` says. One label a text, or none."""

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
    "multi_label_classification": "several labels of a text, each yes or no by itself",
    "regression": "a number, and no label",
}
#: Where config.json or the files of sentence-transformers say what is done to the logits.
_ACTIVATIONS: Final = ("function_to_apply", "activation_fn", "sbert_ce_default_activation_function")
_MOST_NAMES: Final = 12


@dataclass(frozen=True)
class HeadLabels:
    """`labels` is our label set; `rows[i]` is the place in it of what row i of the head means, `names[i]` its name."""

    labels: tuple[str, ...]
    rows: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def order(self) -> tuple[int, ...] | None:
        """The rows in the order of our labels, None where several rows mean one label."""
        is_one_each = len(self.rows) == len(self.labels)
        return tuple(self.rows.index(place) for place in range(len(self.labels))) if is_one_each else None

    @property
    def meanings(self) -> str:
        """Each name with the label that it stands for, for a card."""
        return ", ".join(
            name if value_key(name) == (label := self.labels[row]) else f"{name} = {label}"
            for name, row in zip(self.names, self.rows, strict=True)
        )


def require_one_label(origin: Mapping[str, Any], folder: Path) -> None:
    """Refuse a model that tells no one label of a text, by its config.json.

    Raises:
        ModelRejected: it tells several independent labels or a number, or squashes each logit by itself.
    """
    problem = origin.get("problem_type")
    if problem not in (None, _SINGLE):
        tells = _OTHER_PROBLEMS.get(str(problem), f"something else than {_SINGLE}")
        raise ModelRejected(
            f"{folder} tells {tells} (problem_type {shown(problem)} in its {CONFIG}); versions here tell one label of "
            "a text, by a softmax. Fine-tune it for that, as preset `hub`"
        )
    squashed = [field for field in _ACTIVATIONS if "sigmoid" in str(_applied(origin, field)).lower()]
    if squashed:
        raise ModelRejected(
            f"{folder} squashes each of its outputs by itself ({squashed[0]} {shown(_applied(origin, squashed[0]))} in "
            f"its {CONFIG}), as for independent labels or a number; versions here tell one label of a text"
        )


def _applied(origin: Mapping[str, Any], field: str) -> Any:
    inner = origin.get("sentence_transformers")
    return origin.get(field) or (inner.get(field) if isinstance(inner, dict) else None) or ""


def names_in(origin: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """Return the names of a model's labels in the order of its head's rows, as its config.json has them.

    Raises:
        ModelRejected: the places of `id2label` are not 0, 1, 2 …
    """
    known = origin.get("id2label") or {}
    if not isinstance(known, dict) or sorted(map(str, known)) != sorted(map(str, range(len(known)))):
        raise ModelRejected(f"{folder / CONFIG}: id2label must name each row of the head by its number, from 0 on")
    names = {str(place): str(name).strip() for place, name in known.items()}
    return tuple(names[str(place)] for place in range(len(names)))


def read_head_labels(origin: Mapping[str, Any], head_rows: int, spec: LabelSpec | None, folder: Path) -> HeadLabels:
    """Return what the `head_rows` rows of a head mean.

    `spec` is what `--labels` says: names in the order of the rows, or a label for each name or number of a row. None
    takes the names that the model itself has.

    Raises:
        ModelRejected: the head has one row only, or other rows than names; or its names are of no label set of ours.
        InvalidInput: its rows have no names and `spec` is None, or `spec` does not fit the rows, or gives labels in an
            order that their names contradict.
    """
    names = names_in(origin, folder)
    if head_rows < 2:
        raise ModelRejected(f"{folder} has a head of one row: it tells a number (a regression), and no label of a text")
    if names and len(names) != head_rows:
        raise ModelRejected(
            f"{folder} has a head of {head_rows} rows, and its {CONFIG} names {len(names)} labels ({_some(names)}): "
            "they are not of one model. Mend id2label by the model's card"
        )
    meanings = _given(spec, names, head_rows, folder) if spec else _own(names, origin, head_rows, folder)
    labels = next((known for known in LABEL_SETS.values() if set(known) == set(meanings)), None)
    if labels is None:
        meant = [label for label in ALIASES.values() if label in meanings]
        raise InvalidInput(
            f"{folder}: its rows stand for {listed(dict.fromkeys(meant))} only; versions here tell {_sets()}.", "labels"
        )
    return HeadLabels(labels, tuple(labels.index(meaning) for meaning in meanings), names or _numbers(head_rows))


def _own(names: Sequence[str], origin: Mapping[str, Any], head_rows: int, folder: Path) -> list[str]:
    """Return what the names that a model has itself stand for."""
    if not names or all(name.lower().startswith(_UNNAMED) for name in names):
        raise InvalidInput(
            f"{folder} does not say what its {head_rows} labels mean; say so in order: "
            "--labels negative,neutral,positive (see its card).",
            "labels",
        )
    _require_agreement(names, origin.get("label2id"), folder)
    meanings = [ALIASES.get(value_key(name), "") for name in names]
    if not all(meanings) or len(set(meanings)) != len(meanings):
        raise ModelRejected(
            f"{folder} answers with labels {_some(names)}; this code knows {_sets()}. Say which of these each of them "
            f"means: --labels '{quoted(names[0])}=negative,{quoted(names[1])}=…'"
        )
    return meanings


def _require_agreement(names: Sequence[str], places: Any, folder: Path) -> None:
    """Refuse a label2id of the same names in other places; one of other names is a leftover that nobody reads."""
    if not isinstance(places, dict) or set(places) != set(names):
        return
    for place, name in enumerate(names):
        if str(places[name]) != str(place):
            raise ModelRejected(
                f"{folder / CONFIG} contradicts itself: id2label has {name!r} as {place}, label2id as {places[name]}. "
                "Mend it by the model's card, or say what the rows mean: --labels 0=negative,1=…"
            )


def _given(spec: LabelSpec, names: Sequence[str], head_rows: int, folder: Path) -> list[str]:
    """Return what the rows stand for by `--labels`."""
    rows = f"{folder} has {head_rows} rows in its head{f' ({_some(names)})' if names else ''}"
    if spec.names:
        if len(spec.names) != head_rows:
            raise InvalidInput(
                f"{listed(spec.names)} are {len(spec.names)} labels; {rows}. Give each its label: --labels "
                f"'{quoted((names or _numbers(head_rows))[0])}=negative,…'.",
                "labels",
            )
        _require_order(spec.names, names, folder)
        return list(spec.names)
    keys = [value_key(name) for name in names]
    if not names or not spec.pairs.keys() <= set(keys):  # by the rows' numbers, or by names of which one is wrong
        numbers = list(_numbers(head_rows))
        keys = numbers if not names or spec.pairs.keys() <= set(numbers) else keys
    for key in spec.pairs:
        if key not in keys:
            raise InvalidInput(f"--labels gives a meaning to {key!r}, which no row has; {rows}.", "labels")
    shown_names = names or _numbers(head_rows)
    missing = [name for name, key in zip(shown_names, keys, strict=True) if key not in spec.pairs]
    if missing:
        raise InvalidInput(f"--labels gives no meaning to {_some(missing)}; {rows}. Give each one a label.", "labels")
    return [spec.pairs[key] for key in keys]


def _require_order(given: Sequence[str], names: Sequence[str], folder: Path) -> None:
    """Refuse labels in an order that the model's own names contradict; names that say nothing are passed over."""
    wrong = [
        (name, label) for name, label in zip(names, given, strict=False) if ALIASES.get(value_key(name), label) != label
    ]
    if wrong:
        pairs = ",".join(f"{quoted(name)}={label}" for name, label in zip(names, given, strict=True))
        raise InvalidInput(
            f"--labels {','.join(given)} contradicts {folder / CONFIG}, whose id2label has {_some(names)} in that "
            f"order: {wrong[0][0]} would be told as {wrong[0][1]}. Leave --labels out where id2label is right; where "
            f"it is wrong, say so for each name: --labels '{pairs}'.",
            "labels",
        )


def quoted(name: str) -> str:
    """Return a name as it is to be written in `--labels`."""
    return '"' + name.replace('"', '""') + '"' if any(sign in name for sign in ',"') else name


def _numbers(rows: int) -> tuple[str, ...]:
    return tuple(map(str, range(rows)))


def _some(names: Sequence[str]) -> str:
    return listed(names[:_MOST_NAMES]) + (" …" if len(names) > _MOST_NAMES else "")


def _sets() -> str:
    return " or ".join(listed(labels) for labels in LABEL_SETS.values())
