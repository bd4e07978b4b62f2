"""What `--labels` says: which label of the platform each value stands for, on the command line or in a YAML file.

negative,neutral,positive                            what 0, 1 and 2 stand for
0=negative,2=neutral,4=positive                      what each value stands for; a value may hold blanks
'"well, no"=negative,"1 star=bad"=negative'          quoted as in CSV where it has a comma
labels.yaml                                          value: label, a line each; or a list of labels
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sentiment.errors import InvalidInput
from sentiment.labels import NEGATIVE, NEUTRAL, POSITIVE, THREE_CLASSES

#: Names that leave no doubt; those of aclImdb's folders among them. Letter case does not count.
ALIASES: Final[Mapping[str, str]] = {
    "negative": NEGATIVE,
    "neg": NEGATIVE,
    "neutral": NEUTRAL,
    "neu": NEUTRAL,
    "positive": POSITIVE,
    "pos": POSITIVE,
}
#: What to write, for messages.
EXAMPLES: Final = "--labels negative,neutral,positive for 0, 1, 2, or --labels 0=negative,2=neutral,4=positive"
_YAML_ENDINGS: Final = (".yaml", ".yml")
_YAML_FORM: Final = "write a line for each value, such as `4: positive`"
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:e[+-]?[0-9]{1,2})?")
_INVISIBLE: Final = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))
_MINUS: Final = {ord("\N{MINUS SIGN}"): "-"}


@dataclass(frozen=True)
class LabelSpec:
    """Either `names`, the labels that 0, 1, 2 … stand for, or `pairs`, a label for each value by its `value_key`."""

    names: tuple[str, ...] = ()
    pairs: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that are named, in their order."""
        return self.names or tuple(self.pairs.values())


def parse_labels(spec: str) -> LabelSpec:
    """Read what `--labels` was given.

    Raises:
        InvalidInput: a label that the platform does not know, a value or a name twice, no such file, or no YAML. The
            message names what was given and what to write.
    """
    if spec.strip().lower().endswith(_YAML_ENDINGS):
        return _from_yaml(Path(spec.strip()).expanduser())
    entries = _entries(spec)
    if all("=" in entry for entry in entries):
        return _pairs([tuple(entry.rsplit("=", 1)) for entry in entries], spec)
    return _names(entries, spec)


def value_key(raw: Any) -> str:
    """Return the one form of all ways to write a value; empty for one that is missing (None, NaN, blanks).

    Blanks around it, letter case and the width of characters do not count, nor does how a number is written: 2, "2.0",
    " +2 " and "2e0" are one, as are True, "TRUE" and "true".
    """
    if raw is None or raw != raw:  # NaN, which pandas writes for an empty cell
        return ""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    return _key_of(text)


@lru_cache(maxsize=4096)  # a million rows have a handful of labels
def _key_of(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
    key = " ".join(plain.split()).casefold()
    digits = "".join(str(unicodedata.decimal(character, character)) for character in key)
    return _number(digits.translate(_MINUS)) or key


def is_number(key: str) -> bool:
    """Return whether a `value_key` is a number's."""
    return _NUMBER.fullmatch(key) is not None


def _number(text: str) -> str:
    if not is_number(text):
        return ""
    value = Decimal(text)
    whole = value == value.to_integral_value()
    return str(int(value)) if whole else f"{value.normalize():f}"


def _entries(spec: str) -> list[str]:
    try:
        (entries,) = csv.reader([spec], skipinitialspace=True, strict=False)
    except (csv.Error, ValueError):
        entries = [""]
    return [entry.strip() for entry in entries or [""]]


def _pairs(pairs: Iterable[tuple[str, ...]], option: str) -> LabelSpec:
    meanings: dict[str, str] = {}
    for value, name in pairs:
        key = value_key(value)
        if not key:
            raise InvalidInput(f"--labels {option}: no value stands before {name!r}. Write {EXAMPLES}.", "labels")
        if key in meanings:
            raise InvalidInput(
                f"--labels {option}: {value.strip()!r} stands there twice (letter case, blanks and how a number is "
                "written do not count). Give each value once.",
                "labels",
            )
        meanings[key] = _meaning(name, option)
    return LabelSpec(pairs=meanings)


def _names(entries: Iterable[str], option: str) -> LabelSpec:
    names = tuple(_meaning(entry, option) for entry in entries)
    if len(set(names)) != len(names):
        raise InvalidInput(
            f"--labels {option} has a label twice. If several numbers mean the same label, give one to each number: "
            "--labels 0=negative,1=negative,2=neutral.",
            "labels",
        )
    return LabelSpec(names)


def _meaning(name: str, option: str) -> str:
    if label := ALIASES.get(value_key(name)):
        return label
    raise InvalidInput(
        f"--labels {option}: {name!r} is none of {', '.join(THREE_CLASSES)}. Write {EXAMPLES}, or name a YAML file.",
        "labels",
    )


def _from_yaml(path: Path) -> LabelSpec:
    try:
        import yaml
    except ModuleNotFoundError as exc:
        raise InvalidInput(f"{path} needs PyYAML to be read: pip install pyyaml.", "labels") from exc
    try:
        node = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except FileNotFoundError as exc:
        raise InvalidInput(f"--labels {path}: there is no such file.", "labels") from exc
    except (OSError, UnicodeError, RecursionError) as exc:
        raise InvalidInput(f"--labels {path}: it cannot be read ({exc}).", "labels") from exc
    except yaml.YAMLError as exc:
        raise InvalidInput(f"--labels {path}: it is no YAML ({_problem(exc)}); {_YAML_FORM}.", "labels") from exc
    if isinstance(node, yaml.MappingNode) and node.value:
        return _pairs(((_plain(key, path), _plain(value, path)) for key, value in node.value), str(path))
    if isinstance(node, yaml.SequenceNode) and node.value:
        return _names([_plain(entry, path) for entry in node.value], str(path))
    raise InvalidInput(
        f"--labels {path}: it holds neither values with their labels nor a list; {_YAML_FORM}.", "labels"
    )


def _plain(node: Any, path: Path) -> str:
    """Return a scalar as it is written, so that `no` and `1.0` stay what the file has. Raises InvalidInput else."""
    if isinstance(node.value, str):
        return node.value
    line = node.start_mark.line + 1
    raise InvalidInput(f"--labels {path}, line {line}: a value has one label, no list; {_YAML_FORM}.", "labels")


def _problem(exc: Any) -> str:
    """Return what PyYAML found wrong, with its line where it knows that."""
    mark = getattr(exc, "problem_mark", None)
    return f"line {mark.line + 1}: {exc.problem}" if mark else str(exc).partition("\n")[0]
