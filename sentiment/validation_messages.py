"""What is wrong with a value, in plain words and the same everywhere: what is wanted, and what was given."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from pydantic_core import ErrorDetails

_LONGEST_GIVEN: Final = 64
_LONGEST_REASON: Final = 300
#: The part of a sentence that tells what was given.
_TOLD: Final = re.compile(r"[,;][^,;]*\{given\}.*")

#: What pydantic finds, by its type; `{…}` is taken from its context.
_PLAIN: Final = {
    "bool_parsing": "must be true or false, not {given}",
    "bool_type": "must be true or false, not {given}",
    "dataclass_type": "must be an object, not {given}",
    "datetime_from_date_parsing": "must be a time like 2026-01-31T12:00:00Z, not {given}",
    "datetime_parsing": "must be a time like 2026-01-31T12:00:00Z, not {given}",
    "dict_type": "must be an object, not {given}",
    "extra_forbidden": "is not known here; permitted are {permitted}",
    "finite_number": "must be a number that is not infinite, not {given}",
    "float_parsing": "must be a number, not {given}",
    "float_type": "must be a number, not {given}",
    "greater_than": "must be more than {gt}, not {given}",
    "greater_than_equal": "must be {ge} or more, not {given}",
    "int_from_float": "must be a whole number, not {given}",
    "int_parsing": "must be a whole number, not {given}",
    "int_parsing_size": "has too many digits",
    "int_type": "must be a whole number, not {given}",
    "json_invalid": "is not JSON: {error}",
    "less_than": "must be less than {lt}, not {given}",
    "less_than_equal": "must be {le} or less, not {given}",
    "list_type": "must be an array, not {given}",
    "literal_error": "must be {expected}, not {given}",
    "missing": "is missing",
    "model_type": "must be an object, not {given}",
    "path_type": "must be a path, not {given}",
    "string_pattern_mismatch": "{rule}",
    "string_sub_type": "must be a string, not {given}",
    "string_too_long": "may have {max_length} characters at most, not {length}",
    "string_too_short": "must not be empty",
    "string_type": "must be a string, not {given}",
    "string_unicode": "half of a surrogate pair stands alone; send whole characters",
    "timezone_aware": "needs a zone, like 2026-01-31T12:00:00Z; {given} has none",
    "too_long": "may have {max_length} entries at most, not {length}",
    "too_short": "must have {min_length} entries at least, not {length}",
    "tuple_type": "must be an array, not {given}",
    "value_error": "{error}",
}
_OTHERWISE: Final = "must be of another kind, not {given}"


#: What is out of these is a number, though it may have come as a text: from the environment, or in an address.
_BOUNDS: Final = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})


def shown(value: Any) -> str:
    """Return a value as those write it who give it, in JSON or YAML; a long one is cut off."""
    return _cut(_written(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_GIVEN else f"{text[:_LONGEST_GIVEN]}…"


def _written(value: Any) -> str:
    """Return a value in JSON; in Python's way where YAML has what JSON has not: a date for a key, a list in itself."""
    if isinstance(value, str):
        return repr(value)
    for write in (partial(json.dumps, ensure_ascii=False, default=str), repr):
        with suppress(TypeError, ValueError, RecursionError):
            return write(value)
    return "…"  # a number of thousands of digits: Python writes none


def listed(values: Iterable[object]) -> str:
    """Return values as a list in a sentence: `a, b, c`, or `none`."""
    return ", ".join(map(str, values)) or "none"


def in_one_line(exc: BaseException) -> str:
    """Return what a library's error says as one line of at most 300 characters; its kind where it says nothing."""
    return " ".join(str(exc).split())[:_LONGEST_REASON] or type(exc).__name__


def in_words(
    problem: ErrorDetails,
    *,
    permitted: str = "",
    rules: Mapping[str, str] | None = None,
    tells_given: bool = True,
) -> str:
    """Return what pydantic found wrong with a value.

    `permitted` names the fields that there are, `rules` says patterns in words. What was given is told, unless
    `tells_given` says that it could be a secret (a `ValueError` of a validator is told as it is, whatever it says).
    """
    context, received = problem.get("ctx", {}), problem["input"]
    template = _template(problem["type"], context, permitted)
    return (template if tells_given else _TOLD.sub("", template)).format(
        **{
            **{name: _number(value) for name, value in context.items()},
            "given": _cut(received) if isinstance(received, str) and problem["type"] in _BOUNDS else shown(received),
            "length": len(received) if isinstance(received, str | list | dict | tuple) else 0,
            "permitted": permitted,
            "rule": (rules or {}).get(context.get("pattern", ""), "has not the form that is wanted"),
        }
    )


def _template(kind: str, context: Mapping[str, Any], permitted: str) -> str:
    if kind == "string_too_short" and context.get("min_length", 1) > 1:
        return "must have {min_length} characters or more"
    if kind == "extra_forbidden" and not permitted:
        return "is not known here"
    return _PLAIN.get(kind, _OTHERWISE)


def _number(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
