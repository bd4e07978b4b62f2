"""From what a file calls its labels to the platform's names: numbers never get a meaning that nobody gave them."""

from __future__ import annotations

from typing import Any, Final

from sentiment.datasets.source.label_set import smallest_set
from sentiment.datasets.source.label_spec import ALIASES, EXAMPLES, LabelSpec, is_number, parse_labels, value_key
from sentiment.errors import InvalidInput
from sentiment.labels import THREE_CLASSES

#: What programs write for a label that is missing; a name in `--labels` comes first.
_SHOWN_CHARACTERS: Final = 100
_MISSING: Final = frozenset({"", "nan", "null", "none", "n/a", "na", "<na>"})


class Labelling:
    """Reads the labels of one source and remembers what it has seen, since a source may not mix two ways of writing.

    `spec` is what `--labels` was given (see `sentiment.datasets.source.label_spec`): with pairs nothing else is known,
    with None the labels are names. `label_set` is the one that the labels in `spec` make up.
    """

    def __init__(self, spec: str | None = None) -> None:
        self._spec = LabelSpec() if spec is None else parse_labels(spec)
        self._first: tuple[str, str, str] | None = None
        self.label_set = smallest_set(self._spec.labels)

    def knows(self, raw: str) -> bool:
        """Tell whether `raw`, a folder's name, stands for a label."""
        return value_key(raw) in (self._spec.pairs or ALIASES)

    @property
    def chooses(self) -> bool:
        """Whether pairs were given, so that what is not among them is not wanted."""
        return bool(self._spec.pairs)

    def read(self, raw: Any, where: str) -> str | None:
        """Return the label that `raw` stands for; None if it is empty. `where` names the row in errors.

        Raises:
            InvalidInput: it stands for none, it is a number without a meaning, or names and numbers are mixed.
        """
        key, value = value_key(raw), _shortened(plain_cell(raw))
        if key in self._spec.pairs:
            return self._spec.pairs[key]
        if key in _MISSING:
            return None
        if self._spec.pairs:
            raise self._unpaired(value, where)
        kind = "number" if is_number(key) else "name"
        self._check_mixture(kind, value, where)
        return self._numbered(key, value, where) if kind == "number" else _named(key, value, where)

    def _unpaired(self, value: str, where: str) -> InvalidInput:
        return InvalidInput(
            f"{where} has the label {value!r}; --labels gives a meaning to {', '.join(self._spec.pairs)} only. Add "
            f"{_as_given(value)}=…, with {', '.join(THREE_CLASSES)} to choose from.",
            "labels",
        )

    def _numbered(self, key: str, value: str, where: str) -> str:
        names = self._spec.names
        if not names:
            raise InvalidInput(f"{where} has the label {value}: say what the numbers mean: {EXAMPLES}.", "labels")
        if not key.isdecimal() or int(key) >= len(names):
            raise InvalidInput(
                f"{where} has the label {value}; --labels {','.join(names)} gives a meaning to 0 to {len(names) - 1} "
                "only. Give each number its own, as --labels 0=negative,2=neutral,4=positive.",
                "labels",
            )
        return names[int(key)]

    def _check_mixture(self, kind: str, value: str, where: str) -> None:
        if self._first is None:
            self._first = (kind, value, where)
        elif self._first[0] != kind:
            _, before, there = self._first
            raise InvalidInput(
                f"The labels are mixed: {there} has {before!r}, {where} has {value!r}. Give every one a meaning, as "
                f"--labels {_as_given(before)}=…,{_as_given(value)}=…, or write them alike.",
                "labels",
            )


def plain_cell(raw: Any) -> str:
    """Return a cell as text: nothing for an empty one, and no fraction where the number has none."""
    if raw is None or raw != raw:  # NaN, which pandas writes for an empty cell
        return ""
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    return str(raw).strip()


def _shortened(value: str) -> str:
    return value if len(value) <= _SHOWN_CHARACTERS else f"{value[: _SHOWN_CHARACTERS - 1]}…"


def _named(key: str, value: str, where: str) -> str:
    if label := ALIASES.get(key):
        return label
    raise InvalidInput(
        f"{where} has the label {value!r}, which is none of {', '.join(THREE_CLASSES)}: say what it means, as "
        f"--labels {_as_given(value)}=positive,…, or in a YAML file.",
        "labels",
    )


def _as_given(value: str) -> str:
    """Return a value as it is to be written in `--labels`: quoted, for the shell too, where that is needed."""
    if "," in value or '"' in value:
        quoted = value.replace('"', '""')
        return f"'\"{quoted}\"'"
    return f'"{value}"' if " " in value else value
