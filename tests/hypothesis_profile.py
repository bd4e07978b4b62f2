"""How many examples generated tests take: all of them in CI, a quarter in `make test-fast`."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

_ALL: Final = 100  # what hypothesis takes where nothing is said
_FEWEST: Final = 5


def register_profiles() -> None:
    """Make `--hypothesis-profile=fast` known."""
    settings.register_profile("fast", max_examples=_ALL // 4)


def examples(most: int) -> int:
    """Return how many of `most` examples a test takes under the profile that is in force."""
    return max(_FEWEST, most * settings.default.max_examples // _ALL)
