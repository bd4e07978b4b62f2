"""Rollouts and the fixed split as the HTTP routes call them: off the event loop, with the texts of disagreements."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentiment.errors import Conflict, NotFound
from sentiment.labels import LABEL_SETS
from sentiment.settings import Settings
from sentiment.store import TextStore
from sentiment.text import CURRENT_NORMALIZER, NORMALIZERS
from serve_app.rollout import commands
from serve_app.rollout.policy.record import Command, StartRequest
from serve_app.routing.model_list import SPLIT_KIND, read_listing

_NORMALIZE: Final = NORMALIZERS[CURRENT_NORMALIZER]


@dataclass(frozen=True)
class Rollouts:
    """The rollouts of the served model; see `serve_app/rollout/commands.py` for what is raised."""

    store: TextStore
    settings: Settings
    now_ms: Callable[[], int]

    async def start(self, request: StartRequest) -> tuple[dict[str, Any], bool]:
        """Ask for a rollout; return its record, and whether it is new."""
        return await asyncio.to_thread(commands.start, self.store, self.settings, request, self.now_ms())

    async def command(self, asked: Command, stage: int | None = None) -> dict[str, Any]:
        """Ask something of the rollout under way and return its record; `stage` is the one that it is meant for."""
        model = self.settings.model_name
        record = await asyncio.to_thread(commands.command, self.store, model, asked, self.now_ms(), stage=stage)
        return (await self._with_texts([record]))[0]

    async def current(self) -> dict[str, Any]:
        """Return the record of the rollout under way, or of the last one. Raises NotFound."""
        record = await asyncio.to_thread(commands.status, self.store, self.settings.model_name, self.now_ms())
        return (await self._with_texts([record]))[0]

    async def history(self, limit: int, after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return up to `limit` records, the newest first, and the `after` of the page that follows, if one does."""
        model, now_ms = self.settings.model_name, self.now_ms()
        records, following = await asyncio.to_thread(commands.history, self.store, model, now_ms, limit, after)
        return await self._with_texts(records), following

    async def split(self) -> dict[str, int]:
        """Return the version that each value of the fixed split gets; nothing where there is none."""
        document = await asyncio.to_thread(self.store.get_document, SPLIT_KIND, self.settings.model_name)
        return dict(document.body["versions"]) if document else {}

    async def put_split(self, versions: Mapping[str, int]) -> None:
        """Give values of the header X-Undertone-Split, or ids of API keys, a version each; none end the split.

        Raises:
            NotFound: a version is not registered.
            Conflict: a version answers with another label set.
        """
        await asyncio.to_thread(self._put_split, dict(versions))

    def _put_split(self, versions: dict[str, int]) -> None:
        model = self.settings.model_name
        labels = {row["version"]: tuple(row["labels"]) for row in read_listing(self.store, model)}
        for value, version in versions.items():
            if version not in labels:
                there = ", ".join(map(str, sorted(labels))) or "none"
                told = f"versions.{value}: {model} has no version {version}; registered are {there}"
                raise NotFound(told, f"versions.{value}")
            if labels[version] != LABEL_SETS[model]:
                told = f"versions.{value}: version {version} answers with other labels than {model} does"
                raise Conflict(told, f"versions.{value}")
        self.store.put_document(SPLIT_KIND, model, {"versions": versions})

    async def _with_texts(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add the texts to disagreements. One whose text was deleted since is left out."""
        ids = sorted({example["id"] for record in records for example in _examples(record)})
        if not ids:
            return records
        found = await asyncio.to_thread(self.store.get_many, ids)
        texts = {id_: _NORMALIZE(record.text) for id_, record in found.items()}
        return [_with_examples(record, texts) for record in records]


def _examples(record: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    found: Iterable[dict[str, Any]] = record["compared"]["examples"]
    return found


def _with_examples(record: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    told = [{**example, "text": texts[example["id"]]} for example in _examples(record) if example["id"] in texts]
    return {**record, "compared": {**record["compared"], "examples": told}}
