"""Search of versions: conditions such as `metrics.validation_macro_recall > 0.7 and tags.dataset = 'tweets@3'`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final

from sentiment.errors import InvalidInput
from sentiment.registry.lineage import Lineage
from sentiment.registry.records import RegisteredVersion

_CONDITION: Final = re.compile(
    r"""\s*(?P<field>[A-Za-z_][\w.@-]*)\s*(?P<operator>>=|<=|!=|=|>|<)\s*(?P<value>'[^']*'|"[^"]*"|[^\s'"]+)\s*"""
)
_AND: Final = re.compile(r"and\s", re.IGNORECASE)
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = MappingProxyType(
    {
        ">=": operator.ge,
        "<=": operator.le,
        "!=": operator.ne,
        "=": operator.eq,
        ">": operator.gt,
        "<": operator.lt,
    }
)
_TEXT_OPERATORS: Final = ("=", "!=")
_TEXT_FIELDS: Final = ("origin", "digest", "alias", "labels")
_TAG: Final = "tags."
_METRIC: Final = "metrics."
#: Tags that a version may have; those of gates are named by their gates.
_LINEAGE: Final = frozenset(field.name for field in fields(Lineage))
_SHORTEST_DIGEST: Final = 8
_DIGEST: Final = re.compile(rf"(?:sha256:)?([0-9a-f]{{{_SHORTEST_DIGEST},64}})", re.IGNORECASE)
#: What the names of metrics on held-out texts begin with.
VALIDATION: Final = "validation_"
_HOW: Final = "write conditions such as metrics.validation_macro_recall > 0.7 and origin = 'trained'"


@dataclass(frozen=True)
class Condition:
    """`field operator value`; numbers compare as numbers, all else as text."""

    field: str
    operator: str
    value: str

    @property
    def metric(self) -> str:
        """The metric's name, empty if the condition is on something else."""
        return self.field.removeprefix(_METRIC) if self.field.startswith(_METRIC) else ""

    @property
    def tag(self) -> str:
        """The tag's name, empty if the condition is on something else."""
        return self.field.removeprefix(_TAG) if self.field.startswith(_TAG) else ""

    def holds(self, version: RegisteredVersion) -> bool:
        """Return whether `version` meets it; one that lacks the metric or tag does not."""
        compare = _COMPARE[self.operator]
        if self.metric or self.field == "version":
            number = metric_of(version, self.metric) if self.metric else version.version
            return number is not None and compare(number, float(self.value))
        is_met = _TEXTS[self.field](version, self.value) if not self.tag else _tag_is(version, self.tag, self.value)
        return is_met is not None and is_met == (self.operator == "=")


def search_versions(
    versions: Sequence[RegisteredVersion], query: str, others: Sequence[RegisteredVersion] = ()
) -> list[RegisteredVersion]:
    """Return the versions that meet every condition of `query`; `others` are not searched, their metrics are known.

    Raises:
        InvalidInput: the query cannot be read, or asks for a metric or a tag that no version has; says which there are.
    """
    conditions, all_versions = parse_query(query), [*versions, *others]
    for condition in conditions:
        if condition.metric and all(metric_of(version, condition.metric) is None for version in all_versions):
            _refuse_unknown(condition.metric, all_versions)
        if condition.tag:
            _require_tag(condition.tag, all_versions)
    return [version for version in versions if _all_hold(conditions, version)]


def metric_of(version: RegisteredVersion, name: str) -> float | None:
    """Return a metric of a version, None if it has none of that name.

    What was imported before its metrics were named as those of trainings are has `macro_recall` where these have
    `validation_macro_recall`: either name finds both.
    """
    plain = name.removeprefix(VALIDATION)
    spellings = (name, plain, f"{VALIDATION}{plain}")
    return next((version.metrics[each] for each in spellings if each in version.metrics), None)


def _refuse_unknown(metric: str, versions: Iterable[RegisteredVersion]) -> None:
    """Raise InvalidInput that lists the metrics there are; nothing where no version has any."""
    metrics = sorted({name for version in versions for name in version.metrics})
    if metrics:
        raise InvalidInput(f"No version has a metric {metric!r}; there are {', '.join(metrics)}.", "search")


def _require_tag(tag: str, versions: Sequence[RegisteredVersion]) -> None:
    """Raise InvalidInput that lists the tags there are, unless a version has, or may have, one of that name."""
    tags = _LINEAGE.union(*(version.tags for version in versions))
    if versions and tag not in tags:
        raise InvalidInput(f"No version has a tag {tag!r}; there are {', '.join(sorted(tags))}.", "search")


def parse_query(query: str) -> list[Condition]:
    """Read conditions joined by `and`.

    Raises:
        InvalidInput: naming what cannot be read.
    """
    conditions, rest = [], query.strip()
    while True:
        match = _CONDITION.match(rest)
        if match is None:
            raise InvalidInput(f"The search cannot be read at {rest!r}; {_HOW}.", "search")
        conditions.append(_condition(match))
        rest = rest[match.end() :]
        if not rest:
            return conditions
        joint = _AND.match(rest)
        if joint is None:
            raise InvalidInput(f"The search cannot be read at {rest!r}: join conditions with `and`.", "search")
        rest = rest[joint.end() :]


def _condition(match: re.Match[str]) -> Condition:
    condition = Condition(_field(match["field"]), match["operator"], match["value"].strip("'\""))
    is_number = condition.metric or condition.field == "version"
    if not is_number and condition.field not in _TEXT_FIELDS and not condition.tag:
        allowed = ", ".join(("metrics.NAME", "tags.NAME", "version", *_TEXT_FIELDS))
        raise InvalidInput(f"A search has no field {condition.field!r}; there are {allowed}.", "search")
    if is_number and not _is_number(condition.value):
        raise InvalidInput(f"{condition.field} is compared with a number, not with {condition.value!r}.", "search")
    if not is_number and condition.operator not in _TEXT_OPERATORS:
        raise InvalidInput(f"{condition.field} is text: compare it with = or !=, not {condition.operator}.", "search")
    if condition.field == "digest" and not _DIGEST.fullmatch(condition.value):
        raise InvalidInput(
            f"A digest is found by its first {_SHORTEST_DIGEST} digits or more (0 to 9, a to f), not by "
            f"{condition.value!r}.",
            "search",
        )
    return condition


def _field(name: str) -> str:
    """Return a field's name; `tags.` before one that is no tag is passed over."""
    bare = name.removeprefix(_TAG)
    return bare if bare in ("version", *_TEXT_FIELDS) or bare.startswith(_METRIC) else name


def _all_hold(conditions: Iterable[Condition], version: RegisteredVersion) -> bool:
    return all(condition.holds(version) for condition in conditions)


def _tag_is(version: RegisteredVersion, tag: str, value: str) -> bool | None:
    """Return whether a version's tag has that value, None if there is no such tag."""
    return version.tags[tag] == value if tag in version.tags else None


def _begins(version: RegisteredVersion, value: str) -> bool:
    match = _DIGEST.fullmatch(value)
    return match is not None and version.digest.startswith(match[1].lower())


def _has_labels(version: RegisteredVersion, value: str) -> bool:
    return set(version.labels) == {label.strip() for label in value.split(",")}


#: How each field that is text is compared with a value.
_TEXTS: Final[Mapping[str, Callable[[RegisteredVersion, str], bool]]] = MappingProxyType(
    {
        "origin": lambda version, value: version.origin == value,
        "digest": _begins,
        "alias": lambda version, value: value in version.aliases,
        "labels": _has_labels,
    }
)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
