"""Resolves a search's references to data, teachers and files once, so that all trials use the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from sentiment.errors import InvalidInput
from train_jobs.train.prepare import RunLocations, absolute_path, fixed_teacher
from tune.plan import HyperparameterSearch
from tune.space import Dimension, configured

_TEACHER: Final = "distill.teacher"
_UNLABELLED: Final = "distill.unlabelled"


def digests(search: HyperparameterSearch, places: RunLocations) -> dict[str, str]:
    """Return the digest of each dataset version that a trial may train on, by its reference."""
    varied = [value for each in search.space.dimensions if each.field == "data" for value in each.values]
    return {ref: places.store.find(ref).digest for ref in (search.base["data"], *varied)}


def with_fixed_references(search: HyperparameterSearch, places: RunLocations) -> HyperparameterSearch:
    """Return the search with `@latest` and a teacher's alias replaced by numbers, and paths made absolute.

    Raises:
        InvalidInput: two values of the space name the same thing.
        NotFound: there is no such version.
        RegistryUnavailable: the registry does not answer.
    """

    def data(ref: str) -> str:
        return str(places.store.find(ref).ref)

    def teacher(ref: str) -> str:
        return fixed_teacher(ref, places)

    resolvers = {
        "data": data,
        "validation": data,
        "backbone": absolute_path,
        _TEACHER: teacher,
        _UNLABELLED: absolute_path,
    }
    config = search.config_at({})
    named = {
        "data": config.data,
        "validation": config.validation,
        "backbone": config.backbone,
        _TEACHER: config.distill.teacher if config.distill else None,
        _UNLABELLED: config.distill.unlabelled if config.distill else None,
    }
    base = configured(search.base, {name: resolvers[name](ref) for name, ref in named.items() if ref})
    dimensions = tuple(
        _resolved(each, resolvers[each.field]) if each.field in resolvers else each for each in search.space.dimensions
    )
    return replace(search, base=base, space=replace(search.space, dimensions=dimensions))


def _resolved(dimension: Dimension, resolver: Callable[[str], str]) -> Dimension:
    """Return a dimension with its references resolved. Raises InvalidInput if two of them name the same thing."""
    refs: dict[str | None, Any] = {}
    for ref in dimension.values:
        other = refs.setdefault(ref and resolver(ref), ref)
        if other != ref:
            raise InvalidInput(
                f"{dimension.field}: {other} and {ref} are the same and would be tried twice: remove one of them from "
                "the space.",
                dimension.field,
            )
    return replace(dimension, values=tuple(refs))
