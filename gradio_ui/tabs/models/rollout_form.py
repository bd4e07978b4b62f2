"""The request of the form on the tab *Models*, and the API's errors with the names of its fields. Pure."""

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
    """The values of the form, in its order, as they were typed; None for a field that was never unfolded."""

    version: str
    plan: str
    auto: bool
    hold_s: str | None
    sticky: str
    in_place: bool

    def request(self) -> dict[str, Any]:
        """Return the request that starts the rollout; empty fields are left to the platform's settings.

        Raises:
            InvalidInput: the version is not a number, or the hold is not a span of time. The API checks the rest.
        """
        version = self.version.strip()
        if not _NUMBER.fullmatch(version):
            raise InvalidInput("version: write the number of a registered version, like 8", "version")
        hold = (self.hold_s or "").strip()
        hold_s = seconds_of(hold, FIELDS["hold_s"], "hold_s") if hold else ""
        request = {**asdict(self), "version": int(version), "plan": self.plan.strip(), "hold_s": hold_s}
        return {name: value for name, value in request.items() if value != ""}


def key_in_words(error: KeyRefused) -> str:
    """Return why the key that was typed on the page was refused, and the remedy."""
    fault = f"lacks the scope {error.scope}" if error.is_known else "is unknown, revoked or expired"
    remedy = f"paste one with the scope {error.scope}; whoever runs the platform can make it for you"
    return f"Admin key: this one {fault}; {remedy}."


def in_words(error: Exception) -> str:
    """Return an error of the API with the page's names of its fields."""
    return _NAMED.sub(lambda match: f"{match[1]}{FIELDS[match[2]]}: ", str(error))
