"""What the form on the tab *Models* asks the API for, and the API's errors in the words of its fields. Pure."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Final

from sentiment.durations import seconds_of
from sentiment.errors import InvalidInput, KeyRefused

#: The API's fields by what the page calls them.
FIELDS: Final = {
    "version": "Version to roll out",
    "plan": "Plan",
    "auto": "Go on by itself",
    "hold_s": "Hold (seconds)",
    "sticky": "Keep on one version",
    "in_place": "In place",
}
#: The fields that are folded away until somebody wants them.
FOLDED: Final = ("hold_s", "sticky", "in_place")
#: What may be kept on one version, by what the page calls it.
STICKY: Final = (("nobody", "none"), ("each author", "author"), ("each API key", "key"))
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_NAMED: Final = re.compile(rf"(^|; )({'|'.join(FIELDS)}): ")


@dataclass(frozen=True, slots=True)
class Typed:
    """What was filled in, in the order of the form; texts as they were typed. None is for a field never unfolded."""

    version: str
    plan: str
    auto: bool
    hold_s: str | None
    sticky: str
    in_place: bool

    def asked(self) -> dict[str, Any]:
        """Return the request that starts the rollout; what was left empty is left to the platform's settings.

        Raises:
            InvalidInput: the version is no number, or the hold no time. All else is for the API to judge.
        """
        version = self.version.strip()
        if not _NUMBER.fullmatch(version):
            raise InvalidInput("version: write the number of a registered version, like 8", "version")
        hold = (self.hold_s or "").strip()
        hold_s = seconds_of(hold, FIELDS["hold_s"], "hold_s") if hold else ""
        asked = {**asdict(self), "version": int(version), "plan": self.plan.strip(), "hold_s": hold_s}
        return {name: value for name, value in asked.items() if value != ""}


def key_in_words(error: KeyRefused) -> str:
    """Return why the key that a person typed on the page was refused, and what he can do there."""
    fault = f"lacks the scope {error.scope}" if error.is_known else "is unknown, revoked, or past its end"
    remedy = f"paste one with the scope {error.scope}, which whoever runs the platform can make for you"
    return f"Admin key: this one {fault}; {remedy}."


def in_words(error: Exception) -> str:
    """Return an error of the API with its fields called what the page calls them."""
    return _NAMED.sub(lambda found: f"{found[1]}{FIELDS[found[2]]}: ", str(error))
