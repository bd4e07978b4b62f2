"""Which commands a rollout accepts now, why not the others, and what an abort would do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Button:
    """What a button is called, and what it does."""

    label: str
    help: str


#: The buttons by the command that they give.
BUTTONS: Final = {
    "start": Button(
        "Start", "Loads the version beside the champion, checks it, and gives it traffic step by step, as planned."
    ),
    "promote": Button("Promote", "Goes to the next step of the plan now, without waiting for more results."),
    "pause": Button("Pause", "Stays at the present step. A version that exceeds a limit is still rolled back."),
    "resume": Button("Resume", "Lets a paused rollout go on."),
    "abort": Button(
        "Abort",
        "Gives the previous champion all the traffic again, within a second, and ends the new version. If the new "
        "version has all the traffic already, you are asked first.",
    ),
}
_UNSEEN: Final = ("waiting", "loading", "checking")
_ENDED: Final = ("done", "aborted")
_FINISHING: Final = ("full", "draining")


@dataclass(frozen=True, slots=True)
class Offer:
    """The commands that can be given now, and, in a sentence, why not the others."""

    commands: frozenset[str]
    why: str


def offer_of(rollout: Record | None, *, has_key: bool = True) -> Offer:
    """Return what can be done with the rollout under way, or with the last one; None stands for none so far.

    `has_key` is whether there is a key to do it with.
    """
    if not has_key:
        return Offer(frozenset(), "Paste an admin key above to use the buttons.")
    if rollout is None or rollout["phase"] in _ENDED:
        return Offer(frozenset({"start"}), "No rollout is under way. Start one to use the other buttons.")
    return _offer_under_way(rollout)


def question_before_abort(rollout: Record | None) -> str | None:
    """Return what has to be confirmed before the rollout is aborted, None where going back is a small thing."""
    if rollout is None or rollout["phase"] in (*_ENDED, "aborting") or not _has_all(rollout):
        return None
    old, new = rollout["champion"], rollout["challenger"]
    return (
        f"Version {new} has all the traffic. Going back gives it, and the alias champion, to version {old} again, "
        f"{_how_soon(rollout)}, and ends version {new}."
    )


def _offer_under_way(rollout: Record) -> Offer:
    """Return what can be asked of a rollout under way: no more than the API takes."""
    phase, command, new = rollout["phase"], rollout["asked"], rollout["challenger"]
    if phase == "aborting" or command == "abort":
        return Offer(frozenset(), f"The rollout of version {new} is being aborted; wait for its end.")
    if phase in _FINISHING:
        remedy = f"the only button left is Abort, which goes back to version {rollout['champion']}"
        return Offer(frozenset({"abort"}), f"Version {new} has all the traffic: {remedy}.")
    if command == "promote":
        return Offer(frozenset({"abort"}), f"Version {new} is being promoted to its next step.")
    commands = frozenset({"abort", "resume" if _stays(rollout) else "pause"})
    if phase in _UNSEEN:
        return Offer(commands, f"Version {new} can be promoted once it is loaded and checked.")
    return Offer(commands | {"promote"}, "Another rollout can be started once this one has ended.")


def _stays(rollout: Record) -> bool:
    """Whether the rollout is paused, or about to be."""
    return bool(rollout["asked"] == "pause" or (rollout["paused"] and rollout["asked"] != "resume"))


def _has_all(rollout: Record) -> bool:
    """Whether the challenger has all the traffic."""
    weights = (share["weight"] for share in rollout["traffic"] if share["version"] == rollout["challenger"])
    return rollout["phase"] in _FINISHING or any(weight >= 1 for weight in weights)


def _how_soon(rollout: Record) -> str:
    """Return how long going back takes; a champion that had to end is no longer in the shares."""
    if any(share["version"] == rollout["champion"] for share in rollout["traffic"]):
        return "within a second"
    return "once it is loaded again (requests wait until then)"
