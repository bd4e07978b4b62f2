"""What others depend on is as it was reviewed: a change of it is seen, line by line, in the text that stands beside."""

from __future__ import annotations

from pathlib import Path

from tests.repository.public_surface import surface

REVIEWED = Path(__file__).with_name("public_surface.txt")
COMMAND = "python -m tests.repository.public_surface > tests/repository/public_surface.txt"


def test_http_commands_settings_and_metrics_are_the_reviewed_ones():
    reviewed, found = REVIEWED.read_text(encoding="utf-8").splitlines(), surface()
    gone = [f"- {line}" for line in reviewed if line not in set(found)]
    new = [f"+ {line}" for line in found if line not in set(reviewed)]
    told = "\n".join(sorted(gone + new, key=lambda line: line[2:]))
    assert not told, f"if each line of this is meant, run {COMMAND}\n{told}"
    assert reviewed == found
