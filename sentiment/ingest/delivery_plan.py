"""What is done with a batch of arrivals: which texts are sent, which ids are deleted, and in which order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sentiment.sources import Arrival, SourceDeletion, SourceText

#: Deletions that are remembered, for a text that comes after its own deletion.
REMEMBERED_DELETIONS: Final = 100_000


@dataclass
class DeliveryPlan:
    """A batch, and what is done about it: `replaced` are deleted first, then texts are sent, then `deleted` go.

    `dropped` are the places of texts that are not sent, since they are deleted or replaced.
    """

    batch: Sequence[Arrival]
    replaced: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)

    @property
    def texts(self) -> list[SourceText]:
        """The texts to send, in their order."""
        records = (arrival.record for place, arrival in enumerate(self.batch) if place not in self.dropped)
        return [record for record in records if isinstance(record, SourceText)]

    @property
    def is_ordered(self) -> bool:
        """Whether this batch must wait for the batches before it, and those after it for this one."""
        return bool(self.deleted or self.replaced)


class RecentDeletions:
    """The ids that were deleted lately, so that a text that comes late does not come back."""

    def __init__(self, size: int = REMEMBERED_DELETIONS) -> None:
        self._size = size
        self._ids: OrderedDict[str, None] = OrderedDict()

    def plan(self, batch: Sequence[Arrival]) -> DeliveryPlan:
        """Return the plan for a batch, and remember its deletions."""
        plan = DeliveryPlan(batch)
        places: dict[str, int] = {}
        for place, arrival in enumerate(batch):
            record = arrival.record
            if isinstance(record, SourceDeletion):
                self._delete(record.id, plan, places)
            elif isinstance(record, SourceText):
                self._take(record, place, plan, places)
        return plan

    def _delete(self, id_: str, plan: DeliveryPlan, places: dict[str, int]) -> None:
        if id_ in places:
            plan.dropped.add(places.pop(id_))
        plan.deleted.add(id_)
        self._ids[id_] = None
        self._ids.move_to_end(id_)
        if len(self._ids) > self._size:
            self._ids.popitem(last=False)

    def _take(self, text: SourceText, place: int, plan: DeliveryPlan, places: dict[str, int]) -> None:
        if text.is_revision:
            if text.id in places:
                plan.dropped.add(places[text.id])
            plan.replaced.add(text.id)
            plan.deleted.discard(text.id)
            self._ids.pop(text.id, None)
        elif text.id in self._ids:
            plan.dropped.add(place)
            return
        places[text.id] = place
