"""Rollouts and the fixed split for the HTTP routes: off the event loop, and with the texts of disagreements."""

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
    """The rollouts of the served model. Methods raise what the functions of `serve_app/rollout/commands.py` raise."""

    store: TextStore
    settings: Settings
    now_ms: Callable[[], int]

    async def start(self, request: StartRequest) -> tuple[dict[str, Any], bool]:
        """Ask for a rollout; return its record, and whether it is new."""
        return await asyncio.to_thread(commands.start, self.store, self.settings, request, self.now_ms())

    async def command(self, command: Command, stage: int | None = None) -> dict[str, Any]:
        """Give the rollout under way a command and return its record; `stage` is the one that it is meant for."""
        model = self.settings.model_name
        record = await asyncio.to_thread(commands.give_command, self.store, model, command, self.now_ms(), stage=stage)
        return (await self._with_texts([record]))[0]

    async def current(self) -> dict[str, Any]:
        """Return the record of the rollout under way, or of the last one. Raises NotFound."""
        record = await asyncio.to_thread(commands.status, self.store, self.settings.model_name, self.now_ms())
        return (await self._with_texts([record]))[0]

    async def history(self, limit: int, after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return up to `limit` records, the newest first, and the `after` of the next page, if there is one."""
        model, now_ms = self.settings.model_name, self.now_ms()
        records, following = await asyncio.to_thread(commands.history, self.store, model, now_ms, limit, after)
        return await self._with_texts(records), following

    async def split(self) -> dict[str, int]:
        """Return the version of each value of the fixed split; empty where there is no split."""
        document = await asyncio.to_thread(self.store.get_document, SPLIT_KIND, self.settings.model_name)
        return dict(document.body["versions"]) if document else {}

    async def put_split(self, versions: Mapping[str, int]) -> None:
        """Set the version of each value of the header X-Undertone-Split, or id of an API key; empty ends the split.

        Raises:
            NotFound: a version is not registered.
            Conflict: a version has another label set.
        """
        await asyncio.to_thread(self._put_split, dict(versions))

    def _put_split(self, versions: dict[str, int]) -> None:
        model = self.settings.model_name
        labels = {row["version"]: tuple(row["labels"]) for row in read_listing(self.store, model)}
        for value, version in versions.items():
            if version not in labels:
                registered = ", ".join(map(str, sorted(labels))) or "none"
                reason = f"{model} has no version {version}; registered are {registered}"
                raise NotFound(f"versions.{value}: {reason}", f"versions.{value}")
            if labels[version] != LABEL_SETS[model]:
                reason = f"version {version} has other labels than {model}; choose a version with the same"
                raise Conflict(f"versions.{value}: {reason}", f"versions.{value}")
        self.store.put_document(SPLIT_KIND, model, {"versions": versions})

    async def _with_texts(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add the texts to the disagreements; one whose text was deleted meanwhile is left out."""
        ids = sorted({example["id"] for record in records for example in _examples(record)})
        if not ids:
            return records
        stored = await asyncio.to_thread(self.store.get_many, ids)
        texts = {id_: _NORMALIZE(record.text) for id_, record in stored.items()}
        return [_with_examples(record, texts) for record in records]


def _examples(record: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    examples: Iterable[dict[str, Any]] = record["compared"]["examples"]
    return examples


def _with_examples(record: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    examples = [{**example, "text": texts[example["id"]]} for example in _examples(record) if example["id"] in texts]
    return {**record, "compared": {**record["compared"], "examples": examples}}
