"""The commands of rollouts (start, pause, resume, promote, abort), their status and their history.

A command is checked and written into the rollout's record, by compare-and-set on the generation that it was checked
against; the controller carries it out. Nothing here knows Ray or HTTP, and all of it blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from sentiment.errors import Conflict, InvalidInput, NotFound, Unavailable
from sentiment.labels import LABEL_SETS
from sentiment.records import Document
from sentiment.settings import Settings
from sentiment.store import TextStore
from serve_app.rollout.api_view import to_public
from serve_app.rollout.policy.record import BEFORE_TRAFFIC, HISTORY_KIND, KIND, Command, Rollout, StartRequest, State
from serve_app.routing.model_list import read_listing
from serve_app.routing.traffic_table import KIND as TRAFFIC
from serve_app.routing.traffic_table import TrafficTable, from_body

_ATTEMPTS: Final = 5
#: Two requests for a rollout are the same where these fields are equal.
_REQUEST_FIELDS: Final = ("challenger", "plan", "hold_s", "auto", "sticky", "in_place")
_START: Final = "start one with `undertone rollout start VERSION`"


def start(store: TextStore, settings: Settings, request: StartRequest, now_ms: int) -> tuple[dict[str, Any], bool]:
    """Start the rollout of a version of the served model; return its public record, and whether it is new.

    A request that repeats the one of the rollout under way returns that rollout: its first answer may have been lost.

    Raises:
        InvalidInput: the plan is malformed.
        NotFound: the version is not registered; the message names those that are.
        Conflict: a rollout is under way, the version serves already, or it has another label set.
        Unavailable: no version serves yet.
    """
    model = settings.model_name
    present = store.get_document(KIND, model)
    champion = _champion(store, model)
    rollout = Rollout.begin(request, settings, champion, now_ms, "asked for")
    if same := _same_under_way(present, rollout):
        return to_public(same, now_ms), False
    _check_version(read_listing(store, model), model, request.version, champion)
    try:
        store.put_document(KIND, model, rollout.to_body(), present.generation if present else 0)
    except Conflict:
        if same := _same_under_way(store.get_document(KIND, model), rollout):
            return to_public(same, now_ms), False
        raise
    return to_public(rollout, now_ms), True


def give_command(
    store: TextStore, model: str, command: Command, now_ms: int, *, stage: int | None = None
) -> dict[str, Any]:
    """Give the rollout under way a command; return its public record.

    With the `stage` that it is meant for, a command is safe to repeat: it takes no second step. An abort always is: for
    a rollout that is being aborted, or was, it returns the record unchanged.

    Raises:
        NotFound: no rollout is under way.
        Conflict: the command is not possible now, or the rollout has left `stage`; the message says which.
        Unavailable: others wrote the record during every attempt.
    """
    for _ in range(_ATTEMPTS):
        document, rollout = _rollout_for(store, model, command)
        if command is Command.ABORT and _goes_back(rollout):
            _refuse_other_stage(rollout, stage)
            return to_public(rollout, now_ms)
        _refuse_impossible(rollout, command)
        _refuse_other_stage(rollout, stage)
        changed = rollout.model_copy(update={"asked": command})
        try:
            store.put_document(KIND, model, changed.to_body(), document.generation)
        except Conflict:  # the controller, or another person, was faster
            continue
        return to_public(changed, now_ms)
    raise Unavailable("the rollout's record changes too fast to be written; try again")


def status(store: TextStore, model: str, now_ms: int) -> dict[str, Any]:
    """Return the public record of the rollout under way, or of the last one.

    Raises:
        NotFound: there never was one.
    """
    document = store.get_document(KIND, model)
    if document is None:
        raise NotFound(f"{model} has had no rollout yet; {_START}")
    return to_public(Rollout.from_body(document.body), now_ms)


def history(
    store: TextStore, model: str, now_ms: int, limit: int, after: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the public records of up to `limit` rollouts, the newest first, the one under way included.

    The second value is the `after` of the next page, None on the last one.

    Raises:
        InvalidInput: `after` is not the id of a rollout.
    """
    document = store.get_document(KIND, model)
    present = Rollout.from_body(document.body) if document else None
    if after is not None and (present is None or after != present.id):
        _refuse_unknown_place(store.get_document(HISTORY_KIND, after), model)
    records = {body["id"]: body for body in islice(_ended(store, model, limit + 1, after), limit + 1)}
    if present is not None and (after is None or present.id < after):
        records[present.id] = to_public(present, now_ms)
    newest = sorted(records, reverse=True)  # ids grow with time
    page = newest[:limit]
    return [records[id_] for id_ in page], page[-1] if len(newest) > limit else None


def _ended(store: TextStore, model: str, at_once: int, after: str | None) -> Iterator[dict[str, Any]]:
    """Yield the records of a model's ended rollouts, the newest first; the store keeps all models' in one list."""
    while documents := store.last_documents(HISTORY_KIND, at_once, after):
        yield from (document.body for document in documents if document.body["model"] == model)
        after = documents[-1].name
        if len(documents) < at_once:
            return


def _refuse_unknown_place(document: Document | None, model: str) -> None:
    if document is None or document.body["model"] != model:
        raise InvalidInput("after: is not from this list; pass the `next` of the page before, or leave it out", "after")


def _same_under_way(present: Document | None, new: Rollout) -> Rollout | None:
    """Return the rollout under way if the same request started it; None if none is.

    Raises:
        Conflict: another rollout is under way.
    """
    rollout = Rollout.from_body(present.body) if present else None
    if rollout is None or rollout.ended:
        return None
    if not _goes_back(rollout) and all(getattr(rollout, name) == getattr(new, name) for name in _REQUEST_FIELDS):
        return rollout
    raise Conflict(
        f"version {rollout.challenger} is being rolled out ({rollout.state}), and only one rollout can run at a time: "
        "wait for its end, or abort it"
    )


def _goes_back(rollout: Rollout) -> bool:
    """Whether a rollout is aborted, is being aborted, or has the command to abort."""
    has_command = rollout.asked is Command.ABORT and not rollout.ended
    return has_command or rollout.state in (State.ABORTING, State.ABORTED)


def _rollout_for(store: TextStore, model: str, command: Command) -> tuple[Document, Rollout]:
    """Return the rollout under way; for an abort also the last one, if it was aborted.

    Raises:
        NotFound: there is none.
    """
    document = store.get_document(KIND, model)
    rollout = Rollout.from_body(document.body) if document else None
    takes_it = rollout is not None and (not rollout.ended or (command is Command.ABORT and _goes_back(rollout)))
    if document is None or rollout is None or not takes_it:
        raise NotFound(f"no rollout of {model} is under way; {_START}")
    return document, rollout


def _champion(store: TextStore, model: str) -> int:
    document = store.get_document(TRAFFIC, model)
    table: TrafficTable | None = from_body(document.generation, document.body) if document else None
    if table is None or not table.routes:
        raise Unavailable(f"no version of {model} serves yet, so there is none to replace; try again in a moment")
    return table.leader.version


def _check_version(listed: list[dict[str, Any]], model: str, version: int, champion: int) -> None:
    if version == champion:
        raise Conflict(f"version {version} of {model} serves already; roll out another version", "version")
    row = next((row for row in listed if row["version"] == version), None)
    if row is None:
        registered = ", ".join(str(row["version"]) for row in listed) or "none"
        raise NotFound(
            f"{model} has no version {version}; registered are {registered}. A version registered just now is known "
            "within seconds; one with other labels is registered under another model's name",
            "version",
        )
    labels, model_labels = ", ".join(row["labels"]), ", ".join(LABEL_SETS[model])
    if labels != model_labels:
        raise Conflict(
            f"version {version} answers with {labels}, but {model} with {model_labels}: it cannot be rolled out; "
            "choose a version with the same labels",
            "version",
        )


def _refuse_impossible(rollout: Rollout, command: Command) -> None:
    """Raise Conflict where the rollout's state does not allow the command."""
    version = rollout.challenger
    if _goes_back(rollout):
        raise Conflict(f"the rollout of version {version} is being aborted; wait for its end")
    if command is Command.ABORT:
        return
    if rollout.state in (State.FULL, State.DRAINING):
        raise Conflict(
            f"version {version} has all the traffic already; the only command left is abort, which gives version "
            f"{rollout.champion} the traffic back"
        )
    if rollout.asked is Command.PROMOTE and command is not Command.PROMOTE:
        raise Conflict(f"version {version} is being promoted to its next step; try again in a second")
    if command is Command.PROMOTE and rollout.state in BEFORE_TRAFFIC:
        raise Conflict(f"version {version} is {rollout.state}: it can be promoted once it is loaded and checked")
    if command is Command.RESUME and not rollout.paused and rollout.asked is not Command.PAUSE:
        raise Conflict(f"the rollout of version {version} is not paused, so there is nothing to resume")


def _refuse_other_stage(rollout: Rollout, stage: int | None) -> None:
    """Raise Conflict where a command is meant for another stage than the present one."""
    if stage is not None and stage != rollout.stage:
        raise Conflict(
            f"the rollout of version {rollout.challenger} is at stage {rollout.stage} ({rollout.step}), not at stage "
            f"{stage}: look at its status, and repeat the command for this stage if you still want it"
        )
