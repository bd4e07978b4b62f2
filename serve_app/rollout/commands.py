"""What a person may ask of rollouts: start, pause, resume, promote, abort; and how this one and earlier ones are.

Each request is checked and written into the rollout's record, over the generation that it was checked against; the
controller carries it out. Nothing here knows Ray or HTTP, and all of it blocks.
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
from serve_app.rollout.policy.record import HISTORY_KIND, KIND, UNSEEN, Command, Rollout, StartRequest, State
from serve_app.routing.model_list import read_listing
from serve_app.routing.traffic_table import KIND as TRAFFIC
from serve_app.routing.traffic_table import TrafficTable, from_body

_ATTEMPTS: Final = 5
#: What two requests for a rollout have in common where one repeats the other.
_ASKED_FOR: Final = ("challenger", "plan", "hold_s", "auto", "sticky", "in_place")
_START: Final = "start one with `undertone rollout start VERSION`"


def start(store: TextStore, settings: Settings, request: StartRequest, now_ms: int) -> tuple[dict[str, Any], bool]:
    """Ask for a rollout of a version of the served model; return its public record, and whether it is new.

    The one under way, asked for in the same way again, is returned as it is: the answer may have been lost.

    Raises:
        InvalidInput: the plan is malformed.
        NotFound: the version is not registered; says which are.
        Conflict: a rollout is under way, the version serves already, or it answers with another label set.
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


def command(store: TextStore, model: str, asked: Command, now_ms: int, *, stage: int | None = None) -> dict[str, Any]:
    """Ask something of the rollout under way; return its public record.

    With the `stage` that it is meant for a command is safe to repeat: no second step is taken. An abort always is: of a
    rollout that is being aborted, or was, it returns the record as it is.

    Raises:
        NotFound: no rollout is under way.
        Conflict: it cannot be asked for now, or the rollout has left `stage`; says why.
        Unavailable: the record was written by others each time that it was tried.
    """
    for _ in range(_ATTEMPTS):
        document, rollout = _present(store, model, asked)
        if asked is Command.ABORT and _goes_back(rollout):
            _refuse_other_stage(rollout, stage)
            return to_public(rollout, now_ms)
        _refuse_impossible(rollout, asked)
        _refuse_other_stage(rollout, stage)
        changed = rollout.model_copy(update={"asked": asked})
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
    """Return the public records of up to `limit` rollouts, the newest first, with the one under way.

    The second value is the `after` of the page that follows, None where there is none.

    Raises:
        InvalidInput: `after` is no place in the list.
    """
    document = store.get_document(KIND, model)
    present = Rollout.from_body(document.body) if document else None
    if after is not None and (present is None or after != present.id):
        _refuse_no_place(store.get_document(HISTORY_KIND, after), model)
    found = {body["id"]: body for body in islice(_ended(store, model, limit + 1, after), limit + 1)}
    if present is not None and (after is None or present.id < after):
        found[present.id] = to_public(present, now_ms)
    newest = sorted(found, reverse=True)  # ids grow with time
    page = newest[:limit]
    return [found[id_] for id_ in page], page[-1] if len(newest) > limit else None


def _ended(store: TextStore, model: str, at_once: int, after: str | None) -> Iterator[dict[str, Any]]:
    """Yield the records of a model's ended rollouts, the newest first; other models' lie among them."""
    while documents := store.last_documents(HISTORY_KIND, at_once, after):
        yield from (document.body for document in documents if document.body["model"] == model)
        after = documents[-1].name
        if len(documents) < at_once:
            return


def _refuse_no_place(document: Document | None, model: str) -> None:
    if document is None or document.body["model"] != model:
        raise InvalidInput(
            "after is no place in the list; pass the `next` of the page before, or leave it out.", "after"
        )


def _same_under_way(present: Document | None, wanted: Rollout) -> Rollout | None:
    """Return the rollout under way if it was asked for as `wanted` is, None where none is; refuse a second one."""
    rollout = Rollout.from_body(present.body) if present else None
    if rollout is None or rollout.ended:
        return None
    if not _goes_back(rollout) and all(getattr(rollout, name) == getattr(wanted, name) for name in _ASKED_FOR):
        return rollout
    raise Conflict(
        f"version {rollout.challenger} is being rolled out ({rollout.state}), and only one rollout runs at a time: "
        "wait for its end, or abort it"
    )


def _goes_back(rollout: Rollout) -> bool:
    """Whether a rollout is being aborted, was asked to be, or was."""
    under_way = rollout.asked is Command.ABORT and not rollout.ended
    return under_way or rollout.state in (State.ABORTING, State.ABORTED)


def _present(store: TextStore, model: str, asked: Command) -> tuple[Document, Rollout]:
    """Return the rollout under way; for an abort, the last one too if it was aborted."""
    document = store.get_document(KIND, model)
    rollout = Rollout.from_body(document.body) if document else None
    there = rollout is not None and (not rollout.ended or (asked is Command.ABORT and _goes_back(rollout)))
    if document is None or rollout is None or not there:
        raise NotFound(f"no rollout of {model} is under way; {_START}")
    return document, rollout


def _champion(store: TextStore, model: str) -> int:
    document = store.get_document(TRAFFIC, model)
    table: TrafficTable | None = from_body(document.generation, document.body) if document else None
    if table is None or not table.routes:
        raise Unavailable(f"no version of {model} serves yet that another could take over from; try again in a moment")
    return table.leader.version


def _check_version(listed: list[dict[str, Any]], model: str, version: int, champion: int) -> None:
    if version == champion:
        raise Conflict(f"version {version} of {model} serves already", "version")
    found = next((row for row in listed if row["version"] == version), None)
    if found is None:
        there = ", ".join(str(row["version"]) for row in listed) or "none"
        raise NotFound(
            f"{model} has no version {version}; registered are {there}. One of another label set has a name of its "
            "own, and one registered just now is known within seconds",
            "version",
        )
    wanted = LABEL_SETS[model]
    if tuple(found["labels"]) != wanted:
        its, ours = ", ".join(found["labels"]), ", ".join(wanted)
        raise Conflict(f"version {version} answers with {its}, {model} with {ours}: no rollout", "version")


def _refuse_impossible(rollout: Rollout, asked: Command) -> None:
    """Raise Conflict where the rollout, as it is, cannot do what is asked."""
    version = rollout.challenger
    if _goes_back(rollout):
        raise Conflict(f"the rollout of version {version} is being aborted; its end is near")
    if asked is Command.ABORT:
        return
    if rollout.state in (State.FULL, State.DRAINING):
        raise Conflict(f"version {version} has all the traffic already; only abort, which goes back, is left")
    if rollout.asked is Command.PROMOTE and asked is not Command.PROMOTE:
        raise Conflict(f"version {version} is about to be promoted, as was asked for; ask again in a second")
    if asked is Command.PROMOTE and rollout.state in UNSEEN:
        raise Conflict(f"version {version} is {rollout.state}: it can be promoted once it is loaded and checked")
    if asked is Command.RESUME and not rollout.paused and rollout.asked is not Command.PAUSE:
        raise Conflict(f"the rollout of version {version} is not paused")


def _refuse_other_stage(rollout: Rollout, stage: int | None) -> None:
    """Raise Conflict where a command was meant for another stage than the present one."""
    if stage is not None and stage != rollout.stage:
        raise Conflict(
            f"the rollout of version {rollout.challenger} is at stage {rollout.stage} ({rollout.step}), not at stage "
            f"{stage} any more: look at its status, and ask again if it is still wanted"
        )
