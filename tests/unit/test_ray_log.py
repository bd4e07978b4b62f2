"""What goes past Python to standard error is kept off a command's, and what Python says stays there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cli.ray_log import ray_log_aside
from sentiment.settings import Settings

_SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from cli.ray_log import ray_log_aside
from sentiment.settings import Settings
with ray_log_aside(Settings(home=Path(sys.argv[1]))):
    os.write(2, b"core_worker.cc: a log line\\n")
    subprocess.run(["sh", "-c", "echo of a child >&2"], check=True)
    print("for the user", file=sys.stderr)
os.write(2, b"afterwards\\n")
print("at the end", file=sys.stderr)
"""


def test_what_goes_past_python_is_kept_in_a_file_and_the_rest_stays_where_it_was(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stderr == "for the user\nafterwards\nat the end\n"
    assert (tmp_path / "logs" / "ray.log").read_text() == "core_worker.cc: a log line\nof a child\n"


def test_nothing_is_made_where_nothing_was_said_and_a_home_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    with ray_log_aside(Settings(home=tmp_path)):
        pass
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with ray_log_aside(Settings(home=tmp_path / "file")):
        os.write(2, b"a log line\n")
